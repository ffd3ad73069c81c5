"""Windows at a sign: at signs and their disguises, spelled digits, IPv6, apartments."""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.pii_bytes import (
    APARTMENT,
    DISGUISED,
    EMAIL,
    IPV6,
    NO_JOIN,
    SPELLED,
    add,
    digit_at,
    follows,
    glued,
    is_hex,
    is_letter,
    is_plain,
    join_at,
)

MIN_SPELLED, MAX_SPELLED = 10, 13
MIN_COLONS, MAX_IPV6_CHARS = 3, 39
_GONG, _YEONG, _GOL, _AET, _ET, _WIDE_AT = (ord(char) for char in "공영골앳엣＠")
DIGIT, AT, WIDE, BRACKET, DEE, A, COLON, OH = range(1, 9)
"""What a byte may begin; `WIDE` the lead of a syllable or a full-width mark, `OH` an O for a zero."""


@njit(cache=True, nogil=True)
def spelled_at(data, i, end):
    """Value and bytes of a digit, of a Hangul syllable that names one, or of an O for a zero; -1 where none is."""
    value = digit_at(data, i, end)
    if value >= 0:
        return value, 1 if data[i] < 0x80 else 3, False
    if data[i] == 0x4F or data[i] == 0x6F:
        return np.int64(0), 1, True
    if i + 2 >= end or data[i] < 0xEA or data[i] > 0xED:
        return np.int64(-1), 0, False
    code = (
        (np.int64(data[i]) & 0x0F) << 12 | (np.int64(data[i + 1]) & 0x3F) << 6 | np.int64(data[i + 2]) & 0x3F
    )
    return syllable_value(code), 3, True


@njit(cache=True, nogil=True)
def syllable_value(code):
    """The digit that a Hangul syllable names, or -1."""
    for value, syllable in enumerate("공일이삼사오육칠팔구"):
        if code == ord(syllable):
            return value
    return 0 if code == 0xC601 else (6 if code == 0xB959 else -1)  # 영, 륙


@njit(cache=True, nogil=True)
def read_spelled(data, doc, start, i, end, found, number):
    """A window of MIN_SPELLED digits or more of which at least two are spelled, and which begins with 01 or 07."""
    at, digits, spelled, first_two, last = i, 0, 0, 0, i
    while at < end and digits < MAX_SPELLED:
        value, width, is_spelled = spelled_at(data, at, end)
        if value < 0:
            kind, following = join_at(data, at, end)
            if digits == 0 or following == at or kind == NO_JOIN:
                break
            at = following
            continue
        first_two = first_two * 10 + value if digits < 2 else first_two
        digits, spelled = digits + 1, spelled + is_spelled
        at += width
        last = at
        if digits == 2 and first_two != 1 and first_two != 7:
            break
    if digits >= MIN_SPELLED and spelled >= 2:
        return add(found, number, doc, i - start, last - start, SPELLED)
    return number


@njit(cache=True, nogil=True)
def read_syllable(data, doc, start, i, end, found, number):
    """A window at a full-width at sign, at 골뱅이 or 앳, or at digits that begin with 공, 영 or O."""
    byte = data[i]
    if byte < 0x80:
        if i + 1 < end and 0x30 < data[i + 1] <= 0x39 and (i == start or not glued(data, i - 1)):
            return read_spelled(data, doc, start, i, end, found, number)
        return number
    if i + 2 >= end:
        return number
    code = (np.int64(byte) & 0x0F) << 12 | (np.int64(data[i + 1]) & 0x3F) << 6 | np.int64(data[i + 2]) & 0x3F
    if code in (_GONG, _YEONG):
        return read_spelled(data, doc, start, i, end, found, number)
    if code == _WIDE_AT:
        return add(found, number, doc, i - start, i + 3 - start, EMAIL)
    if code == _GOL and i + 8 < end and follows(data, i, i + 6, 0xEB, 0xB1, 0x85):  # 뱅
        return add(found, number, doc, i - start, i + 9 - start, DISGUISED)
    if code in (_AET, _ET) and i > start and data[i - 1] <= 0x5B and i + 3 < end and data[i + 3] <= 0x5D:
        return add(found, number, doc, i - start, i + 3 - start, DISGUISED)
    return number


@njit(cache=True, nogil=True)
def read_sign(data, start, i, end, kind):
    """The window that the sign at `i` asks for: its kind or -1, start and end."""
    after = data[i + 1] if i + 1 < end else np.uint8(0x20)
    before = data[i - 1] if i > start else np.uint8(0x20)
    if kind == AT:
        if before == 0x20 and after == 0x20:
            return DISGUISED, i, i + 1
        return (EMAIL if before > 0x20 and before < 0x80 and is_plain(after) else -1), i, i + 1
    if kind == COLON:
        return read_ipv6(data, start, i, end)
    if kind == BRACKET and after & 0xDF == 0x41 and i + 2 < end:
        close = i + 2 + (data[i + 2] & 0xDF == 0x54)
        is_closed = close < end and (data[close] == 0x29 or data[close] & 0xDD == 0x5D or data[close] == 0x3E)
        return (DISGUISED if is_closed else -1), i, close + 1
    third = data[i + 2] if i + 2 < end else np.uint8(0x20)
    fourth = data[i + 3] if i + 3 < end else np.uint8(0x20)
    if kind == DEE and after & 0xDF == 0x4F and third & 0xDF == 0x54:
        return (-1 if is_letter(before) or is_letter(fourth) else DISGUISED), i, i + 3
    if kind == A and after == 0x54 and before == 0x20 and third == 0x20:
        return DISGUISED, i, i + 2
    if kind == A and after == 0x70 and third == 0x74 and not is_letter(before) and not is_letter(fourth):
        return APARTMENT, i, i + 3
    return -1, i, i + 1


@njit(cache=True, nogil=True)
def read_ipv6(data, start, i, end):
    """The run of hexadecimal digits and colons around `i`, if it holds MIN_COLONS."""
    first = i
    while first > start and i - first < 4 and is_hex(data[first - 1]):
        first -= 1
    if first > start and (glued(data, first - 1) or data[first - 1] == 0x3A or data[first - 1] == 0x2E):
        return -1, i, i + 1
    after, colons = i, 0
    while after < end and after - first < MAX_IPV6_CHARS and (data[after] == 0x3A or is_hex(data[after])):
        colons += data[after] == 0x3A
        after += 1
    return (IPV6 if colons >= MIN_COLONS else -1), first, after
