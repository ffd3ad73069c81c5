"""Runs of ASCII letters and of Hangul syllables, eight bytes or four syllables at a time.

A loop that asks letter by letter is told wrong by the branch predictor once a word, which costs as much as ten letters.
Here the letters of a block are counted without a branch: words of fewer than eight letters or four syllables take one
step. With it, and all that is hot inlined, GPT-4's pattern went from 145 to 200 MB/s in Korean and from 105 to 155 in
English. Other letters go the slow way of matchers.py.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from chejil.filters.byte_lanes import eight_bytes, trailing_zeros

LANES, SYLLABLES = 8, 4
BLOCK_BYTES = 16
"""What must be there behind the place where a run is looked for a block at a time."""

_EACH = 0x0101010101010101
_HIGH, _CASE = np.uint64(0x80 * _EACH), np.uint64(0x20 * _EACH)
_FROM_A, _ABOVE_Z = np.uint64((0x80 - ord("a")) * _EACH), np.uint64((0x7F - ord("z")) * _EACH)

_FORM, _THREE_BYTES = np.uint32(0xC0C0F0), np.uint32(0x8080E0)
_FIRST_SYLLABLE, _NUM_SYLLABLES = np.uint32(0xAC00), np.uint32(11172)


@intrinsic
def four_bytes(_typing, data, i):
    """Bytes `i` to `i + 3` of an array as one little-endian integer; they must be there, nothing checks it."""

    def load(context, builder, signature, arguments):
        start = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(start, [arguments[1]]), ir.IntType(32).as_pointer())
        return builder.load(place, align=1)

    return types.uint32(data, types.int64), load


@njit(cache=True, nogil=True, forceinline=True)
def ascii_end(data, at, end, case):
    """Behind the ASCII letters that begin at `at`; with `case` 0 only the small ones.

    Args:
        case: what is laid over every byte first: `CASE_IGNORED`, or 0.
    """
    while at + BLOCK_BYTES <= len(data):
        eight = eight_bytes(data, at)
        lower = eight | case
        letters = (lower + _FROM_A) & ~(lower + _ABOVE_Z)
        others = (~letters | eight) & _HIGH
        if others:
            return min(end, at + (trailing_zeros(others) >> 3))
        at += LANES
        if at >= end:
            return end
    while at < end and ord("a") <= np.uint64(data[at]) | case & np.uint64(0xFF) <= ord("z"):
        at += 1
    return at


CASE_IGNORED = _CASE


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
