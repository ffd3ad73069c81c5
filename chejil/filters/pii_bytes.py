"""Steps over bytes that the passes for personal data share: digits, what joins groups of them, letters.

Numba's cache watches the file of a kernel, not those that it calls: after an edit here remove `__pycache__/*.nb?`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NUMBER, EMAIL, DISGUISED, IPV4, IPV6, SPELLED, PASSPORT, HOUSEHOLD, ROAD, APARTMENT = range(10)
"""What a window holds. `EMAIL` and `DISGUISED` stand at the at sign alone, the others at the whole value."""

NO_JOIN, DASH, DOT, LOOSE, OTHER = range(5)
"""What joins two groups: a dash or a dot alone, spaces or brackets (perhaps with a dash), or another mark."""


@njit(cache=True, nogil=True)
def digit_at(data, i, end):
    """Value of the ASCII or full-width digit at `i`, or -1."""
    byte = np.int64(data[i])
    if 0x30 <= byte <= 0x39:
        return byte - 0x30
    if byte == 0xEF and i + 2 < end and data[i + 1] == 0xBC and 0x90 <= data[i + 2] <= 0x99:
        return np.int64(data[i + 2]) - 0x90
    return np.int64(-1)


@njit(cache=True, nogil=True)
def run_end(data, i, end, most):
    """Digits of the run that starts at `i`, at most `most`, and where it ends or was left."""
    length = 0
    while i < end and length < most and digit_at(data, i, end) >= 0:
        i += 1 if data[i] < 0x80 else 3
        length += 1
    return length, i


@njit(cache=True, nogil=True)
def join_at(data, i, end):
    """How what stands at `i` joins two groups, and where the next one would start.

    At most three spaces before and after one mark; a line break joins nothing.
    """
    first = i
    i = skip_spaces(data, i, end)
    kind, width = mark_at(data, i, end)
    after = skip_spaces(data, i + width, end) if width else i
    if width == 0:
        return (LOOSE if i > first else NO_JOIN), i
    if kind == LOOSE and after < end and mark_at(data, after, end)[0] == DASH:
        after = skip_spaces(data, after + mark_at(data, after, end)[1], end)  # (010)-1234
    return (kind if i == first and after == i + width else LOOSE), after


@njit(cache=True, nogil=True)
def skip_spaces(data, i, end):
    """Past at most three spaces or no-break spaces."""
    for _ in range(3):
        if i < end and data[i] == 0x20:
            i += 1
        elif i + 1 < end and data[i] == 0xC2 and data[i + 1] == 0xA0:
            i += 2
    return i


@njit(cache=True, nogil=True)
def mark_at(data, i, end):
    """Kind of the joining mark at `i` and its bytes, 0 where there is none."""
    if i >= end:
        return NO_JOIN, 0
    byte = data[i]
    if byte == 0x2D:
        return DASH, 1
    if byte == 0x2E:
        return DOT, 1
    if byte == 0x28 or byte == 0x29:
        return LOOSE, 1
    if byte == 0x2F:
        return OTHER, 1
    if i + 2 < end:
        second, third = data[i + 1], data[i + 2]
        if byte == 0xE2 and (
            (second == 0x80 and 0x90 <= third <= 0x95) or (second == 0x88 and third == 0x92)
        ):
            return DASH, 3  # U+2010 to U+2015, the minus sign
        if byte == 0xEF and second == 0xBC and (third == 0x8D or third == 0x89):
            return (DASH if third == 0x8D else LOOSE), 3  # full-width hyphen and bracket
        if byte == 0xE3 and ((second == 0x85 and third == 0xA1) or (second == 0x83 and third == 0xBC)):
            return DASH, 3  # the vowel ㅡ and the Japanese long mark, typed as dashes
        if byte == 0xE3 and second == 0x86 and third == 0x8D:
            return OTHER, 3  # ㆍ
    return (OTHER, 2) if byte == 0xC2 and i + 1 < end and data[i + 1] == 0xB7 else (NO_JOIN, 0)


@njit(cache=True, nogil=True)
def is_letter(byte):
    """An ASCII letter, or a byte of a character beyond ASCII."""
    return byte >= 0x80 or 0x41 <= byte & 0xDF <= 0x5A


@njit(cache=True, nogil=True)
def follows(data, start, i, first, second, third):
    """Whether this character of three bytes ends before `i`."""
    return i - 3 >= start and data[i - 3] == first and data[i - 2] == second and data[i - 1] == third


@njit(cache=True, nogil=True)
def is_ascii_letter(byte):
    """A to Z, a to z."""
    return 0x41 <= byte & 0xDF <= 0x5A and byte < 0x80


@njit(cache=True, nogil=True)
def glued(data, i):
    """Whether the byte at `i` is a letter, a digit or a low line of ASCII."""
    byte = data[i]
    return is_ascii_letter(byte) or 0x30 <= byte <= 0x39 or byte == 0x5F


@njit(cache=True, nogil=True)
def is_plain(byte):
    """An ASCII letter or digit."""
    return is_ascii_letter(byte) or 0x30 <= byte <= 0x39


@njit(cache=True, nogil=True)
def is_hex(byte):
    """A hexadecimal digit."""
    return 0x30 <= byte <= 0x39 or (0x41 <= byte & 0xDF <= 0x46 and byte < 0x80)


@njit(cache=True, nogil=True)
def add(found, number, doc, start, end, kind):
    """Enter a window where there is room."""
    if number < len(found):
        found[number, 0], found[number, 1], found[number, 2], found[number, 3] = doc, start, end, kind
    return number + 1
