"""tokenizer.json: how byte-level BPE is written for Hugging Face's readers, and how any such file is read and checked.

`tokenizers` reads a file with a hole in its merges as an error without a place, and one with two tokens of one id
without a word. So what is read here is checked first: every fault is named, with examples, before anything is computed.

Ids: special tokens, the 256 bytes in the order of `byte_alphabet.ORDER`, merges in their order, reserved tokens. So of
two sizes from one training the smaller is the beginning of the larger, but for its reserved tokens. There is no
normaliser: text is NFC since curation, and byte-level BPE takes any other text as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from chejil.errors import ChejilError
from chejil.tokenizer.files import byte_alphabet

NAME = "tokenizer.json"
BYTE_TOKENS = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""What a byte is called where bytes only stand in for missing characters (SentencePiece)."""

_EXAMPLES = 5


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
    content = _content(path)
    model = content.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        raise ChejilError("no model with a vocabulary", where=str(path), mend=f"is it a {NAME}?")
    if model.get("type", "BPE") != "BPE" or not isinstance(model["vocab"], dict):
        mend = "only BPE is read here; `chejil tokenizer measure` takes any kind"
        raise ChejilError(f"the model is {model.get('type')}, not BPE", where=str(path), mend=mend)
    found = _parsed(content, model)
    wrong = [
        *_faults(found, model),
        *(f"no special token {token}" for token in required if token not in found.added),
    ]
    if wrong:
        mend = "write the file again from its source, or take the tokenizer from a copy that is whole"
        raise ChejilError("; ".join(wrong), where=str(path), mend=mend)
    found.warnings.extend(_oddities(found))
    return found


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=_no_key_twice)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        mend = "the file is torn or no JSON: copy or download it again"
        raise ChejilError(f"not JSON: {error}", where=str(path), mend=mend) from None
    except _TwiceError as error:
        mend = "a token has one id: take one of the two out"
        raise ChejilError(f"'{error}' stands there twice", where=str(path), mend=mend) from None
    if not isinstance(content, dict):
        raise ChejilError("not a JSON object", where=str(path), mend=f"is it a {NAME}?")
    return content


class _TwiceError(ValueError):
    """A key that an object has twice, of which readers would silently take the last."""


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _TwiceError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


def _added_rows(content: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(content.get("added_tokens") or [], key=lambda row: row["id"])


def _parsed(content: dict[str, Any], model: dict[str, Any]) -> TokenizerFile:
    merges = [
        tuple(merge.split(" ", 1)) if isinstance(merge, str) else tuple(merge)
        for merge in model.get("merges") or []
    ]
    added = {row["content"]: row["id"] for row in _added_rows(content)}
    kind: Literal["byte_level", "byte_fallback"] = "byte_level"
    if model.get("byte_fallback"):
        kind = "byte_fallback"
    return TokenizerFile(content, model["vocab"], added, merges, kind)  # type: ignore[arg-type]


def _faults(found: TokenizerFile, model: dict[str, Any]) -> Iterator[str]:
    """What makes encoding or decoding wrong."""
    ids = found.vocabulary
    bad = [token for token, number in ids.items() if type(number) is not int or number < 0]
    if bad:
        yield f"{_some(bad)} without a whole number as id"
        return
    numbers = {number: token for token, number in ids.items()}
    if len(numbers) < len(ids):
        twice = [
            f"{token} = {numbers[number]} = {number}"
            for token, number in ids.items()
            if numbers[number] != token
        ]
        yield f"ids that two tokens have: {_some(twice)}"
    other = [token for token, number in found.added.items() if numbers.get(number, token) != token]
    if other:
        yield f"added tokens whose id is another token's: {_some(other)}"
    moved = [token for token, number in found.added.items() if ids.get(token, number) != number]
    if moved:
        yield f"added tokens that have another id in the model: {_some(moved)}"
    yield from _faulty_merges(found)
    letters = BYTE_TOKENS if found.kind == "byte_fallback" else tuple(byte_alphabet.BYTES)
    missing = [token for token in letters if token not in ids]
    if missing and model.get("unk_token") is None:
        yield f"{len(missing)} of the 256 bytes are no tokens, text with them would be lost: {_some(missing)}"


def _faulty_merges(found: TokenizerFile) -> Iterator[str]:
    odd = [str(merge) for merge in found.merges if len(merge) != 2]
    if odd:
        yield f"merges that are no pair: {_some(odd)}"
        return
    ids = found.vocabulary
    lost = [
        " ".join(pair)
        for pair in found.merges
        if not (pair[0] in ids and pair[1] in ids and "".join(pair) in ids)
    ]
    if lost:
        yield f"merges whose tokens are not in the vocabulary: {_some(lost)}"
    seen: set[tuple[str, str]] = set()
    again = [" ".join(pair) for pair in found.merges if pair in seen or seen.add(pair)]  # type: ignore[func-returns-value]
    if again:
        yield f"merges that stand there twice: {_some(again)}"


def _oddities(found: TokenizerFile) -> Iterator[str]:
    used = {*found.vocabulary.values(), *found.added.values()}
    holes = [str(number) for number in range(found.size) if number not in used]
    if holes:
        yield f"ids without a token: {_some(holes)}"


def _some(names: Sequence[str]) -> str:
    """The first few of many.

    >>> _some(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - _EXAMPLES:,} more" if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more
