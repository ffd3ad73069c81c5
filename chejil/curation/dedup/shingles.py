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
ever draws a shingle twice. 520 MB/s of Korean and 460 of English on one core, 5 µs a document of forty words.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numba import njit

from chejil.curation.dedup.hash_mixing import GOLDEN, MIX, OTHER, stir
from chejil.curation.dedup.word_hashes import hash_letters, hash_words, word_characters
from chejil.filters.buffers import TextBuffers

_NO_SHINGLE = np.uint64(0xFFFFFFFFFFFFFFFF)
_VALUE_BITS = 52  # a bin's value: 12 bits of round, so at most 2,048 lanes, and these of the hash
_VALUE = np.uint64((1 << _VALUE_BITS) - 1)
_FIRST = np.uint64(0)  # round

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


@njit(cache=True, nogil=True)
def _hash_contents(data, offsets, hashes):
    for doc in range(len(offsets) - 1):
        first, second, block, filled, total = OTHER, GOLDEN, np.uint64(0), 0, 0
        for i in range(offsets[doc], offsets[doc + 1]):
            byte = data[i]
            if byte <= 0x20:
                continue
            block = (block << np.uint64(8)) | np.uint64(byte)
            filled += 1
            total += 1
            if filled == 8:
                first = stir(first ^ block * GOLDEN)
                second = stir(second + block * MIX)
                block, filled = np.uint64(0), 0
        if total:
            first = stir(first ^ block * GOLDEN)
            second = stir(second + block * MIX)
            hashes[doc, 0] = stir(first ^ np.uint64(total))
            hashes[doc, 1] = stir(second + np.uint64(total))


@njit(cache=True, nogil=True)
def _sign(data, offsets, word_character, size, by_char, signature):
    words, hashes = np.empty(1024, np.uint64), np.empty(1024, np.uint64)
    for doc in range(len(offsets) - 1):
        i, end = offsets[doc], offsets[doc + 1]
        if end - i >= len(words):
            words, hashes = np.empty(2 * (end - i), np.uint64), np.empty(2 * (end - i), np.uint64)
        if by_char:
            num = hash_letters(data, i, end, word_character, words)
        else:
            num = hash_words(data, i, end, word_character, words)
        if num:
            num = _first_round(words[:num], size, hashes, signature[doc])
            _further_rounds(hashes[:num], signature[doc])


@njit(cache=True, nogil=True)
def _first_round(words, size, hashes, bins):
    """Fill `hashes` with those of the shingles, in order, and let each fall into its bin; returns how many.

    A shingle's hash is a polynomial of its words' hashes, which a step of one word changes by two products. They wait
    for one another, so the bins cost next to nothing here.
    """
    size, lanes = min(size, len(words)), np.uint64(len(bins))
    running, leaving = np.uint64(0), np.uint64(1)
    for place in range(size):
        running, leaving = running * OTHER + words[place], leaving * OTHER
    hashes[0] = stir(running + np.uint64(size))
    _fall(bins, lanes, hashes[0], _FIRST)
    for place in range(size, len(words)):
        running = running * OTHER + words[place] - words[place - size] * leaving
        shingle = stir(running + np.uint64(size))
        hashes[place - size + 1] = shingle
        _fall(bins, lanes, shingle, _FIRST)
    return len(words) - size + 1


@njit(cache=True, nogil=True)
def _further_rounds(hashes, bins):
    """Fill the bins that are empty: each shingle falls into one bin a round, and a bin keeps the smallest of the first
    round that reaches it; the last rounds fill one bin each with the smallest of all."""
    lanes = np.uint64(len(bins))
    for round_ in range(1, 2 * len(bins)):
        if not _has(bins, _NO_SHINGLE):
            return
        if round_ == 8:
            hashes = np.unique(hashes)  # few shingles, or one that is repeated a million times
        top, salt = np.uint64(round_) << np.uint64(_VALUE_BITS), np.uint64(round_) * GOLDEN
        if round_ < len(bins):
            for shingle in hashes:
                _fall(bins, lanes, stir(shingle + salt), top)
        else:
            for shingle in hashes:
                value = top | stir(shingle + salt) & _VALUE
                bins[round_ - len(bins)] = min(bins[round_ - len(bins)], value)


@njit(cache=True, nogil=True, inline="always")
def _fall(bins, lanes, value, top):
    """Without a branch, since none could be foretold: what an earlier round has filled is smaller anyway."""
    bin_ = (value >> np.uint64(32)) * lanes >> np.uint64(32)
    bins[bin_] = min(bins[bin_], top | value & _VALUE)


@njit(cache=True, nogil=True)
def _has(values, wanted):
    found = False
    for value in values:
        found |= value == wanted
    return found
