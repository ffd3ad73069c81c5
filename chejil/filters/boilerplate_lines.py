"""Which lines of a document are menu, footer, byline, copyright notice or widget: the judge of one line.

A phrase alone proves nothing: 주소 (address) and "search" stand in prose too. So a line is judged by what its
phrases leave over. Its letters are covered as far as they can be by phrases of the lexicon
(`lexicons/boilerplate.yaml`) that begin and end where words do; the phrases bring points; and a line of enough
points is boilerplate if few of its letters are left. Menus of words that no lexicon has are short segments between
separators: there half of the letters may be left. A line of prose loses after about eighty letters (forty
syllables), and is not read further but to find its end.

The best cover is found in one pass: the value of the best chain of phrases up to each of the last 64 characters
stands in a ring, and a phrase that ends here is added to the value where it began. A value is four numbers of 16 bits
(letters covered, points, letters explained by notices and by labels), so that comparing two is one instruction.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from chejil.filters.lexicons import lexicon
from chejil.filters.line_counts import CLOSER as MARK_CLOSER
from chejil.filters.line_counts import TERMINAL as MARK_TERMINAL
from chejil.filters.line_counts import mark_table
from chejil.filters.phrases import Phrases, advance, compile_phrases, fold
from chejil.filters.unicode_classes import (
    ALPHABETIC,
    CLASS_BITS,
    CONJOINING,
    DIGIT,
    HANGUL,
    JAMO,
    LATIN,
    WHITESPACE,
    class_table,
    next_char,
)

KINDS = ("news", "copyright", "footer", "widget", "menu")
"""Kinds of boilerplate lines; a verdict is 1 + the index of one, or one of these (WEAK - the index: a menu written
below one another has lines of a single word, which prove something only together)."""
PROSE, UNSURE, BLANK, WEAK = 0, -1, -2, -3

ENOUGH_POINTS, FEW_POINTS = 8, 6  # fewer where separators, dates or counts stand between the words
MIN_DIGITS = 4
MAX_LETTERS_A_POINT, MAX_LETTERS_A_NOTICE_POINT, MAX_NOTICE_LETTERS = 5, 16, 48
MAX_LINE_CHARS = 1000
MAX_UNSURE_LETTERS = 32
MAX_LEFT_LETTERS = 80  # beyond those covered, as many again and those explained: given up
MAX_SEGMENT_LETTERS = 28
MIN_SEGMENTS = 3
MIN_WEAK_RUN = 3
NUMBER, LATIN_WORD, HANGUL_WORD, OTHER_WORD, WORD_CLASS = 1, 2, 3, 4, 7
SEPARATOR, CODE, TERMINAL, CLOSER, SPACE, OPENER, LOWER = 8, 16, 32, 64, 128, 256, 512
_RING = 64
_COVERED, _POINTS, _NOTICE = 48, 32, 16
_FIELD = 0xFFFF
_NEWLINE = 0x0A


class Tables(NamedTuple):
    """What the judge reads: `chars` (65536) uint16 bits of a character; `phrases`; and of each phrase its `value`
    (int64, four packed numbers), `points` (int64), `kind` (int8, index into KINDS or -1) and `open` (bool)."""

    chars: np.ndarray
    phrases: Phrases
    value: np.ndarray
    points: np.ndarray
    kind: np.ndarray
    open: np.ndarray


def entries() -> dict[str, tuple[str, str]]:
    """(kind, what it is worth) of each phrase of the lexicon, folded; "\\n" stands for the beginning of the line."""
    table = lexicon("boilerplate")
    found = dict.fromkeys(_phrases(table["filler"]), ("filler", "filler"))
    for kind in KINDS:
        for worth, listed in table[kind].items():
            for phrase in _phrases(listed):
                assert phrase not in found, f"{phrase!r} stands twice in boilerplate.yaml"
                found[phrase] = (kind, worth)
    for phrase in list(found):
        found.setdefault(_unspaced(phrase), found[phrase])
        found.setdefault(phrase.replace(" :", ":"), found[phrase])
        found.setdefault(phrase.replace(" :", ":").replace(":", " :"), found[phrase])
    return found


def _phrases(listed: str) -> list[str]:
    return [fold(phrase.strip()).replace("^", "\n") for phrase in listed.split(",") if phrase.strip()]


def _unspaced(phrase: str) -> str:
    """A Korean phrase without its spaces; writers leave them out."""
    return phrase.replace(" ", "") if is_korean(phrase) else phrase


def is_korean(phrase: str) -> bool:
    """Whether it holds a Hangul syllable."""
    return any("가" <= char <= "힣" for char in phrase)


@cache
def tables() -> Tables:
    """Read the lexicon, once a process (0.3 s)."""
    found, worth_of = entries(), lexicon("boilerplate")
    chars, value, points = char_table(), [], []
    for phrase, (_, worth) in found.items():
        letters = sum(letters_of(chars[ord(char)] & WORD_CLASS) for char in phrase)
        points.append(worth_of["points"][worth])
        explained = worth_of["explains"].get(worth, 0)
        notice = explained if worth == "notice" else 0
        value.append(letters << _COVERED | points[-1] << _POINTS | notice << _NOTICE | explained - notice)
    kinds = [KINDS.index(kind) if kind in KINDS else -1 for kind, _ in found.values()]
    opens = [worth == "notice" for _, worth in found.values()]
    compiled = compile_phrases(list(found))
    assert compiled.lengths.max() < _RING
    return Tables(
        chars, compiled, np.array(value), np.array(points), np.array(kinds, np.int8), np.array(opens)
    )


@njit(cache=True, nogil=True)
def letters_of(word):
    """What a character of that class counts: a Latin letter 1, a letter of another script 2, any other 0.

    A Korean syllable says about as much as two letters of English, so that one set of numbers does for both.
    """
    return (word > NUMBER) + (word > LATIN_WORD)


@cache
def char_table() -> np.ndarray:
    """Bits of each code point below U+10000, (65536) uint16: class of word character (0 none, NUMBER, letters by
    script), SEPARATOR, CODE, TERMINAL, CLOSER, SPACE, OPENER, LOWER."""
    classes = class_table()[: 1 << 16]
    kinds, alphabetic = classes & CLASS_BITS, classes & ALPHABETIC != 0
    chars = np.zeros(1 << 16, np.uint16)
    chars[alphabetic] = OTHER_WORD
    chars[alphabetic & (kinds == LATIN)] = LATIN_WORD
    chars[alphabetic & ((kinds == HANGUL) | (kinds == CONJOINING) | (kinds == JAMO))] = HANGUL_WORD
    chars[kinds == DIGIT] = NUMBER
    chars[kinds == WHITESPACE] = SPACE
    marks = mark_table()
    chars[marks & MARK_TERMINAL != 0] |= TERMINAL
    chars[marks & MARK_CLOSER != 0] |= CLOSER
    chars[ord("a") : ord("z") + 1] |= LOWER
    marked = {"separators": SEPARATOR, "code": CODE, "openers": OPENER, "unfinished": TERMINAL}
    for name, bit in marked.items():
        for char in lexicon("boilerplate")[name]:
            chars[ord(char)] |= bit
    chars.flags.writeable = False
    return chars


@njit(cache=True, nogil=True)
def judge_lines(data, i, end, tables, starts, verdicts, sizes):
    """Judge each line that is not blank of the bytes from `i` to `end`.

    Fills `starts` (where the line begins, int64), `verdicts` (int8) and `sizes` (characters above U+0020, int64),
    which must have room for every line, and returns how many there are.
    """
    num, ring, votes = 0, np.zeros(_RING, np.int64), np.zeros(len(KINDS), np.int64)
    while i < end:
        starts[num] = i
        verdicts[num] = judge_line(data, i, end, tables, ring, votes)
        sizes[num], i = line_size(data, i, end)
        num += verdicts[num] != BLANK
    settle(verdicts, num)
    return num


@njit(cache=True, nogil=True)
def settle(verdicts, num):
    """Make WEAK lines boilerplate of their kind in a run of at least MIN_WEAK_RUN such or better, else UNSURE."""
    first = 0
    for line in range(num + 1):
        if line < num and (verdicts[line] > 0 or verdicts[line] <= WEAK):
            continue
        enough = line - first >= MIN_WEAK_RUN
        for weak in range(first, line):
            if verdicts[weak] <= WEAK:
                verdicts[weak] = 1 + WEAK - verdicts[weak] if enough else UNSURE
        first = line + 1


@njit(cache=True, nogil=True)
def line_size(data, i, end):
    """Visible characters of the line at `i`, and where the next one begins."""
    visible = 0
    while i < end:
        byte = data[i]
        i += 1
        visible += (byte & 0xC0 != 0x80) & (byte > 0x20)
        if byte == _NEWLINE:
            break
    return visible, i


@njit(cache=True, nogil=True)
def judge_line(data, i, end, tables, ring, votes):
    """Verdict of the line that begins at `i`; `ring` and `votes` are scratch."""
    chars, phrases, values = tables.chars, tables.phrases, tables.value
    i = skip_space(data, i, end, chars)
    if i >= end or data[i] == _NEWLINE:
        return BLANK
    first = next_char(data, i)[0]
    opening = np.int64(chars[first]) if first < 0x10000 else np.int64(0)
    lower = opening & LOWER != 0
    if opening & OPENER or is_listed(data, i, end) or (lower and not may_split(data, i, end)):
        return PROSE
    votes[:] = 0
    state, place = advance(phrases, np.int64(0), np.int64(_NEWLINE)), 1
    ring[0], ring[1] = 0, -1
    best = letters = digits = segment = longest = np.int64(0)
    segments, word_before, seen, ending = 0, 0, 0, 0
    while i < end:
        point, i = next_char(data, i)
        if point == _NEWLINE:
            break
        bits = np.int64(chars[point]) if point < 0x10000 else np.int64(0)
        word = bits & WORD_CLASS
        if word == 0 or word != word_before:
            best = ring[place & _RING - 1] = max(best, ring[place & _RING - 1])
            covered = best >> _COVERED
            if letters > MAX_LEFT_LETTERS + 2 * covered + explained(best) or place > MAX_LINE_CHARS:
                return PROSE
        if bits & SEPARATOR and segment:
            segments, longest, segment = segments + 1, max(longest, segment), np.int64(0)
        letters += letters_of(word)
        segment += letters_of(word)
        digits += word == NUMBER
        seen |= bits | (CODE if is_code(data, i, end, point, word_before) else 0)
        if not bits & (SPACE | CLOSER):
            ending = bits
        word_before = word
        state = advance(phrases, state, point)
        place += 1
        value, match = np.int64(-1), state
        while phrases.found[match]:
            number = phrases.found[match] - 1
            before = ring[place - phrases.lengths[number] & _RING - 1]
            if before >= 0:
                value = max(value, before + values[number])
                if tables.points[number]:
                    votes[tables.kind[number]] += tables.points[number]
                if tables.open[number]:
                    best = max(best, value)
            match = phrases.shorter[match]
        ring[place & _RING - 1] = value
    best = max(best, ring[place & _RING - 1])
    segments, longest = segments + (segment > 0), max(longest, segment)
    split = segments >= MIN_SEGMENTS and longest <= MAX_SEGMENT_LETTERS
    if lower and not split:
        return PROSE
    code, terminal = seen & CODE != 0, ending & TERMINAL != 0
    sorted_out = split or digits >= MIN_DIGITS or (segments > 1 and best >> _COVERED == letters)
    enough = best >> _POINTS & _FIELD >= (FEW_POINTS if sorted_out else ENOUGH_POINTS)
    if enough and is_boilerplate(letters, best, split, code, terminal):
        return 1 + np.argmax(votes)
    if code or terminal or letters > MAX_UNSURE_LETTERS:
        return PROSE
    weak = best >> _POINTS & _FIELD and letters - (best >> _COVERED) <= letters // 4
    return WEAK - np.argmax(votes) if weak else UNSURE


@njit(cache=True, nogil=True)
def is_boilerplate(letters, best, split, code, terminal):
    """Whether a line with points enough and so many letters, of which `best` covers most, is boilerplate.

    `split`: short segments between separators; `code`: it holds marks of code; `terminal`: it ends a sentence or goes
    on, so that a label explains nothing.
    """
    left, points, notice = letters - (best >> _COVERED), best >> _POINTS & _FIELD, best >> _NOTICE & _FIELD
    if terminal or notice:
        few = left <= letters // (10 if terminal else 4) + min(notice, MAX_NOTICE_LETTERS)
        return (
            few and letters <= (MAX_LETTERS_A_NOTICE_POINT if notice else MAX_LETTERS_A_POINT // 2) * points
        )
    if code or letters > MAX_LETTERS_A_POINT * points:
        return False
    if points < ENOUGH_POINTS and not split:
        return left <= letters // 10
    return left <= letters // (2 if split else 4) + explained(best)


@njit(cache=True, nogil=True)
def is_code(data, i, end, point, word_before):
    """Whether a mark before byte `i` is that of a call such as print(x), of a link of Markdown ](x), ]] or of a URL."""
    if i >= end:
        return False
    if point == 0x3A:
        return data[i] == 0x2F and i + 1 < end and data[i + 1] == 0x2F
    if point == 0x5D:
        return data[i] == 0x28 or data[i] == 0x5D
    return point == 0x28 and word_before == LATIN_WORD and not 0x30 <= data[i] <= 0x39


@njit(cache=True, nogil=True)
def explained(best):
    """Letters that the notices and labels of a chain explain beside their own."""
    return (best >> _NOTICE & _FIELD) + (best & _FIELD)


@njit(cache=True, nogil=True)
def skip_space(data, i, end, chars):
    """Where the first visible character or the line break is."""
    while i < end and data[i] != _NEWLINE:
        code, after = next_char(data, i)
        if code > 0xFFFF or not chars[code] & SPACE:
            break
        i = after
    return i


@njit(cache=True, nogil=True)
def may_split(data, i, end):
    """Whether a line has bytes enough that may be separators, at a glance. Wrapped prose begins with a small letter."""
    marks = 0
    while i < end and data[i] != _NEWLINE:
        byte = data[i]
        marks += byte >= 0xC0 or byte == 0x7C or byte == 0x3E or byte == 0x2F
        i += 1
    return marks >= MIN_SEGMENTS - 1


@njit(cache=True, nogil=True)
def is_listed(data, i, end):
    """Whether a line begins as an item of a list does: - * + 1. 1)"""
    byte, digits = data[i], 0
    if byte == 0x2D or byte == 0x2A or byte == 0x2B:
        return i + 1 >= end or data[i + 1] <= 0x20
    while i < end and 0x30 <= data[i] <= 0x39 and digits < 3:
        i, digits = i + 1, digits + 1
    dotted = i + 1 < end and (data[i] == 0x2E or data[i] == 0x29) and data[i + 1] == 0x20
    return 0 < digits < 3 and dotted
