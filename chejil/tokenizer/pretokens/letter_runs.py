"""Runs of ASCII letters and of Hangul syllables, eight bytes or four syllables at a time.

A loop that asks letter by letter is told wrong by the branch predictor once a word, which costs as much as ten letters.
Here the letters of a block are counted without a branch: words of fewer than eight letters or four syllables take one
step. With it, and all that is hot inlined, GPT-4's pattern went from 145 to 200 MB/s in Korean and from 105 to 155 in
English. Other letters go the slow way of matchers.py.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.byte_lanes import ABOVE_Z, CASE, FROM_A, HIGH, eight_bytes, four_bytes, trailing_zeros

LANES, SYLLABLES = 8, 4
BLOCK_BYTES = 16
"""What must be there behind the place where a run is looked for a block at a time."""

_FORM, _THREE_BYTES = np.uint32(0xC0C0F0), np.uint32(0x8080E0)
_FIRST_SYLLABLE, _NUM_SYLLABLES = np.uint32(0xAC00), np.uint32(11172)


@njit(cache=True, nogil=True, forceinline=True)
def ascii_end(data, at, end, case):
    """Behind the ASCII letters that begin at `at`; with `case` 0 only the small ones.

    Args:
        case: what is laid over every byte first: `CASE_IGNORED`, or 0.
    """
    while at + BLOCK_BYTES <= len(data):
        eight = eight_bytes(data, at)
        lower = eight | case
        letters = (lower + FROM_A) & ~(lower + ABOVE_Z)
        others = (~letters | eight) & HIGH
        if others:
            return min(end, at + (trailing_zeros(others) >> 3))
        at += LANES
        if at >= end:
            return end
    while at < end and ord("a") <= np.uint64(data[at]) | case & np.uint64(0xFF) <= ord("z"):
        at += 1
    return at


CASE_IGNORED = CASE


@njit(cache=True, nogil=True, forceinline=True)
def _is_syllable(four):
    """Whether three bytes are a Hangul syllable, U+AC00 to U+D7A3, as 0 or 1."""
    point = (four & np.uint32(0x0F)) << np.uint32(12)
    point |= (four >> np.uint32(2)) & np.uint32(0xFC0)
    point |= (four >> np.uint32(16)) & np.uint32(0x3F)
    return np.uint64((four & _FORM) == _THREE_BYTES) & np.uint64(point - _FIRST_SYLLABLE < _NUM_SYLLABLES)


@njit(cache=True, nogil=True, forceinline=True)
def hangul_end(data, at, end):
    """Behind the Hangul syllables that begin at `at`; near the end of the buffer it may stop before one."""
    while at + BLOCK_BYTES <= len(data):
        found = _is_syllable(four_bytes(data, at)) | _is_syllable(four_bytes(data, at + 3)) << np.uint64(1)
        found |= _is_syllable(four_bytes(data, at + 6)) << np.uint64(2)
        found |= _is_syllable(four_bytes(data, at + 9)) << np.uint64(3)
        number = trailing_zeros(~found)
        at += 3 * number
        if at >= end:
            return end
        if number < SYLLABLES:
            return at
    return at
