"""One hand-written matcher for each pre-tokenisation regex, and the steps that they share; splitting.py chooses.

Each takes the same way through the alternatives of its regex as Oniguruma would. A character is one table lookup
(unicode_classes.py), ASCII without decoding; a category is asked by a bit of a constant.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.tokenizer.pretokens.letter_runs import CASE_IGNORED, ascii_end, hangul_end
from chejil.tokenizer.pretokens.unicode_classes import (
    BLANK,
    CASELESS,
    CATEGORY_BITS,
    HANGUL,
    LATIN,
    LOWER,
    MARK,
    MODIFIER,
    NEWLINE,
    NUMBER,
    OTHER,
    SCRIPT_SHIFT,
    SPACE,
    TITLE,
    UPPER,
)

_LETTERS = 1 << UPPER | 1 << LOWER | 1 << TITLE | 1 << MODIFIER | 1 << CASELESS
_BOTH = 1 << MODIFIER | 1 << CASELESS | 1 << MARK  # what o200k takes for upper and for lower case
_UPPERS, _LOWERS = _BOTH | 1 << UPPER | 1 << TITLE, _BOTH | 1 << LOWER
_NUMBERS = 1 << NUMBER
_WHITE = 1 << BLANK | 1 << NEWLINE | 1 << SPACE
_REST = 1 << OTHER | 1 << MARK  # [^\s\p{L}\p{N}]
_BEFORE_LETTERS = _REST | 1 << BLANK | 1 << SPACE  # [^\r\n\p{L}\p{N}]

SPACE_BYTE, APOSTROPHE, _SLASH = ord(" "), ord("'"), ord("/")
_MARKS = tuple(b".,!?")
_LONG_S = (0xC5, 0xBF)  # U+017F, an s to whoever ignores case


@njit(cache=True, nogil=True, forceinline=True)
def next_class(data, at, end, classes):
    """Category and script of the character at byte `at`, and where the next one starts; `at` lies before `end`."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return np.int64(classes[lead]), at + 1
    if lead < 0xE0:
        if at + 2 > end:
            return np.int64(OTHER), end
        return np.int64(classes[(lead & 0x1F) << 6 | np.int64(data[at + 1]) & 0x3F]), at + 2
    if lead < 0xF0:
        if at + 3 > end:
            return np.int64(OTHER), end
        point = (lead & 0x0F) << 12 | (np.int64(data[at + 1]) & 0x3F) << 6 | np.int64(data[at + 2]) & 0x3F
        return np.int64(classes[point]), at + 3
    if at + 4 > end:
        return np.int64(OTHER), end
    point = (lead & 0x07) << 18 | (np.int64(data[at + 1]) & 0x3F) << 12
    point |= (np.int64(data[at + 2]) & 0x3F) << 6 | np.int64(data[at + 3]) & 0x3F
    return np.int64(classes[point]), at + 4


@njit(cache=True, nogil=True, forceinline=True)
def _is(found, categories):
    return categories >> (found & CATEGORY_BITS) & 1 != 0


@njit(cache=True, nogil=True, forceinline=True)
def _run_end(data, at, end, classes, categories):
    """The end of the characters of some categories that begin at `at`, maybe none."""
    while at < end:
        found, after = next_class(data, at, end, classes)
        if not _is(found, categories):
            break
        at = after
    return at


@njit(cache=True, nogil=True)
def _contraction(data, at, end, ignore_case):
    """Behind 's 't 're 've 'm 'll 'd at an apostrophe; `at` where there is none."""
    if at + 1 >= end:
        return at
    fold = 0x20 if ignore_case else 0
    first = data[at + 1] | fold
    if first == ord("s") or first == ord("t") or first == ord("m") or first == ord("d"):
        return at + 2
    if at + 2 >= end:
        return at
    if ignore_case and data[at + 1] == _LONG_S[0] and data[at + 2] == _LONG_S[1]:
        return at + 3
    second = data[at + 2] | fold
    if second == ord("e") and (first == ord("r") or first == ord("v")):
        return at + 3
    return at + 3 if first == ord("l") and second == ord("l") else at


@njit(cache=True, nogil=True, forceinline=True)
def _digits(data, at, end, classes, most):
    """Behind at most `most` numbers."""
    for _ in range(most):
        if at >= end:
            break
        found, after = next_class(data, at, end, classes)
        if not _is(found, _NUMBERS):
            break
        at = after
    return at


@njit(cache=True, nogil=True, forceinline=True)
def _rest(data, at, end, classes, slash):
    """[^\\s\\p{L}\\p{N}]+ and the line ends behind it (and slashes, in o200k)."""
    at = _run_end(data, at, end, classes, _REST)
    while at < end and (data[at] == 0x0A or data[at] == 0x0D or (slash and data[at] == _SLASH)):
        at += 1
    return at


@njit(cache=True, nogil=True)
def _white(data, at, end, classes, lines):
    """\\s*[\\r\\n]+ (where `lines`), else \\s+(?!\\S), else \\s+."""
    start, last, behind_line = at, at, at
    while at < end:
        found, after = next_class(data, at, end, classes)
        if not _is(found, _WHITE):
            break
        last, at = at, after
        if found & CATEGORY_BITS == NEWLINE:
            behind_line = after
    if lines and behind_line > start:
        return behind_line
    return at if at == end or last == start else last


