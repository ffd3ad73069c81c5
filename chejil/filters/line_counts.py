"""The pass over a text that counts its lines and paragraphs, and finds those that were there before.

A line is a 64-bit hash (FNV-1a over its code points) in an open-addressing table that is sized to the
document and used again for the next one: a false duplicate has a chance of 2^-63 a pair, no string is made,
and the pass runs at about 300 MB/s. At worst (16 MB of two-byte lines) the table takes 256 MB; ordinary text
needs a hundredth of that. What the counts mean stands in `lines.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.lexicons import lexicon
from chejil.filters.unicode_classes import CLASS_BITS, WHITESPACE, next_char

COUNTERS = (
    "text_chars", "newlines", "lines", "line_chars", "paragraphs",
    "terminal_lines", "short_lines", "bullet_lines", "ellipsis_lines",
    "dup_lines", "dup_line_chars", "dup_paragraphs", "dup_paragraph_chars", "punct_lines",
)  # fmt: skip
TEXT_CHARS, NEWLINES, LINES, LINE_CHARS, PARAGRAPHS = range(5)
TERMINAL_LINES, SHORT_LINES, BULLET_LINES, ELLIPSIS_LINES = range(5, 9)
DUP_LINES, DUP_LINE_CHARS, DUP_PARAGRAPHS, DUP_PARAGRAPH_CHARS, PUNCT_LINES = range(9, 14)

SHORT_LINE_CHARS = 30  # FineWeb's code compares with <= where its paper says "shorter than"
TERMINAL, CLOSER, BULLET, ELLIPSIS, PUNCT = 1, 2, 4, 8, 16
_NEWLINE, _SPACE, _STAR, _DOT, _ELLIPSIS = ord("\n"), ord(" "), ord("*"), ord("."), ord("…")
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a, here over code points


@cache
def mark_table() -> np.ndarray:
    """TERMINAL, CLOSER, BULLET and PUNCT bits of each code point below U+10000, (65536) uint8, read-only."""
    table = np.zeros(1 << 16, np.uint8)
    kinds = {"terminal": TERMINAL, "korean_final": TERMINAL, "closer": CLOSER, "bullet": BULLET}
    for name, bit in kinds.items():
        for char in lexicon("line_marks")[name]:
            table[ord(char)] |= bit
    for first, last in lexicon("sentence_terminals")["sentence_terminal"]:
        table[first : last + 1] |= PUNCT
    table.flags.writeable = False
    return table


@njit(cache=True, nogil=True)
def count_lines(data, offsets, table, marks, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    scratch = np.zeros(1024, np.uint64)
    for doc in range(len(offsets) - 1):
        i, end = offsets[doc], offsets[doc + 1]
        counts[doc, NEWLINES], slots = count_newlines(data, i, end)
        if slots > len(scratch):
            scratch = np.zeros(slots, np.uint64)
        seen = scratch[:slots]
        seen[:] = 0
        paragraph, paragraph_chars = np.uint64(0), 0
        while i < end:
            i, text_chars, chars, line, bits = read_line(data, i, end, table, marks)
            counts[doc, TEXT_CHARS] += text_chars
            if chars:
                end_line(counts[doc], chars, line, bits, seen)
                paragraph_chars += chars + (paragraph_chars > 0)  # and the line break between them
                paragraph = (paragraph ^ line) * _PRIME
            if paragraph_chars and (chars == 0 or i >= end):
                end_paragraph(counts[doc], paragraph_chars, paragraph, seen)
                paragraph, paragraph_chars = np.uint64(0), 0


@njit(cache=True, nogil=True)
def count_newlines(data, i, end):
    """Line breaks, and slots (a power of two) of which lines and paragraphs fill at most two thirds."""
    newlines = lines = np.int64(0)
    before = _NEWLINE
    for at in range(i, end):
        newlines += data[at] == _NEWLINE
        lines += before == _NEWLINE and data[at] != _NEWLINE
        before = data[at]
    slots = np.int64(8)
    while slots < 3 * lines:
        slots *= 2
    return newlines, slots


@njit(cache=True, nogil=True)
def read_line(data, i, end, table, marks):
    """Read to the next line break.

    Returns:
        where the next line starts; characters read, line break included; characters of the line, 0 where it
        is blank; its hash (never 0); and its TERMINAL, BULLET, ELLIPSIS and PUNCT bits.
    """
    start, text_chars, chars = i, 0, 0
    opening = ending = last = np.int64(_NEWLINE)  # none yet; no line holds one
    opened_at = ending_at = i
    line = _BASIS
    while i < end:
        code, i = next_char(data, i)
        text_chars += 1
        if code == _NEWLINE:
            break
        chars += 1
        line = (line ^ np.uint64(code)) * _PRIME
        if table[code] & CLASS_BITS != WHITESPACE:
            if opening == _NEWLINE:
                opening, opened_at = code, i
            last = code
            if code > 0xFFFF or not marks[code] & CLOSER:
                ending, ending_at = code, i
    bits = line_bits(data, start, opening, ending, ending_at, marks) | marks[min(last, 0xFFFF)] & PUNCT
    if opening == _STAR and (opened_at >= end or data[opened_at] != _SPACE):
        bits &= ~BULLET
    return i, text_chars, chars if opening != _NEWLINE else 0, line | np.uint64(1), bits


@njit(cache=True, nogil=True)
def line_bits(data, start, opening, ending, ending_at, marks):
    """Marks of a line that begins with `opening` and ends, closing marks apart, with `ending`."""
    bits = marks[min(opening, 0xFFFF)] & BULLET | marks[min(ending, 0xFFFF)] & TERMINAL
    trails_off = ending == _ELLIPSIS
    if ending == _DOT and ending_at - start >= 3:
        trails_off = data[ending_at - 2] == _DOT and data[ending_at - 3] == _DOT
    return bits | ELLIPSIS if trails_off else bits


@njit(cache=True, nogil=True)
def end_line(row, chars, line, bits, seen):
    """Count one line that is not blank."""
    row[LINES] += 1
    row[LINE_CHARS] += chars
    row[SHORT_LINES] += chars <= SHORT_LINE_CHARS
    row[TERMINAL_LINES] += bits & TERMINAL != 0
    row[BULLET_LINES] += bits & BULLET != 0
    row[ELLIPSIS_LINES] += bits & ELLIPSIS != 0
    row[PUNCT_LINES] += bits & PUNCT != 0
    if was_seen(seen, line):
        row[DUP_LINES] += 1
        row[DUP_LINE_CHARS] += chars


@njit(cache=True, nogil=True)
def end_paragraph(row, chars, paragraph, seen):
    """Count one paragraph. Its hash is of lines, so it meets no line's hash but by chance."""
    row[PARAGRAPHS] += 1
    if was_seen(seen, paragraph | np.uint64(1)):
        row[DUP_PARAGRAPHS] += 1
        row[DUP_PARAGRAPH_CHARS] += chars


@njit(cache=True, nogil=True)
def was_seen(seen, key):
    """Whether `key` (not 0) is in the open-addressing table `seen`; enters it if not."""
    slot = np.int64(key >> np.uint64(20)) & (len(seen) - 1)
    while seen[slot] != 0:
        if seen[slot] == key:
            return True
        slot = (slot + 1) & (len(seen) - 1)
    seen[slot] = key
    return False
