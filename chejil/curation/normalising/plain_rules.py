"""The rules that need no more than one look at a character: controls, invisible ones, line ends, spaces.

Two kernels over the UTF-8 bytes. `marks` only reads, and says which documents have anything to do; on clean
shards these are few, so a batch passes through untouched. `rewrite` writes the bytes of the others into a new
buffer; no rule makes a text longer, so the input's size is enough. Twelve regular expressions do the same
at a tenth of the speed.

Indentation, tabs and runs of ordinary spaces inside a line stay: they carry meaning in code and in tables.
"""

from __future__ import annotations

import numba
import numpy as np

from chejil.curation.normalising.codepoints import (
    ACTION,
    BYTE,
    CONTROL,
    JOINER,
    JOINING,
    KANA,
    KEEP,
    LEAD,
    LINE_END,
    NUM_CODEPOINTS,
    SOUP,
    SPACE,
    UNCOMPOSED,
    ZERO_WIDTH,
)

RULES, COMPOSE, MOJIBAKE, LONG_MARKS = 1, 2, 4, 8
"""Marks of a document: a plain rule applies; it may not be NFC; it may hold mojibake; it has more than 30
combining marks in a row, which no script has need of (UAX #15, section 13)."""

PLAIN_CHANGES = ("control", "bom", "zero_width", "line_end", "space", "trim")
"""What `rewrite` counts, in the order of its columns."""
_TRIM = 5
_LF, _SPACE, _TAB, _DEL = 0x0A, 0x20, 0x09, 0x7F


@numba.njit(cache=True, nogil=True, inline="always")
def _size(lead: int) -> int:
    return 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


@numba.njit(cache=True, nogil=True, inline="always")
def _code(data: np.ndarray, i: int, size: int) -> int:
    if size == 2:
        return (data[i] & 0x1F) << 6 | (data[i + 1] & 0x3F)
    if size == 3:
        return (data[i] & 0x0F) << 12 | (data[i + 1] & 0x3F) << 6 | (data[i + 2] & 0x3F)
    code = (
        (data[i] & 0x07) << 18 | (data[i + 1] & 0x3F) << 12 | (data[i + 2] & 0x3F) << 6 | (data[i + 3] & 0x3F)
    )
    return code if code < NUM_CODEPOINTS else 0x20000


@numba.njit(cache=True, nogil=True)
def _is_blank(byte: int) -> bool:
    return byte in (_SPACE, _TAB, _LF)


@numba.njit(cache=True, nogil=True)
def _ends_blank(data: np.ndarray, start: int, at: int, blank_lines: int) -> bool:
    # True where a line end at `at` has to do: blanks before it, or too many line ends before it.
    if at == start or data[at - 1] == _SPACE or data[at - 1] == _TAB:
        return True
    back = at
    while back > start and at - back <= blank_lines and data[back - 1] == _LF:
        back -= 1
    return at - back > blank_lines


@numba.njit(cache=True, nogil=True)
def _marks_of(data: np.ndarray, start: int, end: int, table: np.ndarray, blank_lines: int) -> int:
    if start == end:
        return 0
    found = RULES if _is_blank(data[start]) or _is_blank(data[end - 1]) else 0
    last = 0
    num_marks = 0
    i = start
    while i < end:
        byte = data[i]
        if byte < 0x80:
            last = num_marks = 0
            if byte < _SPACE or byte == _DEL:
                if byte == _LF:
                    if _ends_blank(data, start, i, blank_lines):
                        found |= RULES
                elif byte != _TAB:
                    found |= RULES
            i += 1
            continue
        size = _size(byte)
        code = _code(data, i, size)
        traits = table[code]
        action = traits & ACTION
        if action not in (KEEP, JOINING):
            found |= RULES
        num_marks = num_marks + 1 if traits & UNCOMPOSED else 0
        if num_marks:
            found |= COMPOSE if num_marks <= 30 else LONG_MARKS
        hangul = 0xAC00 <= code <= 0xD7A3
        if (
            (traits & BYTE and last & LEAD)
            or (traits & KANA and last & KANA)
            or (last & SOUP and hangul)
            or action == CONTROL
        ):
            found |= MOJIBAKE
        last = traits
        i += size
    return found


@numba.njit(cache=True, nogil=True)
def marks(data: np.ndarray, offsets: np.ndarray, table: np.ndarray, blank_lines: int) -> np.ndarray:
    """What each document may need: RULES, COMPOSE and MOJIBAKE added up, (num_docs) uint8.

    Args:
        data, offsets: as in `TextBuffers`.
        table: `codepoint_table()`.
        blank_lines: the most that may follow one another.
    """
    found = np.zeros(len(offsets) - 1, np.uint8)
    for doc in range(len(found)):
        found[doc] = _marks_of(data, offsets[doc], offsets[doc + 1], table, blank_lines)
    return found


@numba.njit(cache=True, nogil=True)
def _line_end(out: np.ndarray, start: int, at: int, blank_lines: int, counts: np.ndarray) -> int:
    # Blanks at the end of the line go; a line end too many is not written.
    before = at
    while at > start and (out[at - 1] == _SPACE or out[at - 1] == _TAB):
        at -= 1
    counts[_TRIM] += before - at
    if _ends_blank(out, start, at, blank_lines):
        counts[_TRIM] += 1
        return at
    out[at] = _LF
    return at + 1


@numba.njit(cache=True, nogil=True)
def _blank(out: np.ndarray, start: int, at: int, byte: int, counts: np.ndarray) -> int:
    if at == start:
        counts[_TRIM] += 1
        return at
    out[at] = byte
    return at + 1


@numba.njit(cache=True, nogil=True)
def _rewrite_one(
    data: np.ndarray,
    i: int,
    end: int,
    table: np.ndarray,
    blank_lines: int,
    out: np.ndarray,
    start: int,
    counts: np.ndarray,
) -> int:
    at = start
    before = KEEP
    while i < end:
        byte = data[i]
        size = _size(byte)
        code = byte if size == 1 else _code(data, i, size)
        action = table[code] & ACTION
        if action == JOINER:
            action = KEEP if before == JOINING else ZERO_WIDTH
        if action not in (KEEP, JOINING):
            counts[action - 1] += 1
        if byte == _LF or (action == LINE_END and not (code == 0x0D and i + 1 < end and data[i + 1] == _LF)):
            at = _line_end(out, start, at, blank_lines, counts)
            before = KEEP
        elif action == SPACE or byte in (_SPACE, _TAB):
            at = _blank(out, start, at, _TAB if byte == _TAB else _SPACE, counts)
            before = KEEP
        elif action in (KEEP, JOINING):
            for k in range(size):
                out[at + k] = data[i + k]
            at += size
            before = action
        i += size
    while at > start and _is_blank(out[at - 1]):
        at -= 1
        counts[_TRIM] += 1
    return at


@numba.njit(cache=True, nogil=True)
def rewrite(
    data: np.ndarray,
    offsets: np.ndarray,
    table: np.ndarray,
    blank_lines: int,
    out: np.ndarray,
    ends: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Apply the plain rules to each document.

    Args:
        data, offsets, table, blank_lines: as in `marks`.
        out: at least `offsets[-1] - offsets[0]` bytes, written from its start.
        ends: (num_docs + 1) int64, becomes the offsets into `out`.
        counts: (num_docs, len(PLAIN_CHANGES)) int32, what was changed is added.
    """
    ends[0] = 0
    for doc in range(len(offsets) - 1):
        ends[doc + 1] = _rewrite_one(
            data, offsets[doc], offsets[doc + 1], table, blank_lines, out, ends[doc], counts[doc]
        )
