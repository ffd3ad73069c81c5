"""Words that were encoded before, with their tokens: most words of running text are found here.

A set-associative table, as a processor's cache: an entry is one line of 64 bytes (the word's own bytes, its length,
its tokens), a hash names a set of two entries. A new word takes the second place of its set, and the first when it is
met again, so that words that occur once do not drive out the frequent ones. Nothing grows, and a hit costs one cache
line and no comparison of strings: 24 bytes of a word are three integers. Longer words, or words of more than eight
tokens, are merged anew each time.

Of the words of 8 MB of Korean web text 76 % are found here, and 22 % occur once; of English 97 %.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.byte_lanes import eight_bytes

KEY_BYTES = 24
"""Longest word that is kept: eight syllables of Hangul. 97 % of Korean and 99.9 % of English words are no longer."""
MAX_TOKENS = 8
ENTRY_WORDS = 8
"""uint64 an entry: three of the word's bytes, one of its length and number of tokens, four of tokens (int32)."""
SETS = 1 << 16
"""Sets of two entries, 8 MiB."""

_LENGTH = _LOW = np.uint64(0xFFFFFFFF)
_MIX_0, _MIX_1, _MIX_2 = (
    np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9),
)  # fmt: skip
"""Primes of xxHash64 (Collet 2012), odd and with bits in every place."""


def empty(sets: int = SETS) -> np.ndarray:
    """A cache without words, (sets * 2 * ENTRY_WORDS) uint64."""
    size, line = sets * 2 * ENTRY_WORDS, 8
    whole = np.zeros(size + line, np.uint64)
    begin = -whole.ctypes.data // 8 % line  # an entry that lies across two lines of the processor costs two
    return whole[begin : begin + size]


@njit(cache=True, nogil=True, inline="always")
def lane(data, at, end):
    """Up to eight bytes from `at` as one integer, zeros behind `end`; bytes behind `end` are read if they are there."""
    if end <= at:
        return np.uint64(0)
    if at + 8 <= len(data):
        found = eight_bytes(data, at)
        return (
            found if end - at >= 8 else found & ((np.uint64(1) << np.uint64(8 * (end - at))) - np.uint64(1))
        )
    found = np.uint64(0)
    for i in range(min(8, end - at)):
        found |= np.uint64(data[at + i]) << np.uint64(8 * i)
    return found


@njit(cache=True, nogil=True, inline="always")
def set_of(cache, a, b, c):
    """Where the set of a word of three lanes begins in the cache."""
    mixed = (a ^ a >> np.uint64(32)) * _MIX_0
    mixed = (mixed ^ mixed >> np.uint64(29) ^ b) * _MIX_1
    mixed = (mixed ^ mixed >> np.uint64(32) ^ c) * _MIX_2
    sets = np.uint64(len(cache) // (2 * ENTRY_WORDS))
    return np.int64((mixed >> np.uint64(24)) & (sets - np.uint64(1))) * (2 * ENTRY_WORDS)


@njit(cache=True, nogil=True, inline="always")
def find(cache, a, b, c, length):
    """The entry of a word, or -1; one that is found in the second place changes it with the first."""
    first = set_of(cache, a, b, c)
    if _is(cache, first, a, b, c, length):
        return first
    second = first + ENTRY_WORDS
    if _is(cache, second, a, b, c, length):
        for i in range(ENTRY_WORDS):
            cache[first + i], cache[second + i] = cache[second + i], cache[first + i]
        return first
    return np.int64(-1)


@njit(cache=True, nogil=True, inline="always")
def _is(cache, entry, a, b, c, length):
    same = cache[entry] == a and cache[entry + 1] == b and cache[entry + 2] == c
    return same and cache[entry + 3] & _LENGTH == length


@njit(cache=True, nogil=True, inline="always")
def keep(cache, a, b, c, length, tokens, begin, end):
    """Put a word and its tokens in the second place of its set."""
    entry = set_of(cache, a, b, c) + ENTRY_WORDS
    cache[entry], cache[entry + 1], cache[entry + 2] = a, b, c
    cache[entry + 3] = length | np.uint64(end - begin) << np.uint64(32)
    for i in range(4):
        low = np.uint64(tokens[begin + 2 * i]) & _LOW if begin + 2 * i < end else np.uint64(0)
        high = np.uint64(tokens[begin + 2 * i + 1]) & _LOW if begin + 2 * i + 1 < end else np.uint64(0)
        cache[entry + 4 + i] = low | high << np.uint64(32)


@njit(cache=True, nogil=True, inline="always")
def copy(cache, entry, out, to):
    """Write all places of an entry's tokens, those that it does not use too; returns where its tokens end."""
    for i in range(4):
        two = cache[entry + 4 + i]
        out[to + 2 * i] = np.int32(two & _LOW)
        out[to + 2 * i + 1] = np.int32(two >> np.uint64(32))
    return to + np.int64(cache[entry + 3] >> np.uint64(32))
