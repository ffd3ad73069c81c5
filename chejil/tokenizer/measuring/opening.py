"""Tokenizers of any make behind one face: texts to ids, ids to bytes, and where each token ends in its text.

`tokenizer.json` (ours, Hugging Face's) goes through Encoder, which is tokenizers' own ids; `tiktoken:NAME` and
SentencePiece's `.model` through their libraries. Where the bytes of the tokens in a row are the text, as in all
byte-level tokenizers, ends follow from their lengths in one pass of a kernel; only a tokenizer that changes the text
is asked for its own offsets, document by document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from chejil.errors import ChejilError, did_you_mean
from chejil.tokenizer.encoding.encoder import Encoder, Tokens
from chejil.tokenizer.files import byte_alphabet, byte_level
from chejil.tokenizer.files.byte_level import TokenizerFile
from chejil.tokenizer.measuring import sizes

TIKTOKEN = "tiktoken:"
_FALLBACK = {f"<0x{byte:02X}>": bytes([byte]) for byte in range(256)}
_BLANK = "\u2581"
"""What stands for a space in SentencePiece's tokens."""

MEND = "a folder with tokenizer.json, a tokenizer.json, a SentencePiece .model, or tiktoken:NAME"


class Model(Protocol):
    """What each make brings."""

    def encode(self, texts: list[str]) -> Tokens:
        """Ids of each text, without special tokens."""

    def ends(self, text: str) -> np.ndarray:
        """Characters of the text up to the end of each token, by the library; asked where bytes do not add up."""


@dataclass(frozen=True)
class Opened:
    """A tokenizer.

    Args:
        name: what it is called in tables, different for each.
        token_bytes: bytes of each id; None of special tokens and of ids that stand for nothing.
        num_absent: ids that stand for nothing, as in a vocabulary that was cut.
    """

    name: str
    kind: str
    model: Model = field(repr=False)
    token_bytes: Sequence[bytes | None] = field(repr=False)
    pattern: str | None = None
    num_absent: int = 0

    @property
    def num_tokens(self) -> int:
        """Ids that stand for a text: what may be used of the vocabulary."""
        return sum(one is not None for one in self.token_bytes)

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """Bytes of all ids in a row, uint8, and where each begins, (num_ids + 1) int64; nothing of special ones."""
        parts = [one or b"" for one in self.token_bytes]
        starts = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(one) for one in parts], out=starts[1:])
        return np.frombuffer(b"".join(parts) + b"\0", np.uint8), starts


def named(specs: Sequence[str]) -> list[tuple[str, str]]:
    """(spec, name) of each: the last part of a path, with what stands before it where two would be called alike.

    >>> named(["a/t/tokenizer.json", "b/t", "tiktoken:gpt2"])
    [('a/t/tokenizer.json', 'a/t'), ('b/t', 'b/t'), ('tiktoken:gpt2', 'gpt2')]
    """
    paths = [_path_parts(spec) for spec in dict.fromkeys(specs)]
    for depth in range(1, 1 + max(map(len, paths), default=1)):
        names = ["/".join(parts[-depth:]) for parts in paths]
        if len(set(names)) == len(names):
            break
    if len(set(names)) < len(names):
        names = list(dict.fromkeys(specs))
    return list(zip(dict.fromkeys(specs), names, strict=True))


def _path_parts(spec: str) -> list[str]:
    parts = [part for part in spec.removeprefix(TIKTOKEN).split("/") if part not in ("", ".")]
    return parts[:-1] if len(parts) > 1 and parts[-1] == "tokenizer.json" else parts or [spec]


def open_tokenizer(spec: str, name: str | None = None) -> Opened:
    """A tokenizer by path or name; `PATH@32k` is its first 32,000 tokens (sizes.py).

    Raises:
        ChejilError: there is none, it is corrupt, or its library is not installed.
    """
    name = name or named([spec])[0][1]
    path, size = sizes.parsed(spec)
    if size is not None:
        return of_file(sizes.shrunk(byte_level.read(path), size), name)
    if spec.startswith(TIKTOKEN):
        return _of_tiktoken(spec.removeprefix(TIKTOKEN), name)
    if spec.endswith(".model"):
        return _of_sentencepiece(spec, name)
    return of_file(byte_level.read(spec), name)


def of_file(file: TokenizerFile, name: str) -> Opened:
    """A tokenizer.json that was read."""
    model = _HuggingFace(file)
    kind = (
        "tokenizer.json"
        if model.encoder.slow is None
        else f"tokenizer.json, by tokenizers ({model.encoder.slow})"
    )
    try:
        pattern = byte_level.pattern_of(file.content)
    except byte_level.NotKnown:
        pattern = None
    found, num_absent = _json_tokens(file)
    return Opened(name, kind, model, found, pattern, num_absent)


