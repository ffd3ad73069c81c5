"""Letters of words, as the families that compare words by their letters read them, and hash tables of word lists.

A letter here is a letter of any script or a digit. Words that differ in capitals of ASCII or in marks alone have the
same letters, and one hash of these (`hash_of`, for lists of words; `word_cuts.py`, for those of a text).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.unicode_classes import CLASS_BITS, DIGIT, HANGUL

LETTERS = 1 << 16
"""Bit of `word_kinds` beside those of the classes: a letter of any script."""
LETTER_CLASSES = sum(1 << kind for kind in range(HANGUL, DIGIT + 1))
"""Bits of `word_kinds`: letters and digits; all points of these classes are."""
OTHER_KINDS = 0xFFFFFFFF & ~(LETTER_CLASSES | LETTERS)

ENDS, PAIRED, APART, BREAK, BLANK_LINE = (1 << bit for bit in range(5))
"""Bits of `word_notes`: a mark that ends a sentence stands behind the last letter; a bracket or quotation mark stands
before the first or behind the last; other characters stand between letters; a line break follows; two do."""

BASE = np.uint64(0x9E3779B97F4A7C15)
"""2^64 / golden ratio, odd. Words are polynomials in it, modulo 2^64: character `at` (from 0) times BASE^(at + 1)."""


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
    return (running ^ running >> np.uint64(32)) * BASE | np.uint64(1)


@njit(cache=True, nogil=True)
def hash_of(codes):
    """Hash of a word of these code points, as in `word_keys` if they are letters and no capitals of ASCII."""
    running, power = np.uint64(0), BASE
    for code in codes:
        running += np.uint64(code) * power
        power *= BASE
    return finish(running)


@njit(cache=True, nogil=True)
def is_letter(flags):
    """Whether these are flags of a letter or a digit."""
    kind = flags & CLASS_BITS
    return (kind >= HANGUL) & (kind <= DIGIT)


@njit(cache=True, nogil=True)
def lower(code):
    """The code point, of a capital of ASCII that of its small letter."""
    return np.uint64(code) + np.uint64(32 if (code >= ord("A")) & (code <= ord("Z")) else 0)
