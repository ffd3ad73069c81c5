"""tokenizer.json: how byte-level BPE is written for Hugging Face's readers, and how any such file is read and checked.

`tokenizers` reads a file with a hole in its merges as an error without a place, and one with two tokens of one id
without a word. So what is read here is checked first (tokenizer_checks.py), before anything is computed.

Ids: special tokens, the 256 bytes in the order of `byte_alphabet.ORDER`, merges in their order, reserved tokens. So of
two sizes from one training the smaller is the beginning of the larger, but for its reserved tokens. There is no
normaliser: text is NFC since curation, and byte-level BPE takes any other text as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from chejil.errors import ChejilError
from chejil.tokenizer.files import byte_alphabet, tokenizer_checks

NAME = "tokenizer.json"
BYTE_TOKENS = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""What a byte is called where bytes only stand in for missing characters (SentencePiece)."""


@dataclass(frozen=True)
class TokenizerFile:
    """A tokenizer.json of a BPE model, checked.

    Args:
        content: the whole file.
        vocabulary: ids of all tokens of the model; added: ids of the tokens beside it, which are matched as they stand.
        merges: in their order.
        kind: whether tokens are written in byte_alphabet, or as text with bytes for missing characters.
        warnings: what is odd but does no harm.
    """

    content: dict[str, Any]
    vocabulary: dict[str, int]
    added: dict[str, int]
    merges: list[tuple[str, str]]
    kind: Literal["byte_level", "byte_fallback"]
    warnings: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Rows that an embedding needs: one more than the highest id."""
        return max([*self.vocabulary.values(), *self.added.values()], default=-1) + 1

    @property
    def special_tokens(self) -> list[str]:
        """Added tokens that are special, in the order of their ids."""
        return [row["content"] for row in _added_rows(self.content) if row.get("special")]


def document(
    special_tokens: Sequence[str],
    merges: Sequence[tuple[bytes, bytes]],
    regex: str,
    reserved: Sequence[str] = (),
) -> dict[str, Any]:
    """The content of a tokenizer.json of byte-level BPE.

    Args:
        regex: of the pre-tokens, as Oniguruma reads it.
        reserved: tokens behind all others that fill the vocabulary up; they are special, too.
    """
    vocabulary = {token: number for number, token in enumerate(special_tokens)}
    for byte in byte_alphabet.ORDER:
        vocabulary[byte_alphabet.CHARS[byte]] = len(vocabulary)
    pairs = [[byte_alphabet.written(left), byte_alphabet.written(right)] for left, right in merges]
    for left, right in pairs:
        vocabulary.setdefault(left + right, len(vocabulary))
    for token in reserved:
        assert token not in vocabulary
        vocabulary[token] = len(vocabulary)
    split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added_token(token, vocabulary[token]) for token in (*special_tokens, *reserved)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, _byte_level()]},
        "post_processor": None,
        "decoder": _byte_level(),
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": vocabulary, "merges": pairs,
        },
    }  # fmt: skip


def _byte_level() -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def added_token(content: str, number: int, special: bool = True) -> dict[str, Any]:
    """A token that is matched in the text as it stands, before anything is cut."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": special}
    return {"id": number, "content": content, **flags}


def as_bytes(content: dict[str, Any]) -> bytes:
    """The file: tokens in the order of their ids, Hangul and all else in UTF-8."""
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def path_of(place: str | Path) -> Path:
    """The file itself, or the one in a folder.

    Raises:
        ChejilError: there is none.
    """
    path = Path(place)
    path = path / NAME if path.is_dir() else path
    if not path.is_file():
        mend = f"name a {NAME} or a folder that holds one"
        raise ChejilError("no tokenizer", where=str(place), mend=mend)
    return path


def read(place: str | Path, required: Sequence[str] = ()) -> TokenizerFile:
    """Read and check a tokenizer.json.

    Args:
        place: the file, or its folder.
        required: special tokens that it must have.

    Raises:
        ChejilError: everything that is wrong with it, at once.
    """
    path = path_of(place)
    content = tokenizer_checks.parsed(path.read_bytes(), str(path))
    model = content["model"]
    if model.get("type", "BPE") != "BPE" or not isinstance(model["vocab"], dict):
        mend = "only BPE is read here; `chejil tokenizer measure` takes any kind"
        raise ChejilError(f"the model is {model.get('type')}, not BPE", where=str(path), mend=mend)
    found = _parsed(content, model)
    lacking = [f"no special token {token}" for token in required if token not in found.added]
    faults = [*tokenizer_checks.merges_and_ids(content), *_missing_bytes(found, model), *lacking]
    tokenizer_checks.refuse(faults, str(path))
    found.warnings.extend(_oddities(found))
    return found


def _added_rows(content: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(content.get("added_tokens") or [], key=lambda row: row["id"])


def _parsed(content: dict[str, Any], model: dict[str, Any]) -> TokenizerFile:
    merges = [tuple(tokenizer_checks.pair_of(merge)) for merge in model.get("merges") or []]
    added = {row["content"]: row["id"] for row in _added_rows(content)}
    kind: Literal["byte_level", "byte_fallback"] = "byte_level"
    if model.get("byte_fallback"):
        kind = "byte_fallback"
    return TokenizerFile(content, model["vocab"], added, merges, kind)


def _missing_bytes(found: TokenizerFile, model: dict[str, Any]) -> Iterator[str]:
    letters = BYTE_TOKENS if found.kind == "byte_fallback" else tuple(byte_alphabet.BYTES)
    missing = [token for token in letters if token not in found.vocabulary]
    if missing and model.get("unk_token") is None:
        lost = tokenizer_checks.some(missing)
        yield f"{len(missing)} of the 256 bytes are no tokens, text with them would be lost: {lost}"


def _oddities(found: TokenizerFile) -> Iterator[str]:
    used = {*found.vocabulary.values(), *found.added.values()}
    holes = [str(number) for number in range(found.size) if number not in used]
    if holes:
        yield f"ids without a token: {tokenizer_checks.some(holes)}"