@njit(cache=True, nogil=True, forceinline=True)
def _letters_end(data, at, end, classes):
    """Behind the letters that begin at `at`, maybe none."""
    while at < end:
        start = at
        at = ascii_end(data, at, end, CASE_IGNORED) if data[at] < 0x80 else hangul_end(data, at, end)
        if at == start:
            found, after = next_class(data, at, end, classes)
            if not _is(found, _LETTERS):
                break
            at = after
    return at


@njit(cache=True, nogil=True, forceinline=True)
def _script_end(data, at, end, classes):
    """Behind the letters of one script that begin at `at`, and sentence marks behind Hangul; maybe none.

    Scripts that have no class of their own are one.
    """
    start, script = at, np.int64(-1)
    at = ascii_end(data, at, end, CASE_IGNORED) if data[at] < 0x80 else hangul_end(data, at, end)
    if at > start:
        script = np.int64(LATIN if data[start] < 0x80 else HANGUL)
    while at < end:
        found, after = next_class(data, at, end, classes)
        if not _is(found, _LETTERS):
            break
        if script < 0:
            script = _koen_script(found)
        if _koen_script(found) != script:
            break
        at = after
    return marks_end(data, at, end) if script == HANGUL else at


@njit(cache=True, nogil=True, forceinline=True)
def marks_end(data, at, end):
    """Behind [.,!?]+[\\r\\n]*, maybe none."""
    start = at
    while at < end and is_sentence_mark(data[at]):
        at += 1
    while start < at < end and (data[at] == 0x0A or data[at] == 0x0D):
        at += 1
    return at


@njit(cache=True, nogil=True, forceinline=True)
def is_sentence_mark(byte):
    """Whether koen keeps it with the Hangul before it."""
    return byte == _MARKS[0] or byte == _MARKS[1] or byte == _MARKS[2] or byte == _MARKS[3]


@njit(cache=True, nogil=True, forceinline=True)
def _koen_script(found):
    script = found >> SCRIPT_SHIFT
    return script if script <= LATIN else 0


@njit(cache=True, nogil=True, forceinline=True)
def _cased_run(data, at, end, classes, capitals):
    """U*L+, else (where `capitals`) U+L* of o200k, U and L what may be upper and lower case; `at` where none is here.

    The greedy U* gives back as little as it must: L+ wants one that is no capital.
    """
    start, behind_both = at, at
    while at < end:
        behind = hangul_end(data, at, end)
        if behind > at:
            at = behind_both = behind
            continue
        found, after = next_class(data, at, end, classes)
        if not _is(found, _UPPERS):
            break
        at = after
        if _is(found, _BOTH):
            behind_both = after
    lower_end = ascii_end(data, at, end, np.uint64(0))
    lower_end = _run_end(data, lower_end, end, classes, _LOWERS)
    if lower_end > at:
        return lower_end
    if behind_both > start:
        return behind_both
    return at if capitals else start


@njit(cache=True, nogil=True, forceinline=True)
def gpt2(data, at, end, classes):
    """Words, numbers and the rest, each with the space before it."""
    start = at + (data[at] == SPACE_BYTE)
    if start < end:
        behind = _letters_end(data, start, end, classes)
        if behind > start:
            return behind
    if data[at] == APOSTROPHE:
        behind = _contraction(data, at, end, False)
        if behind > at:
            return behind
    if start < end:
        found, after = next_class(data, start, end, classes)
        if _is(found, _NUMBERS):
            return _run_end(data, after, end, classes, _NUMBERS)
        if _is(found, _REST):
            return _run_end(data, after, end, classes, _REST)
    return _white(data, at, end, classes, False)


@njit(cache=True, nogil=True, forceinline=True)
def gpt4(data, at, end, classes, digits, scripts):
    """Also koen, which cuts letters by script, and qwen2; they differ in the number of digits."""
    if data[at] == APOSTROPHE:
        behind = _contraction(data, at, end, True)
        if behind > at:
            return behind
    start, found, after = at + 1, np.int64(SPACE), at + 1
    if data[at] != SPACE_BYTE:
        found, after = next_class(data, at, end, classes)
        if _is(found, _NUMBERS):
            return _digits(data, after, end, classes, digits - 1)
        start = after if _is(found, _BEFORE_LETTERS) else at
    if start < end:
        behind = (
            _script_end(data, start, end, classes) if scripts else _letters_end(data, start, end, classes)
        )
        if behind > start:
            return behind
    rest = at
    if found & CATEGORY_BITS == SPACE and after < end:
        found, _ = next_class(data, after, end, classes)
        rest = after
    if _is(found, _REST):
        return _rest(data, rest, end, classes, False)
    return _white(data, at, end, classes, True)


@njit(cache=True, nogil=True, forceinline=True)
def o200k(data, at, end, classes):
    """As gpt4, but that letters are told apart by case, and contractions belong to their word."""
    found, after = next_class(data, at, end, classes)
    if _is(found, _NUMBERS):
        return _digits(data, after, end, classes, 2)
    start = after if _is(found, _BEFORE_LETTERS) else at
    mark = (
        found & CATEGORY_BITS == MARK
    )  # before letters, and a letter itself: alone before it stands before capitals
    behind = _cased_run(data, start, end, classes, not mark)
    if behind > start or mark:
        if behind < end and data[behind] == APOSTROPHE:
            return _contraction(data, behind, end, True)
        return behind
    if _is(found, _REST):
        return _rest(data, after, end, classes, True)
    if found & CATEGORY_BITS == SPACE and after < end:
        second, _ = next_class(data, after, end, classes)
        if _is(second, _REST):
            return _rest(data, after, end, classes, True)
    return _white(data, at, end, classes, True)
