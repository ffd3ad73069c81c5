"""Texts to tokens: the ids of Hugging Face `tokenizers`, at many times its speed on one core (docs/log.md).

    encoder = Encoder("tokenizer.json")
    tokens = encoder.encode(["가나다 abc", ""])  # or an Arrow array of strings
    tokens.ids, tokens.offsets                  # document i is ids[offsets[i]:offsets[i + 1]]

The text of a document is never read as a special token: `<|endoftext|>` in a web page is thirteen characters, else
anybody could end a document in the middle. `tokenizers` does so with `encode_special_tokens = True`, and with that
its `encode_batch_fast(texts, add_special_tokens=False)` is what ids are compared with.

Byte-level BPE with a pattern of patterns.yaml runs in Numba kernels (encoding_kernel.py). Any other tokenizer
(normaliser, dropout, `ignore_merges`, another pattern) is left to `tokenizers` behind the same interface; `slow` says
why.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from chejil.errors import ChejilError
from chejil.filters.buffers import TextBuffers
from chejil.tokenizer.encoding import word_cache
from chejil.tokenizer.encoding.encoding_kernel import PADDING, encode
from chejil.tokenizer.files import byte_level
from chejil.tokenizer.files.byte_level import NotKnown, TokenizerFile
from chejil.tokenizer.pretokens import patterns, unicode_classes


class Tokens(NamedTuple):
    """Tokens of some documents.

    Args:
        ids: (num_tokens) int32.
        offsets: (num_docs + 1) int64; document `i` is `ids[offsets[i]:offsets[i + 1]]`.
    """

    ids: np.ndarray
    offsets: np.ndarray


class Encoder:
    """Encodes texts by a tokenizer.json. It remembers words, so each thread needs its own.

    Args:
        tokenizer: a file, a folder with tokenizer.json, or one that was read.

    Raises:
        ChejilError: no tokenizer, or one that `tokenizers` cannot read either.
    """

    def __init__(self, tokenizer: str | TokenizerFile) -> None:
        self.file = byte_level.read(tokenizer) if isinstance(tokenizer, str) else tokenizer
        self.slow: str | None = None
        try:
            self._code, self._classes = pattern(byte_level.pattern_of(self.file.content))
            self._merges = byte_level.merges_of(self.file.content)
            self._cache = word_cache.empty()
        except NotKnown as reason:
            self.slow = str(reason)
            self._tokenizer = _of_tokenizers(self.file)

    def encode(self, texts: pa.Array | pa.ChunkedArray | list[str], last: int | None = None) -> Tokens:
        """Tokens of each text, without special tokens but one behind each, if it is given; a null is an empty text.

        Args:
            last: the id of that token, which ends a document.
        """
        end = -1 if last is None else last
        texts = _strings(texts)
        if self.slow is not None:
            return self._encode_slowly(texts, end)
        buffers = TextBuffers.of(texts)
        offsets = np.empty(len(buffers.offsets), np.int64)
        # What is not written to takes no memory: pages come when they are touched.
        ids = np.empty(int(buffers.offsets[-1] - buffers.offsets[0]) + len(buffers) + PADDING, np.int32)
        pattern = (self._code, self._classes)
        encode(buffers.data, buffers.offsets, *pattern, self._merges, self._cache, end, ids, offsets)
        return Tokens(ids[: offsets[-1]].copy(), offsets)

    def _encode_slowly(self, texts: pa.Array | pa.ChunkedArray | list[str], end: int) -> Tokens:
        strings = texts if isinstance(texts, list) else texts.to_pylist()
        found = self._tokenizer.encode_batch_fast([text or "" for text in strings], add_special_tokens=False)
        behind = [end] if end >= 0 else []
        ids = [np.array(one.ids + behind, np.int32) for one in found]
        offsets = np.zeros(len(ids) + 1, np.int64)
        np.cumsum([len(one) for one in ids], out=offsets[1:])
        return Tokens(np.concatenate([np.zeros(0, np.int32), *ids]), offsets)


def _strings(texts: pa.Array | pa.ChunkedArray | list[str]) -> pa.Array | pa.ChunkedArray:
    if isinstance(texts, str | bytes):
        raise ChejilError("one text where a list of texts is needed", mend="encode([text])")
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return texts
    try:
        return pa.array(texts, pa.large_string())
    except UnicodeEncodeError as error:
        mend = "take out lone surrogates: text.encode('utf-8', 'replace').decode()"
        raise ChejilError(f"a text that is no Unicode: {error.reason}", mend=mend) from None
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError) as error:
        raise ChejilError(f"what is no text: {error}", mend="give a list of str, or an Arrow array") from None


def pattern(regex: str) -> tuple[int, np.ndarray]:
    """Code and classes of a pattern, for splitting.next_end.

    Raises:
        NotKnown: no pattern of patterns.yaml has this regular expression.
    """
    found = patterns.by_regex(regex)
    if found.code is None:
        raise NotKnown("its pattern has no compiled matcher")
    return found.code, unicode_classes.classes()


def _of_tokenizers(file: TokenizerFile) -> Any:
    from tokenizers import Tokenizer

    try:
        made = Tokenizer.from_str(file.text.decode())
    except Exception as error:  # the only class that `tokenizers` raises
        mend = "train it again, or fetch it again"
        raise ChejilError(f"`tokenizers` cannot read it: {error}", where=file.path, mend=mend) from None
    made.encode_special_tokens = True
    made.no_truncation()
    made.no_padding()
    return made
