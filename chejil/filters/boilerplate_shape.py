"""What a line looks like, whatever its words say: its beginning and end, segments between separators, marks of code.

These decide which lines are not worth covering with phrases at all, and what a cover means: a menu is short segments
between separators, prose begins with a small letter or ends a sentence, and code has marks that no menu has.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.boilerplate_tables import (
    CLOSER,
    CODE,
    LATIN_WORD,
    LOWER,
    MARK,
    NUMBER,
    OPENER,
    SEPARATOR,
    SPACE,
    TERMINAL,
    WORD_CLASS,
    letters_of,
)

MAX_LINE_CHARS = 1000
MAX_SEGMENT_LETTERS = 28
MIN_SEGMENTS = 3
_BLANK = 0x20
_LAST = 0xFFFF  # no character, and of no class: what lies beyond is looked up as this


@njit(cache=True, nogil=True)
def begins_like_prose(codes, at, end, chars):
    """Whether a line cannot be boilerplate by how it begins: a heading, an item of a list, a small letter.

    Wrapped prose begins with a small letter; a menu that does has short segments.
    """
    opening = chars[min(codes[at], _LAST)]
    if opening & OPENER or is_listed(codes, at, end):
        return True
    if not opening & LOWER:
        return False
    if not may_split(codes, at, end):
        return True
    segments, longest, _, _ = shape(codes, at, end, chars)
    return segments < MIN_SEGMENTS or longest > MAX_SEGMENT_LETTERS


@njit(cache=True, nogil=True)
def is_listed(codes, at, end):
    """Whether a line begins as an item of a list does: - * + 1. 1)"""
    code, digits = codes[at], 0
    if code == 0x2D or code == 0x2A or code == 0x2B:
        return at + 1 >= end or codes[at + 1] <= _BLANK
    while at < end and 0x30 <= codes[at] <= 0x39 and digits < 3:
        at, digits = at + 1, digits + 1
    dotted = at + 1 < end and (codes[at] == 0x2E or codes[at] == 0x29) and codes[at + 1] == _BLANK
    return 0 < digits < 3 and dotted


@njit(cache=True, nogil=True)
def may_split(codes, at, end):
    """Whether a line has characters enough that may be separators, at a glance."""
    marks = 0
    for place in range(at, end):
        code = codes[place]
        marks += (code >= 0x80) | (code == 0x7C) | (code == 0x3E) | (code == 0x2F)
    return marks >= MIN_SEGMENTS - 1


@njit(cache=True, nogil=True)
def is_too_long(codes, at, end, chars):
    """Whether a word ends or begins behind MAX_LINE_CHARS; a single word may be longer."""
    for place in range(at + MAX_LINE_CHARS, end):
        word = chars[min(codes[place], _LAST)] & WORD_CLASS
        if word == 0 or word != chars[min(codes[place - 1], _LAST)] & WORD_CLASS:
            return True
    return False


@njit(cache=True, nogil=True)
def is_terminal(codes, at, end, chars):
    """Whether a line ends a sentence, or says that it goes on."""
    while end > at:
        end -= 1
        bits = chars[min(codes[end], _LAST)]
        if not bits & (SPACE | CLOSER):
            return bits & TERMINAL != 0
    return False


@njit(cache=True, nogil=True)
def shape(codes, at, end, chars):
    """Segments between separators, letters of the longest, digits, and whether there are marks of code."""
    segments = segment = longest = digits = seen = np.int64(0)
    for place in range(at, end):
        bits = np.int64(chars[min(codes[place], _LAST)])
        word = bits & WORD_CLASS
        if bits & SEPARATOR and segment:
            segments, longest, segment = segments + 1, max(longest, segment), np.int64(0)
        segment += letters_of(word)
        digits += word == NUMBER
        seen |= bits
    code = seen & CODE != 0 or (seen & MARK != 0 and has_code(codes, at, end, chars))
    return segments + (segment > 0), max(longest, segment), digits, code


@njit(cache=True, nogil=True)
def looks_like_code(codes, at, end, chars):
    """Whether a line has marks of code, which `shape` says too."""
    seen = np.int64(0)
    for place in range(at, end):
        seen |= np.int64(chars[min(codes[place], _LAST)])
    return seen & CODE != 0 or (seen & MARK != 0 and has_code(codes, at, end, chars))


@njit(cache=True, nogil=True)
def has_code(codes, at, end, chars):
    """Whether a mark of the line is one of code because of its neighbours."""
    before = np.int64(0)
    for place in range(at, end):
        bits = np.int64(chars[min(codes[place], _LAST)])
        if bits & MARK and is_code(codes, place, end, before):
            return True
        before = bits & WORD_CLASS
    return False


@njit(cache=True, nogil=True)
def is_code(codes, at, end, before):
    """Whether a mark is that of a call such as print(x), of a link of Markdown ](x), ]] or of a URL; `before`: the
    class of the character before it."""
    if at + 1 >= end:
        return False
    mark, following = codes[at], codes[at + 1]
    if mark == 0x3A:
        return following == 0x2F and at + 2 < end and codes[at + 2] == 0x2F
    if mark == 0x5D:
        return following == 0x28 or following == 0x5D
    return mark == 0x28 and before == LATIN_WORD and not 0x30 <= following <= 0x39