class _HuggingFace:
    def __init__(self, file: TokenizerFile) -> None:
        self.encoder = Encoder(file)
        self._file = file
        self._library: Any = None

    def encode(self, texts: list[str]) -> Tokens:
        return self.encoder.encode(pa.array(texts, pa.large_string()))

    def ends(self, text: str) -> np.ndarray:
        if self._library is None:
            from tokenizers import Tokenizer

            self._library = Tokenizer.from_str(self._file.text.decode())
            self._library.encode_special_tokens = True
        found = self._library.encode(text, add_special_tokens=False)
        return np.array([end for _, end in found.offsets], np.int64)


def _json_tokens(file: TokenizerFile) -> tuple[list[bytes | None], int]:
    """Bytes of each id, by the byte alphabet or as SentencePiece spells them; and how many ids stand for nothing."""
    content: Mapping[str, Any] = file.content
    vocab = content["model"].get("vocab")
    if isinstance(vocab, list):  # Unigram: pairs of token and score
        vocab = {one[0]: number for number, one in enumerate(vocab)}
    if not isinstance(vocab, dict):
        raise ChejilError("JSON, but no vocabulary", where=file.path, mend=MEND)
    is_bytes = "ByteLevel" in str(content.get("decoder")) or "ByteLevel" in str(content.get("pre_tokenizer"))
    added = {one["id"]: one for one in content.get("added_tokens") or ()}
    found: list[bytes | None] = [None] * (1 + max([*vocab.values(), *added], default=-1))
    for token, number in vocab.items():
        found[number] = byte_alphabet.read(token) if is_bytes else _FALLBACK.get(token, _unblanked(token))
    for number, one in added.items():
        found[number] = None if one["special"] else one["content"].encode()
    return found, len(found) - len({*vocab.values(), *added})


def _unblanked(token: str) -> bytes:
    return token.replace(_BLANK, " ").encode()


def _of_tiktoken(name: str, shown: str) -> Opened:
    try:
        import tiktoken
    except ImportError:
        raise ChejilError("tiktoken:… needs tiktoken", mend="pip install tiktoken") from None
    try:
        encoding = tiktoken.get_encoding(name)
    except ValueError:
        mend = did_you_mean(name, tiktoken.list_encoding_names())
        raise ChejilError(f"tiktoken has no '{name}'", mend=mend) from None
    except (
        Exception
    ) as error:  # whatever its client for the web raises: no file in the cache, and no way to fetch it
        mend = "set TIKTOKEN_CACHE_DIR to a folder that has the file, or run it once where the web can be reached"
        raise ChejilError(f"the file of '{name}' cannot be had: {type(error).__name__}", mend=mend) from None
    special = set(encoding.special_tokens_set)
    found: list[bytes | None] = [None] * encoding.n_vocab
    for token in encoding.token_byte_values():
        found[encoding.encode_single_token(token)] = (
            None if token.decode("utf-8", "replace") in special else token
        )
    return Opened(shown, "tiktoken", _Tiktoken(encoding), found, encoding._pat_str)


class _Tiktoken:
    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding

    def encode(self, texts: list[str]) -> Tokens:
        return _joined([self._encoding.encode_ordinary(text) for text in texts])

    def ends(self, text: str) -> np.ndarray:
        raise AssertionError("byte-level: its bytes are the text")


def _of_sentencepiece(path: str, name: str) -> Opened:
    if not Path(path).is_file():
        raise ChejilError("no such tokenizer", where=path, mend=MEND)
    try:
        import sentencepiece
    except ImportError:
        raise ChejilError(
            "a .model needs sentencepiece", where=path, mend="pip install sentencepiece"
        ) from None
    try:
        processor = sentencepiece.SentencePieceProcessor(model_file=path)
    except (RuntimeError, OSError) as error:
        said = str(error).splitlines()[0][:200]
        raise ChejilError(f"not a SentencePiece model: {said}", where=path, mend=MEND) from None
    found: list[bytes | None] = []
    for number in range(processor.get_piece_size()):
        piece = processor.id_to_piece(number)
        silent = processor.is_control(number) or processor.is_unknown(number) or processor.is_unused(number)
        found.append(None if silent else _FALLBACK.get(piece, _unblanked(piece)))
    return Opened(name, "SentencePiece", _SentencePiece(processor), found)


class _SentencePiece:
    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def encode(self, texts: list[str]) -> Tokens:
        return _joined(self._processor.encode(texts, num_threads=1))

    def ends(self, text: str) -> np.ndarray:
        proto = self._processor.encode(text, return_type="proto")
        return np.array([piece.end for piece in proto.pieces], np.int64)


def _joined(ids: Sequence[Sequence[int]]) -> Tokens:
    offsets = np.zeros(len(ids) + 1, np.int64)
    np.cumsum([len(one) for one in ids], out=offsets[1:])
    return Tokens(
        np.concatenate([np.zeros(0, np.int32), *(np.asarray(one, np.int32) for one in ids)]), offsets
    )
