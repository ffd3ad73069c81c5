"""Letters of words, as the families that compare words by their letters read them, and hash tables of word lists.

A letter here is a letter of any script or a digit. To look at each character of a word costs 15 to 50 ns, since its
length is not foretold; whether it holds anything but small letters is asked of 64 characters at once, in 3 ns.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.shared_tables import LETTERS
from chejil.filters.unicode_classes import CLASS_BITS, DIGIT, HANGUL

LETTER_CLASSES = sum(1 << kind for kind in range(HANGUL, DIGIT + 1))
"""Bits of `word_kinds`: letters and digits; all points of these classes are."""
OTHER_KINDS = 0xFFFFFFFF & ~(LETTER_CLASSES | LETTERS)

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, as in `shared_tables.py`
_NEWLINE = ord("\n")


@njit(cache=True, nogil=True)
def slot_of(table, key):
    """Where `key` is or would be."""
    slot = np.int64(key >> np.uint64(40)) & (len(table) - 1)
    while (table[slot] != 0) & (table[slot] != key):
        slot = (slot + 1) & (len(table) - 1)
    return slot


@njit(cache=True, nogil=True)
def enter(table, key):
    """Put `key` into the table."""
    table[slot_of(table, key)] = key


@njit(cache=True, nogil=True)
def finish(running):
    """Spread a running hash over all bits; never 0, which means no word."""
    return (running ^ running >> np.uint64(32)) * _MIX | np.uint64(1)


@njit(cache=True, nogil=True)
def is_letter(flags):
    """Whether these are flags of a letter or a digit."""
    kind = flags & CLASS_BITS
    return (kind >= HANGUL) & (kind <= DIGIT)


@njit(cache=True, nogil=True)
def lower(code):
    """The code point, of a capital of ASCII that of its small letter."""
    return np.uint64(code) + np.uint64(32 if (code >= ord("A")) & (code <= ord("Z")) else 0)


@njit(cache=True, nogil=True)
def newlines(codes, i, end):
    """Line breaks in the white space from `i` to `end`."""
    if end - i == 1:
        return np.int64(codes[i] == _NEWLINE)
    num = np.int64(0)
    for at in range(i, end):
        num += codes[at] == _NEWLINE
    return num


@njit(cache=True, nogil=True)
def mark_odd(codes, flags, odd):
    """Set `odd` (num_chars) bool where a character is a capital of ASCII, or neither letter nor digit."""
    for i in range(len(codes)):
        kind = flags[i] & CLASS_BITS
        odd[i] = (kind < HANGUL) | (kind > DIGIT) | ((codes[i] >= ord("A")) & (codes[i] <= ord("Z")))


def odd_bits(codes: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """A bit a character, 64 in a uint64, the first one lowest: as `mark_odd`; and one word of zeros."""
    odd = np.zeros((len(codes) // 64 + 2) * 64, np.bool_)
    mark_odd(codes, flags, odd)
    return np.packbits(odd, bitorder="little").view("<u8")


@njit(cache=True, nogil=True)
def any_bit(bits, begin, end):
    """Whether any of the bits from `begin` to `end`, 64 at most, is set, in an array of 64-bit words."""
    word, shift = begin >> 6, np.uint64(begin & 63)
    # Shifted in two steps: a shift by 64 is undefined.
    found = bits[word] >> shift | bits[word + 1] << np.uint64(1) << (np.uint64(63) - shift)
    return found << np.uint64(64 - (end - begin)) != 0
