"""Which lines of a document are menu, footer, byline, copyright notice or widget: the judge of one line.

A phrase alone proves nothing: 주소 (address) and "search" stand in prose too. So a line is judged by what its
phrases leave over. Its letters are covered as far as they can be by phrases of the lexicon
(`lexicons/boilerplate.yaml`) that begin and end where words do; the phrases bring points; and a line of enough
points is boilerplate if few of its letters are left. Menus of words that no lexicon has are short segments between
separators: there half of the letters may be left. A line of prose loses after about eighty letters (forty
syllables), and is not read further; where lines begin and end is told by the table of words.

How lines are covered: `boilerplate_cover.py`. What else decides (separators, digits, marks of code:
`boilerplate_shape.py`) is looked at only where the points leave a choice: nine lines of prose in ten are settled
before.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.boilerplate_cover import GIVEN_UP, SLOTS, cover, explained, find_edges
from chejil.filters.boilerplate_shape import (
    MAX_LINE_CHARS,
    MAX_SEGMENT_LETTERS,
    MIN_SEGMENTS,
    begins_like_prose,
    is_terminal,
    is_too_long,
    looks_like_code,
    shape,
)
from chejil.filters.boilerplate_tables import COVERED, FIELD, KINDS, NOTICE, POINTS
from chejil.filters.line_counts import line_end, line_start

PROSE, UNSURE, WEAK = 0, -1, -2
"""A verdict is 1 + the index of a kind, or one of these (WEAK - the index: a menu written below one another has lines
of a single word, which prove something only together)."""

ENOUGH_POINTS, FEW_POINTS = 8, 6  # fewer where separators, dates or counts stand between the words
MIN_DIGITS = 4
MAX_LETTERS_A_POINT, MAX_LETTERS_A_NOTICE_POINT, MAX_NOTICE_LETTERS = 5, 16, 48
MAX_UNSURE_LETTERS = 32
MIN_WEAK_RUN = 3
_NEWLINE, _BLANK = 0x0A, 0x20


@njit(cache=True, nogil=True)
def judge_lines(codes, at, end, begins, ends, lines, tables, starts, verdicts, sizes):
    """Judge the lines of a document, the characters from `at` to `end`.

    Fills `starts` (where the line begins, int64), `verdicts` (int8) and `sizes` (characters above U+0020, int64),
    which must have room for every line.

    Args:
        begins, ends: where words begin and end.
        lines: the first word of each line that is not blank, and the first behind the last line.
    """
    edges, ring = np.empty((2, MAX_LINE_CHARS + 1), np.int64), np.full((2, SLOTS), -1, np.int64)
    votes = np.empty(len(KINDS), np.int64)
    num = len(lines) - 1
    for line in range(num):
        first, stop = np.int64(begins[lines[line]]), line_end(codes, np.int64(ends[lines[line + 1] - 1]), end)
        starts[line] = line_start(codes, first, at)
        verdicts[line] = judge_line(codes, first, stop, tables, edges, ring, votes)
        sizes[line] = count_visible(codes[starts[line] : stop])
    settle(verdicts, num)


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
def count_visible(codes):
    """Characters above U+0020; of a slice, as a processor counts many at once."""
    visible = np.int64(0)
    for at in range(len(codes)):
        visible += codes[at] > _BLANK
    return visible


@njit(cache=True, nogil=True, inline="always")
def judge_line(codes, at, end, tables, edges, ring, votes):
    """Verdict of the line whose first word begins at `at`, up to `end`; what follows `tables` is scratch."""
    chars = tables.chars
    if begins_like_prose(codes, at, end, chars) or is_too_long(codes, at, end, chars):
        return PROSE
    terminal = is_terminal(codes, at, end, chars)
    num, letters = find_edges(codes, at, end, chars, edges)
    most_left = most_left_letters(letters, terminal)
    best = cover(codes, end, tables, edges, num, ring, votes, most_left)
    if best == GIVEN_UP:
        return PROSE
    return judge_cover(codes, at, end, chars, letters, best, terminal, np.argmax(votes))


@njit(cache=True, nogil=True)
def most_left_letters(letters, terminal):
    """The most letters that may be left in a line that is no prose: few where it ends a sentence, else any number."""
    return letters // 10 + MAX_NOTICE_LETTERS if terminal else letters


@njit(cache=True, nogil=True)
def judge_cover(codes, at, end, chars, letters, best, terminal, kind):
    """Verdict of a line of so many letters whose best chain of phrases is `best`, most of them of this kind."""
    points, left = best >> POINTS & FIELD, letters - (best >> COVERED)
    no_more = terminal or letters > MAX_UNSURE_LETTERS
    if no_more and (points < FEW_POINTS or left > letters // 2 + explained(best)):
        return PROSE
    if points == 0:
        return PROSE if looks_like_code(codes, at, end, chars) else UNSURE
    segments, longest, digits, code = shape(codes, at, end, chars)
    split = segments >= MIN_SEGMENTS and longest <= MAX_SEGMENT_LETTERS
    sorted_out = split or digits >= MIN_DIGITS or (segments > 1 and left == 0)
    enough = points >= (FEW_POINTS if sorted_out else ENOUGH_POINTS)
    if enough and is_boilerplate(letters, best, split, code, terminal):
        return 1 + kind
    if code or no_more:
        return PROSE
    return WEAK - kind if left <= letters // 4 else UNSURE


@njit(cache=True, nogil=True)
def is_boilerplate(letters, best, split, code, terminal):
    """Whether a line with points enough and so many letters, of which `best` covers most, is boilerplate.

    `split`: short segments between separators; `code`: it holds marks of code; `terminal`: it ends a sentence or goes
    on, so that a label explains nothing.
    """
    left, points, notice = letters - (best >> COVERED), best >> POINTS & FIELD, best >> NOTICE & FIELD
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
