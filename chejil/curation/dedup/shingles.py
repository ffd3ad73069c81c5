"""Content hashes and MinHash signatures, from bytes to integers in one pass.

A **shingle** is `size` consecutive eojeol (white-space separated words) or characters, case-folded, with everything
that is neither letter nor digit left out: the text that two copies share when only case and punctuation differ. Text
is NFC by then, so that NFD copies are the same words (a peer that hashes raw text keeps both). A text with fewer
words than a shingle is one shingle, so that two short texts meet only if all their words are the same; a text without
words has none, and meets nothing. Shingles of characters cross spaces, and so find copies that are spaced otherwise.

The signature is MinHash's: the share of equal lanes of two documents estimates the Jaccard similarity of their
shingle sets. Each shingle is not hashed once for every lane but falls into one lane, and lanes that stay empty are
filled in further rounds (Dahlgaard, Knudsen and Thorup 2017, "Fast similarity sketching"): of long texts each shingle
costs one step and not 128, and of short ones the estimate is nearer than that of independent hashes, since it hardly
ever draws a shingle twice. 370 MB/s of Korean and 270 of English on one core, 5 µs a
document of forty words.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import Literal

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.unicode_classes import next_char

_MIX_1 = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd
_MIX_2 = np.uint64(0xC2B2AE3D27D4EB4F)  # a prime of xxHash64
_MIX_3 = np.uint64(0x165667B19E3779F9)  # another
_NO_SHINGLE = np.uint64(0xFFFFFFFFFFFFFFFF)
WHITE_SPACE = np.uint64(1)  # no letter has this code
_VALUE_BITS = 52  # a bin's value: 12 bits of round, so at most 2,048 lanes, and these of the hash
_VALUE = np.uint64((1 << _VALUE_BITS) - 1)

Unit = Literal["eojeol", "char"]


def content_hashes(texts: TextBuffers) -> np.ndarray:
    """128-bit hash of each text without its white space, (num_docs, 2) uint64; (0, 0) if nothing is left.

    >>> a, b, c = content_hashes(TextBuffers.of(["가 나", "가나\\n", " "])).tolist()
    >>> a == b, c
    (True, [0, 0])
    """
    hashes = np.zeros((len(texts), 2), np.uint64)
    _hash_contents(texts.data, texts.offsets, hashes)
    return hashes


def signatures(texts: TextBuffers, size: int, lanes: int, unit: Unit = "eojeol") -> np.ndarray:
    """MinHash signatures, (num_docs, lanes) uint64; all ones for a text without words."""
    signature = np.full((len(texts), lanes), _NO_SHINGLE)
    _sign(texts.data, texts.offsets, word_characters(), size, unit == "char", signature)
    return signature


def shingle_set(text: str, size: int, unit: Unit = "eojeol") -> set[tuple[str, ...]]:
    """The shingles themselves, in plain Python: what `signatures` estimates the similarity of.

    >>> sorted(shingle_set("The cat, the Cat.", 2))
    [('cat', 'the'), ('the', 'cat')]
    >>> shingle_set("가 나다", 2, "char") == {("가", "나"), ("나", "다")}
    True
    """
    table = word_characters()
    letters = ("".join(chr(table[ord(c)]) for c in word if table[ord(c)]) for word in text.split())
    kept = [word for word in letters if word]
    if unit == "char":
        kept = list("".join(kept))
    if len(kept) < size:
        return {tuple(kept)} if kept else set()
    return set(zip(*(kept[i:] for i in range(size)), strict=False))


@cache
def word_characters() -> np.ndarray:
    """Code point -> its case-folded code point if it belongs into a word, WHITE_SPACE if it is white space, else 0;
    (0x110000) uint32.

    Letters, digits and combining marks belong into words. A character that folds to several (ß, ŉ) keeps its
    lower case, which is one.
    """
    table = np.zeros(sys.maxunicode + 1, np.uint32)
    for start, end in ((0, 0xD800), (0xE000, 0x20000)):
        for code in range(start, end):
            letter = chr(code)
            if unicodedata.category(letter)[0] in "LNM":
                folded = letter.casefold()
                table[code] = ord(folded) if len(folded) == 1 else ord(letter.lower()[0])
            elif letter.isspace():
                table[code] = WHITE_SPACE
    table[0x20000:0x323B0] = np.arange(0x20000, 0x323B0)  # Han extensions B to H: no case
    return table


@njit(cache=True, nogil=True)
def _hash_contents(data, offsets, hashes):
    for doc in range(len(offsets) - 1):
        first, second, block, filled, total = _MIX_3, _MIX_1, np.uint64(0), 0, 0
        for i in range(offsets[doc], offsets[doc + 1]):
            byte = data[i]
            if byte <= 0x20:
                continue
            block = (block << np.uint64(8)) | np.uint64(byte)
            filled += 1
            total += 1
            if filled == 8:
                first = _stir(first ^ block * _MIX_1)
                second = _stir(second + block * _MIX_2)
                block, filled = np.uint64(0), 0
        if total:
            first = _stir(first ^ block * _MIX_1)
            second = _stir(second + block * _MIX_2)
            hashes[doc, 0] = _stir(first ^ np.uint64(total))
            hashes[doc, 1] = _stir(second + np.uint64(total))


@njit(cache=True, nogil=True, inline="always")
def _stir(value):
    value = (value ^ (value >> np.uint64(32))) * _MIX_2
    return value ^ (value >> np.uint64(29))


@njit(cache=True, nogil=True)
def _sign(data, offsets, word_character, size, by_char, signature):
    hashes = np.empty(1024, np.uint64)
    ring = np.zeros(size, np.uint64)
    for doc in range(len(offsets) - 1):
        i, end = offsets[doc], offsets[doc + 1]
        if end - i >= len(hashes):
            hashes = np.empty(2 * (end - i), np.uint64)
        num = _shingles(data, i, end, word_character, ring, by_char, hashes)
        if num:
            _sketch(hashes[:num], signature[doc])


@njit(cache=True, nogil=True)
def _shingles(data, i, end, word_character, ring, by_char, hashes):
    """Fill `hashes` with those of the shingles, in order; returns how many.

    A shingle's hash is a polynomial of its words' hashes, which a step of one word changes by two products.
    """
    size, leaving = len(ring), np.uint64(1)
    for _ in range(size):
        leaving *= _MIX_3
    ring[:] = 0
    count, num, slot = 0, 0, 0
    word, running = np.uint64(0), np.uint64(0)
    while i <= end:
        code, i = next_char(data, i) if i < end else (np.int64(0x20), i + 1)
        letter = np.uint64(word_character[code])
        if letter != WHITE_SPACE and letter:
            word = (word ^ letter) * _MIX_2
            if not by_char:
                continue
        elif word == 0 or letter == 0:
            continue
        entering = _stir(word)
        running = running * _MIX_3 + entering - ring[slot] * leaving
        ring[slot] = entering
        slot = slot + 1 if slot + 1 < size else 0
        word, count = np.uint64(0), count + 1
        if count >= size:
            hashes[num] = _stir(running + np.uint64(size))
            num += 1
    if 0 < count < size:
        hashes[num] = _stir(running + np.uint64(count))
        num += 1
    return num


@njit(cache=True, nogil=True)
def _sketch(hashes, bins):
    """Fill `bins` from shingles: in round r each falls into one bin, and a bin keeps the smallest of the first round
    that reaches it; the last rounds fill one bin each with the smallest of all."""
    lanes, empty = np.uint64(len(bins)), len(bins)
    for round_ in range(2 * len(bins)):
        if round_ == 8:
            hashes = np.unique(hashes)  # few shingles, or one that is repeated a million times
        for shingle in hashes:
            value = _stir(shingle + np.uint64(round_) * _MIX_1) if round_ else shingle
            bin_ = np.int64((value >> np.uint64(32)) * lanes >> np.uint64(32))
            if round_ >= len(bins):
                bin_ = round_ - len(bins)
            value = np.uint64(round_) << np.uint64(_VALUE_BITS) | value & _VALUE
            if value < bins[bin_]:
                empty -= bins[bin_] == _NO_SHINGLE
                bins[bin_] = value
        if empty == 0:
            return
