"""Content hashes and MinHash signatures, from bytes to integers in one pass.

A **shingle** is `words` consecutive eojeol (white-space separated words), case-folded, with everything that is
neither letter nor digit left out: the text that two copies share when only case and punctuation differ. Text is
NFC by then, so that NFD copies are the same words (a peer that hashes raw text keeps both). A text with fewer words
than a shingle is one shingle, so that two short texts meet only if all their words are the same; a text without
words has none, and meets nothing.

MinHash (Broder 1997): lane `k` keeps the smallest `(shingle ^ a_k) * b_k` over the set; the share of equal lanes
of two documents estimates the Jaccard similarity of their shingle sets with a standard error of
sqrt(J (1 - J) / lanes), 0.037 at J = 0.8 with 120 lanes.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.unicode_classes import next_char

_MIX_1 = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd
_MIX_2 = np.uint64(0xC2B2AE3D27D4EB4F)  # a prime of xxHash64
_MIX_3 = np.uint64(0x165667B19E3779F9)  # another
_NO_SHINGLE = np.uint64(0xFFFFFFFFFFFFFFFF)


def content_hashes(texts: TextBuffers) -> np.ndarray:
    """128-bit hash of each text without its white space, (num_docs, 2) uint64; (0, 0) if nothing is left.

    >>> a, b, c = content_hashes(TextBuffers.of(["가 나", "가나\\n", " "])).tolist()
    >>> a == b, c
    (True, [0, 0])
    """
    hashes = np.zeros((len(texts), 2), np.uint64)
    _hash_contents(texts.data, texts.offsets, hashes)
    return hashes


def signatures(texts: TextBuffers, words: int, lanes: int) -> np.ndarray:
    """MinHash signatures, (num_docs, lanes) uint64; all ones for a text without words."""
    generator = np.random.default_rng(0x5EED)  # part of the format: another seed is another signature
    flips = generator.integers(0, 1 << 64, lanes, np.uint64)
    multipliers = generator.integers(0, 1 << 64, lanes, np.uint64) | np.uint64(1)
    signature = np.full((len(texts), lanes), _NO_SHINGLE)
    ring = np.zeros(words, np.uint64)
    _sign(texts.data, texts.offsets, word_characters(), ring, flips, multipliers, signature)
    return signature


def shingle_set(text: str, words: int) -> set[tuple[str, ...]]:
    """The shingles themselves, in plain Python: what `signatures` estimates the similarity of.

    >>> sorted(shingle_set("The cat, the Cat.", 2))
    [('cat', 'the'), ('the', 'cat')]
    """
    table = word_characters()
    letters = ("".join(chr(table[ord(c)]) for c in word if table[ord(c)]) for word in text.split())
    kept = [word for word in letters if word]
    if len(kept) < words:
        return {tuple(kept)} if kept else set()
    return set(zip(*(kept[i:] for i in range(words)), strict=False))


def band_keys(signature: np.ndarray, bands: int) -> np.ndarray:
    """Hash of each band of rows: (num_docs, lanes) -> (num_docs, bands) uint64."""
    num_docs, lanes = signature.shape
    rows = signature.reshape(num_docs, bands, lanes // bands)
    keys = np.zeros((num_docs, bands), np.uint64)
    for row in range(rows.shape[2]):
        keys = (keys ^ rows[:, :, row]) * _MIX_1
        keys ^= keys >> np.uint64(29)
    return keys


@cache
def word_characters() -> np.ndarray:
    """Code point -> its case-folded code point if it belongs into a word, else 0; (0x110000) uint32.

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
def _sign(data, offsets, word_character, ring, flips, multipliers, signature):
    size = len(ring)
    for doc in range(len(offsets) - 1):
        i, end, count, word = offsets[doc], offsets[doc + 1], 0, np.uint64(0)
        while i <= end:
            code, i = next_char(data, i) if i < end else (np.int64(0x20), i + 1)
            letter = word_character[code]
            if letter:
                word = _stir((word ^ np.uint64(letter)) + _MIX_1)
            elif word and code <= 0x20:
                ring[count % size] = word
                count += 1
                word = np.uint64(0)
                if count >= size:
                    _lower(_shingle(ring, count, size), flips, multipliers, signature[doc])
        if 0 < count < size:
            _lower(_shingle(ring, count, count), flips, multipliers, signature[doc])


@njit(cache=True, nogil=True, inline="always")
def _shingle(ring, count, size):
    """Order-dependent hash of the last `size` words."""
    value = np.uint64(size)
    for k in range(count - size, count):
        value = _stir(value * _MIX_3 + ring[k % len(ring)])
    return value


@njit(cache=True, nogil=True, inline="always")
def _lower(shingle, flips, multipliers, lanes):
    for k in range(len(lanes)):
        value = (shingle ^ flips[k]) * multipliers[k]
        lanes[k] = min(lanes[k], value)
