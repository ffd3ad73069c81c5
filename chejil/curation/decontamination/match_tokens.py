"""Tokens that two copies of a text share, whatever its spacing, case and punctuation: what decontamination compares.

A Hangul syllable (a Hanja, a kana, a jamo) is a token of its own, so Korean is compared without its spacing, which
differs from copy to copy. What other scripts write between spaces and punctuation is one token a word, since English
spacing does not vary and a word says more than its letters. Case is folded, compatibility forms (ｆｕｌｌ width, ①)
are what they stand for, everything that is neither letter, digit nor mark is left out; an apostrophe does not part a
word, so don't, don’t and dont are one. NFD text must be NFC by then.

A token's **weight** is what it says: 1 for a syllable and for an English function word, 2 for any other word. So 13
English words (the unit of GPT-3's decontamination, Brown et al. 2020, appendix C) weigh about 20, as much as six to
seven Korean eojeol.
"""

from __future__ import annotations

import sys
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import yaml
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.unicode_classes import (
    CLASS_BITS,
    CONJOINING,
    HALF_KANA,
    HANGUL,
    HANJA,
    JAMO,
    KANA,
    class_table,
    next_char,
)

WORD = np.uint32(1 << 31)
"""Bit of a token that is the hash of a word; any other token is a code point."""

WORD_WEIGHT = 2
"""Of a word that says something."""

_ALONE = np.uint32(1 << 31)  # in the table: a token of its own
_CODE = np.uint32((1 << 31) - 1)
_SILENT = np.uint32(1)  # in the table: left out without ending a word
_APOSTROPHES = "'\u2019\u02bc"
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a over code points
_SYLLABIC = (HANGUL, CONJOINING, JAMO, HANJA, KANA, HALF_KANA)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a batch (num_tokens) uint32; text `i` has those from `starts[i]` to `starts[i + 1]`."""

    tokens: np.ndarray
    starts: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Weight of each token, (num_tokens) int8."""
        says = (self.tokens & WORD != 0) & ~np.isin(self.tokens, _function_words())
        return np.where(says, WORD_WEIGHT, 1).astype(np.int8)


def tokens_of(texts: TextBuffers) -> Tokens:
    """The tokens of each text.

    >>> one, two = "The Cat, 고양이가", "the cat! 고양 이가"
    >>> found = tokens_of(TextBuffers.of([one, two]))
    >>> found.starts.tolist(), bool((found.tokens[:6] == found.tokens[6:]).all())
    ([0, 6, 12], True)
    """
    room = int(texts.offsets[-1] - texts.offsets[0]) // 2 + len(texts) + 1
    tokens, begins, ends = np.empty(room, np.uint32), np.empty(room, np.int32), np.empty(room, np.int32)
    starts = np.zeros(len(texts) + 1, np.int64)
    _tokenise_all(texts.data, texts.offsets, match_characters(), tokens, begins, ends, starts)
    return Tokens(tokens[: starts[-1]].copy(), starts)


@cache
def _function_words() -> np.ndarray:
    table = yaml.safe_load(
        (resources.files("chejil.curation.decontamination") / "function_words.yaml").read_text("utf-8")
    )
    return tokens_of(TextBuffers.of([table["words"]])).tokens


def plain_tokens(text: str) -> list[str]:
    """The same in plain Python, words and syllables as strings: what the kernel is tested against."""
    table, found, word = match_characters(), [], ""
    for char in [*text, " "]:
        entry = int(table[ord(char)])
        if entry == _SILENT:
            continue
        if entry & int(_ALONE) or not entry:
            found += [word] if word else []
            word = ""
            found += [chr(entry & int(_CODE))] if entry else []
        else:
            word += chr(entry)
    return found


@cache
def match_characters() -> np.ndarray:
    """Code point -> what it is compared as, (0x110000) uint32.

    Bit 31 is set if it is a token of its own; 0 ends a word and is left out, 1 is left out and ends nothing.
    """
    table = np.zeros(sys.maxunicode + 1, np.uint32)
    classes = class_table() & CLASS_BITS
    for start, end in ((0, 0xAC00), (0xD7A4, 0xD800), (0xF900, 0x20000)):
        for code in range(start, end):
            if unicodedata.category(chr(code))[0] in "LNM":
                table[code] = _compared(chr(code))
    table[0xAC00:0xD7A4] = np.arange(0xAC00, 0xD7A4)
    table[0x20000:0x323B0] = np.arange(0x20000, 0x323B0)
    alone = np.isin(classes, _SYLLABIC) & (table != 0)
    table[alone] |= _ALONE
    table[[ord(char) for char in _APOSTROPHES]] = _SILENT
    table.flags.writeable = False
    return table


def _compared(char: str) -> int:
    """Its compatibility form, case-folded, where that is one character; else its lower case."""
    folded = unicodedata.normalize("NFKC", char).casefold()
    if len(folded) == 1 and unicodedata.category(folded)[0] in "LNM":
        return ord(folded)
    return ord(char.lower()[0])


@njit(cache=True, nogil=True)
def tokenise(data, start, end, table, tokens, begins, ends, first):
    """Tokens of the bytes `start` to `end`, written from index `first` on; returns the index behind the last.

    `begins` and `ends` are bytes from `start`. The bytes must be valid UTF-8; every second byte may begin a token.
    """
    num, i, word, begin, behind = first, start, _BASIS, np.int64(-1), start
    while i < end:
        code, after = next_char(data, i)
        entry = table[code]
        if entry != 0 and entry & _ALONE == 0:
            if entry != _SILENT:
                if begin < 0:
                    begin, word = i, _BASIS
                word, behind = (word ^ np.uint64(entry)) * _PRIME, after
            i = after
            continue
        if begin >= 0:
            num = _end_word(tokens, begins, ends, num, word, begin - start, behind - start)
            begin = np.int64(-1)
        if entry != 0:
            tokens[num], begins[num], ends[num] = entry & _CODE, i - start, after - start
            num += 1
        i = after
    if begin >= 0:
        num = _end_word(tokens, begins, ends, num, word, begin - start, behind - start)
    return num


@njit(cache=True, nogil=True, inline="always")
def _end_word(tokens, begins, ends, num, word, begin, end):
    tokens[num] = np.uint32(word ^ word >> np.uint64(32)) | WORD
    begins[num], ends[num] = begin, end
    return num + 1


@njit(cache=True, nogil=True)
def _tokenise_all(data, offsets, table, tokens, begins, ends, starts):
    for doc in range(len(offsets) - 1):
        starts[doc + 1] = tokenise(
            data, offsets[doc], offsets[doc + 1], table, tokens, begins, ends, starts[doc]
        )
