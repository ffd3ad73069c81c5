"""The pass over the bytes that finds where personal data could stand; rules in Python judge what it finds.

A regular expression a kind over the whole text runs at 1 to 5 MB/s for all kinds together. Here one Numba pass
looks for digit groups of the right lengths ("3-4-4"), for "@" and its disguises, IPv6, spelled digits and household
numbers, at 120 to 210 MB/s; one window is left in 5 to 7 kB of web text (60 kB of statutes), so the rules may cost
50 µs each. Windows may overlap: the rules and `Spans.of` choose.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.pii_bytes import IPV6, NO_JOIN, add, digit_at
from chejil.filters.pii_groups import read_numbers, shape_table
from chejil.filters.pii_signs import AT, BRACKET, COLON, DEE, DIGIT, OH, WIDE, A, read_sign, read_syllable

_TRIGGERS = {
    DIGIT: b"0123456789",
    AT: b"@",
    WIDE: b"\xef\xea\xec",
    BRACKET: b"([{<",
    DEE: b"dD",
    A: b"A",
    COLON: b":",
    OH: b"oO",
}


@cache
def trigger_table() -> np.ndarray:
    """What a byte may begin, (256) uint8."""
    table = np.zeros(256, np.uint8)
    for kind, values in _TRIGGERS.items():
        table[list(values)] = kind
    return table


def candidates(texts: TextBuffers) -> np.ndarray:
    """Windows in order of their place: (num_windows, 4) int64 of document, start, end (bytes within it), kind."""
    found = np.empty((len(texts.data) // 128 + 64, 4), np.int64)
    while True:
        number = find_candidates(texts.data, texts.offsets, trigger_table(), *shape_table(), found)
        if number <= len(found):
            return found[:number]
        found = np.empty((number, 4), np.int64)


@njit(cache=True, nogil=True)
def find_candidates(data, offsets, triggers, shapes, needs, found):
    """Fill `found` as far as it goes; the number of windows is returned, also where it does not hold them."""
    number = 0
    for doc in range(len(offsets) - 1):
        start, end = offsets[doc], offsets[doc + 1]
        i, joined = start, NO_JOIN
        while i < end:
            kind = triggers[data[i]]
            if kind == 0:
                i += 1
                continue
            if digit_at(data, i, end) >= 0:
                number, i, joined = read_numbers(
                    data, doc, start, i, end, joined, shapes, needs, found, number
                )
                continue
            joined = NO_JOIN
            if kind in (OH, WIDE):
                number = read_syllable(data, doc, start, i, end, found, number)
                i += 1 if kind == OH else 3
                continue
            what, first, after = read_sign(data, start, i, end, kind)
            if what >= 0:
                number = add(found, number, doc, first - start, after - start, what)
            i = after if what == IPV6 else i + 1
    return number
