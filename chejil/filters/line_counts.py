"""The pass over a text that counts its lines and paragraphs, and finds those that were there before.

A line is a 64-bit hash of its characters in an open-addressing table that is sized to the document and used again for
the next one: a false duplicate has a chance of 2^-63 a pair, no string is made, and the pass runs at 550 MB/s of Korean
and 360 of English. At worst (16 MB of two-byte lines) the table takes 256 MB; ordinary text needs a hundredth of that.
What the counts mean stands in `lines.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.lexicons import lexicon
from chejil.filters.unicode_classes import ALPHABETIC, CLASS_BITS, WHITESPACE

COUNTERS = (
    "text_chars", "newlines", "lines", "line_chars", "paragraphs",
    "terminal_lines", "short_lines", "bullet_lines", "ellipsis_lines",
    "dup_lines", "dup_line_chars", "dup_paragraphs", "dup_paragraph_chars", "punct_lines",
    "sentence_lines", "data_line_chars",
)  # fmt: skip
TEXT_CHARS, NEWLINES, LINES, LINE_CHARS, PARAGRAPHS = range(5)
TERMINAL_LINES, SHORT_LINES, BULLET_LINES, ELLIPSIS_LINES = range(5, 9)
(
    DUP_LINES,
    DUP_LINE_CHARS,
    DUP_PARAGRAPHS,
    DUP_PARAGRAPH_CHARS,
    PUNCT_LINES,
    SENTENCE_LINES,
    DATA_LINE_CHARS,
) = range(9, 16)

SHORT_LINE_CHARS = 30  # FineWeb's code compares with <= where its paper says "shorter than"
TERMINAL, CLOSER, BULLET, ELLIPSIS, PUNCT, SENTENCE, DATA = 1, 2, 4, 8, 16, 32, 64
BRACKET = 128
_QUOTE, _COMMA, _COLON = ord('"'), ord(","), ord(":")
_NEWLINE, _SPACE, _STAR, _DOT, _ELLIPSIS = ord("\n"), ord(" "), ord("*"), ord("."), ord("…")
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a, here over code points


@cache
def mark_table() -> np.ndarray:
    """TERMINAL, CLOSER, BULLET, PUNCT and BRACKET bits of each code point below U+10000, (65536) uint8, read-only."""
    table = np.zeros(1 << 16, np.uint8)
    kinds = {
        "terminal": TERMINAL, "korean_final": TERMINAL, "closer": CLOSER, "bullet": BULLET, "bracket": BRACKET
    }  # fmt: skip
    for name, bit in kinds.items():
        for char in lexicon("line_marks")[name]:
            table[ord(char)] |= bit
    for first, last in lexicon("sentence_terminals")["sentence_terminal"]:
        table[first : last + 1] |= PUNCT
    table.flags.writeable = False
    return table


@njit(cache=True, nogil=True)
def count_lines(codes, flags, char_starts, marks, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    scratch = np.zeros(1024, np.uint64)
    for doc in range(len(char_starts) - 1):
        at, end = char_starts[doc], char_starts[doc + 1]
        counts[doc, TEXT_CHARS] = end - at
        counts[doc, NEWLINES], slots = count_newlines(codes, at, end)
        if slots > len(scratch):
            scratch = np.zeros(slots, np.uint64)
        seen = scratch[:slots]
        seen[:] = 0
        paragraph, paragraph_chars = np.uint64(0), 0
        while at < end:
            stop = line_end(codes, at, end)
            first, last = visible_part(flags, at, stop)
            if first < last:
                line, chars = hash_of(codes, at, stop), stop - at
                end_line(counts[doc], chars, line, bits_of(codes, flags, first, last, end, marks), seen)
                paragraph_chars += chars + (paragraph_chars > 0)  # and the line break between them
                paragraph = (paragraph ^ line) * _PRIME
            at = stop + 1
            if paragraph_chars and (first >= last or at >= end):
                end_paragraph(counts[doc], paragraph_chars, paragraph, seen)
                paragraph, paragraph_chars = np.uint64(0), 0


@njit(cache=True, nogil=True)
def count_newlines(codes, at, end):
    """Line breaks, and slots (a power of two) of which lines and paragraphs fill at most two thirds."""
    newlines = lines = np.int64(0)
    text = codes[at:end]  # of a slice, which begins at 0, the compiler knows enough to count eight at a time
    for place in range(len(text)):
        newlines += text[place] == _NEWLINE
    before = text[: max(len(text) - 1, 0)]
    for place in range(len(before)):
        lines += (before[place] == _NEWLINE) & (text[place + 1] != _NEWLINE)
    slots = np.int64(8)
    while slots < 3 * (lines + 1):
        slots *= 2
    return newlines, slots


@njit(cache=True, nogil=True)
def line_start(codes, at, begin):
    """Where the line of the character at `at` begins, in a document that begins at `begin`."""
    while at > begin and codes[at - 1] != _NEWLINE:
        at -= 1
    return at


@njit(cache=True, nogil=True)
def line_end(codes, at, end):
    """Place of the next line break, or `end`."""
    while at < end and codes[at] != _NEWLINE:
        at += 1
    return at


@njit(cache=True, nogil=True)
def visible_part(flags, first, last):
    """Where what is not white space begins and ends; both the same where there is nothing else."""
    while first < last and flags[first] & CLASS_BITS == WHITESPACE:
        first += 1
    while first < last and flags[last - 1] & CLASS_BITS == WHITESPACE:
        last -= 1
    return first, last


@njit(cache=True, nogil=True)
def hash_of(codes, at, end):
    """64 bits of a line, never 0: FNV-1a over its characters in four lanes, which a processor takes side by side."""
    one, two, three, four = _BASIS, _BASIS + _PRIME, _BASIS ^ _PRIME, ~_BASIS
    line = codes[at:end]
    whole = len(line) // 4
    for place in range(whole):
        one = (one ^ np.uint64(line[4 * place])) * _PRIME
        two = (two ^ np.uint64(line[4 * place + 1])) * _PRIME
        three = (three ^ np.uint64(line[4 * place + 2])) * _PRIME
        four = (four ^ np.uint64(line[4 * place + 3])) * _PRIME
    for code in line[4 * whole :]:
        one = (one ^ np.uint64(code)) * _PRIME
    for lane in (two, three, four):
        one = (one ^ lane ^ one >> np.uint64(32)) * _PRIME
    return one | np.uint64(1)


@njit(cache=True, nogil=True)
def bits_of(codes, flags, first, last, end, marks):
    """TERMINAL, BULLET, ELLIPSIS, PUNCT, SENTENCE and DATA bits of the line seen from `first` to `last`; `end`: of the
    text."""
    bits = marks_of(codes[first], marks) & BULLET | marks_of(codes[last - 1], marks) & PUNCT
    if codes[first] == _STAR and (first + 1 >= end or codes[first + 1] != _SPACE):
        bits &= ~BULLET
    ending = last - 1
    while ending >= first and closes(codes[ending], flags[ending], marks):
        ending -= 1
    if ending >= first:
        bits |= marks_of(codes[ending], marks) & TERMINAL | trails_off(codes, first, ending) * ELLIPSIS
    if bits & TERMINAL or holds_sentence(codes, flags, first, last, marks):
        bits |= SENTENCE
    return bits | DATA if is_data(codes, first, last, marks) else bits


@njit(cache=True, nogil=True)
def is_data(codes, first, last, marks):
    """Whether a line is one of JSON: brackets alone, or a quotation mark first and then a name or an item of a list."""
    if codes[first] != _QUOTE:
        while first < last and marks_of(codes[first], marks) & BRACKET:
            first += 1
        return first == last
    if last - first > 2 and codes[last - 1] == _COMMA and codes[last - 2] == _QUOTE:
        return True
    for at in range(first + 1, last - 1):
        if codes[at] == _QUOTE:
            return codes[at + 1] == _COLON
    return False


@njit(cache=True, nogil=True)
def marks_of(code, marks):
    """Bits of `mark_table`; none beyond U+FFFF."""
    return np.int64(marks[min(code, 0xFFFF)])


@njit(cache=True, nogil=True)
def trails_off(codes, first, ending):
    """Whether the character at `ending` is an ellipsis, or the last of three dots."""
    if codes[ending] == _DOT and ending - first >= 2:
        return codes[ending - 1] == _DOT and codes[ending - 2] == _DOT
    return codes[ending] == _ELLIPSIS


@njit(cache=True, nogil=True)
def holds_sentence(codes, flags, first, last, marks):
    """Whether a mark that ends sentences stands behind a letter and before white space or a closing mark."""
    for at in range(first + 1, last - 1):
        ends = marks_of(codes[at], marks) & TERMINAL and not flags[at] & ALPHABETIC
        if ends and flags[at - 1] & ALPHABETIC and closes(codes[at + 1], flags[at + 1], marks):
            return True
    return False


@njit(cache=True, nogil=True)
def closes(code, flags, marks):
    """Whether a character may follow the end of a sentence: white space, a closing quote or bracket, laughing."""
    return flags & CLASS_BITS == WHITESPACE or marks_of(code, marks) & CLOSER != 0


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
    row[SENTENCE_LINES] += bits & SENTENCE != 0
    row[DATA_LINE_CHARS] += chars if bits & DATA else 0
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
