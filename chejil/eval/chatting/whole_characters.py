"""Tokens to text as they come, whole characters each: the three bytes of a Hangul syllable may be three tokens.

Byte-level BPE: each token is bytes, and Python's incremental UTF-8 decoder holds back an unfinished character: exact,
and a few microseconds a token whatever the length. Other tokenizers (SentencePiece) put spaces and bytes together only
in their decoder, so the last tokens are decoded again with each new one, as vLLM and TGI do, and what ends in U+FFFD
waits. A character that the answer leaves unfinished is dropped; bytes that no character can begin with are one U+FFFD.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

_LONGEST_WAIT = 8
"""Tokens; a character has four bytes at most, so what is still broken then is no character."""


class WholeCharacters(Protocol):
    """The text of one answer."""

    def add(self, token: int) -> str:
        """The characters that this token completes, often one word, sometimes none."""


class ByteLevelCharacters:
    """Of byte-level BPE.

    Args:
        bytes_of: what each token stands for; tokens that are not in it (special ones) are no text.
    """

    def __init__(self, bytes_of: Mapping[int, bytes]) -> None:
        self._bytes_of = bytes_of
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: int) -> str:
        """See WholeCharacters."""
        return self._decoder.decode(self._bytes_of.get(token, b""))


class DecodedCharacters:
    """Of any tokenizer, by its own decoder.

    Args:
        decode: the text of tokens, without special ones.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._before = self._told = 0

    def add(self, token: int) -> str:
        """See WholeCharacters."""
        self._ids.append(token)
        # What was told is decoded with it: a decoder strips the space of whatever comes first.
        before = self._decode(self._ids[self._before : self._told])
        text = self._decode(self._ids[self._before :])
        waits = len(self._ids) - self._told < _LONGEST_WAIT
        if len(text) <= len(before) or (text.endswith("\ufffd") and waits):
            return ""
        self._before, self._told = self._told, len(self._ids)
        return text[len(before) :]
