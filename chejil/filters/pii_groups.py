"""Windows that begin with a digit: groups of the right lengths, IPv4, passports, house numbers.

Every start of a digit run is read for at most MAX_GROUPS groups of at most MAX_RUN digits, so a line of 16 MB of
digits takes linear time.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.pii_bytes import (
    DASH,
    DOT,
    HOUSEHOLD,
    IPV4,
    LOOSE,
    NO_JOIN,
    NUMBER,
    PASSPORT,
    ROAD,
    add,
    digit_at,
    follows,
    glued,
    is_ascii_letter,
    is_letter,
    join_at,
    run_end,
)
from chejil.filters.pii_signs import read_spelled

MAX_GROUPS, MAX_RUN, SHAPE_BITS = 6, 19, 5
ANY, ZERO, LABELLED, DATED = range(4)
"""What a shape needs beside: nothing; a first digit 0, "82" or a plus; a word nearby; a month and day, or a word."""

SHAPES: dict[int, tuple[str, ...]] = {
    ANY: ("6-7", "3-2-5", "2-2-6-2", "2-6-2", "3-3-4", "1-3-3-4", "3-2-4", "4-4-4-4", "4-6-5", "4-6-4", "16",
          "4-4-4-4-3"),
    ZERO: ("3-4-4", "2-3-4", "2-4-4", "4-3-4", "4-4-4", "7-4", "3-8", "3-7", "6-4", "2-7", "2-8", "5-4", "11",
           "4-2-4-4", "2-2-4-4", "2-2-3-4", "2-1-4-4", "2-1-3-4", "2-3-4-4", "2-3-3-4"),
    LABELLED: ("9", "10", "12", "14", "15"),
    DATED: ("13",),
}  # fmt: skip
MIN_PLUS_DIGITS, MAX_PLUS_DIGITS = 9, 15  # after a plus: any groups; E.164 has at most 15
MIN_ACCOUNT_DIGITS, MAX_ACCOUNT_DIGITS = 10, 16
LABEL_BYTES_BEFORE, LABEL_BYTES_AFTER = 60, 24


@cache
def shape_table() -> tuple[np.ndarray, np.ndarray]:
    """Keys of SHAPES, sorted, (num_shapes) int64, and what each needs, (num_shapes) int64."""
    pairs = sorted((shape_key(shape), need) for need, shapes in SHAPES.items() for shape in shapes)
    return np.array([key for key, _ in pairs]), np.array([need for _, need in pairs])


def shape_key(shape: str) -> int:
    """Group lengths packed in SHAPE_BITS each.

    >>> shape_key("6-7")
    199
    """
    key = 0
    for length in shape.split("-"):
        key = key << SHAPE_BITS | int(length)
    return key


@njit(cache=True, nogil=True)
def read_numbers(data, doc, start, i, end, joined, shapes, needs, found, number):
    """Windows that begin with the digit run at `i`.

    Returns:
        number of windows now, where the run ends or the next one starts, and what joins that one to this one.
    """
    length, after = run_end(data, i, end, MAX_RUN + 1)
    if length > MAX_RUN:
        while after < end and digit_at(data, after, end) >= 0:
            after += 1 if data[after] < 0x80 else 3
        return number, after, NO_JOIN
    if joined != DASH and joined != DOT:
        first = opening(data, start, i)
        number = read_groups(data, doc, start, first, i, end, joined, shapes, needs, found, number)
        number = read_other(data, doc, start, i, after, end, length, found, number)
    kind, following = join_at(data, after, end)
    if following < end and following > after and digit_at(data, following, end) >= 0:
        return number, following, kind
    return number, after, NO_JOIN


@njit(cache=True, nogil=True)
def opening(data, start, i):
    """Where a window begins whose first digit is at `i`: at an opening bracket or a plus before it."""
    if i > start and data[i - 1] == 0x28:
        i -= 1
    if i > start and data[i - 1] == 0x2B:
        i -= 1
    return i


@njit(cache=True, nogil=True)
def read_groups(data, doc, start, first, i, end, joined, shapes, needs, found, number):
    """Windows of one to MAX_GROUPS groups from `i`.

    Groups joined by spaces are a row of a table where others stand on both sides; what is dialled may stand in one.
    """
    plus = data[first] == 0x2B
    in_row = joined == LOOSE and not plus and not is_dialled(data, i, end)
    key, digits, dashes, dots, spaced = np.int64(0), 0, True, True, False
    at = i
    for group in range(MAX_GROUPS):
        length, after = run_end(data, at, end, MAX_RUN + 1)
        if length > MAX_RUN:
            break
        key, digits = key << SHAPE_BITS | length, digits + length
        kind, following = join_at(data, after, end)
        more = following > after and following < end and digit_at(data, following, end) >= 0
        goes_on = more and (kind in (DASH, DOT) or (in_row and spaced and kind == LOOSE))
        if not goes_on:
            what = window_kind(
                data, start, i, after, end, key, digits, group, dashes, dots, plus, shapes, needs
            )
            if what >= 0:
                number = add(found, number, doc, first - start, after - start, what)
        if not more:
            break
        dashes, dots, spaced = dashes and kind == DASH, dots and kind == DOT, spaced or kind == LOOSE
        at = following
    return number


@njit(cache=True, nogil=True)
def is_dialled(data, i, end):
    """Whether the run at `i` is two or three digits and the first is 0: 02, 031, 010."""
    length, _ = run_end(data, i, end, 4)
    return 2 <= length <= 3 and digit_at(data, i, end) == 0


@njit(cache=True, nogil=True)
def window_kind(data, start, i, after, end, key, digits, group, dashes, dots, plus, shapes, needs):
    """NUMBER, IPV4 or -1, for the groups from `i` to `after`."""
    if plus:
        return NUMBER if MIN_PLUS_DIGITS <= digits <= MAX_PLUS_DIGITS else -1
    if group == 3 and dots and digits <= 12:
        return IPV4
    if digits < 9:
        return -1
    place = np.searchsorted(shapes, key)
    if place < len(shapes) and shapes[place] == key:
        need = needs[place]
        first, second = digit_at(data, i, end), digit_at(data, i + (1 if data[i] < 0x80 else 3), end)
        if need == ANY or first == 0 or (need == ZERO and first == 8 and second == 2):
            return NUMBER
        if need == DATED and is_dated(data, i, end):
            return NUMBER
        if has_word_near(data, start, i, after, end):
            return NUMBER
    account = group > 0 and group < 4 and dashes and MIN_ACCOUNT_DIGITS <= digits <= MAX_ACCOUNT_DIGITS
    if (account or (group == 0 and digits >= MIN_ACCOUNT_DIGITS)) and has_word_near(
        data, start, i, after, end
    ):
        return NUMBER
    return -1


@njit(cache=True, nogil=True)
def is_dated(data, i, end):
    """Whether the third to sixth digit can be a month and a day."""
    if data[i] >= 0x80:
        return True
    month = (data[i + 2] - 0x30) * 10 + data[i + 3] - 0x30
    day = (data[i + 4] - 0x30) * 10 + data[i + 5] - 0x30
    return 1 <= month <= 12 and 1 <= day <= 31


@njit(cache=True, nogil=True)
def has_word_near(data, start, i, after, end):
    """Whether a letter (or any character beyond ASCII) stands near, with no digit between."""
    for at in range(i - 1, max(start, i - LABEL_BYTES_BEFORE) - 1, -1):
        if is_letter(data[at]):
            return True
        if 0x30 <= data[at] <= 0x39:
            break
    for at in range(after, min(end, after + LABEL_BYTES_AFTER)):
        if is_letter(data[at]):
            return True
        if 0x30 <= data[at] <= 0x39:
            break
    return False


@njit(cache=True, nogil=True)
def read_other(data, doc, start, i, after, end, length, found, number):
    """Windows that begin with a digit run and are no groups of digits."""
    if (
        length <= 3
        and i > start
        and is_ascii_letter(data[i - 1])
        and (i - 1 == start or not glued(data, i - 2))
    ):
        if length == 3 and after < end and is_ascii_letter(data[after]):
            tail, close = run_end(data, after + 1, end, 5)
            if tail == 4:
                number = add(found, number, doc, i - 1 - start, close - start, PASSPORT)
    elif (length == 8 or length == 7) and i > start and is_ascii_letter(data[i - 1]):
        first = (
            i - 1 - (length == 7 and i - 1 > start and is_ascii_letter(data[i - 2]))
        )  # JR1234567: before 2008
        if first == start or not glued(data, first - 1):
            number = add(found, number, doc, first - start, after - start, PASSPORT)
    if (
        2 <= length <= 4
        and after + 2 < end
        and data[after] == 0xED
        and data[after + 1] == 0x98
        and data[after + 2] == 0xB8
        and not follows(data, start, i, 0xEC, 0xA0, 0x9C)  # 제12호 is an article
    ):
        number = add(found, number, doc, i - start, after + 3 - start, HOUSEHOLD)
    if length <= 4 and i > start:
        gap = i - 1 if data[i - 1] == 0x20 else i
        if follows(data, start, gap, 0xEB, 0xA1, 0x9C) or follows(data, start, gap, 0xEA, 0xB8, 0xB8):
            number = add(found, number, doc, i - start, after - start, ROAD)  # 로, 길
    if length <= 3:
        number = read_spelled(data, doc, start, i, end, found, number)
    return number
