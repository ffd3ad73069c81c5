"""Which lines of a document are menu, footer, byline, copyright notice or widget: the judge of one line.

A phrase alone proves nothing: 주소 (address) and "search" stand in prose too. So a line is judged by what its
phrases leave over. Its letters are covered as far as they can be by phrases of the lexicon
(`lexicons/boilerplate.yaml`) that begin and end where words do; the phrases bring points; and a line of enough
points is boilerplate if few of its letters are left. Menus of words that no lexicon has are short segments between
separators: there half of the letters may be left. A line of prose loses after about eighty letters (forty
syllables), and is not read further but to find its end.

The best cover is found in one pass: the value of the best chain of phrases up to each of the next 64 characters
stands in a ring, and a phrase that begins here is added to the value that ends here. Where no chain ends, within
most words of prose, characters are only counted. What else decides (separators, digits, marks of code) is looked at
only where the points leave a choice: nine lines of prose in ten are settled before.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.boilerplate_tables import (
    BEGINS,
    CLOSER,
    CODE,
    COVERED,
    FIELD,
    KINDS,
    LATIN_WORD,
    LOWER,
    MAX_PHRASE_CHARS,
    NOTICE,
    NUMBER,
    OPENER,
    POINTS,
    SEPARATOR,
    SPACE,
    TERMINAL,
    WORD_CLASS,
    letters_of,
)
from chejil.filters.phrase_tree import PHRASE, ROOT, descend

PROSE, UNSURE, BLANK, WEAK = 0, -1, -2, -3
"""A verdict is 1 + the index of a kind, or one of these (WEAK - the index: a menu written below one another has lines
of a single word, which prove something only together)."""

ENOUGH_POINTS, FEW_POINTS = 8, 6  # fewer where separators, dates or counts stand between the words
MIN_DIGITS = 4
MAX_LETTERS_A_POINT, MAX_LETTERS_A_NOTICE_POINT, MAX_NOTICE_LETTERS = 5, 16, 48
MAX_LINE_CHARS = 1000
MAX_UNSURE_LETTERS = 32
MAX_LEFT_LETTERS = 80  # beyond those covered, as many again and those explained: given up
MAX_SEGMENT_LETTERS = 28
MIN_SEGMENTS = 3
MIN_WEAK_RUN = 3
_SLOTS = MAX_PHRASE_CHARS + 1  # of the ring, a power of two
_SLOT = _SLOTS - 1
_GIVEN_UP = -1
_NEWLINE, _BLANK = 0x0A, 0x20
_LAST = 0xFFFF  # no character, and of no class: what lies beyond is looked up as this


@njit(cache=True, nogil=True)
def judge_lines(codes, at, end, tables, starts, verdicts, sizes):
    """Judge each line that is not blank of the characters from `at` to `end`.

    Fills `starts` (where the line begins, int64), `verdicts` (int8) and `sizes` (characters above U+0020, int64),
    which must have room for every such line, and returns how many there are.
    """
    num = np.int64(0)
    edges, sums = np.zeros(MAX_LINE_CHARS + 1, np.int64), np.zeros(MAX_LINE_CHARS + 1, np.int64)
    scratch = edges, sums, np.full(_SLOTS, -1, np.int64), np.full(_SLOTS, -1, np.int64)
    votes = np.zeros(len(KINDS), np.int64)
    while at < end:
        stop, visible = line_size(codes, at, end)
        verdict = judge_line(codes, at, stop, tables, scratch, votes)
        if verdict != BLANK:
            starts[num], verdicts[num], sizes[num] = at, verdict, visible
            num += 1
        at = stop + 1
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
def line_size(codes, at, end):
    """Where the line at `at` ends, and its visible characters."""
    visible = np.int64(0)
    while at < end and codes[at] != _NEWLINE:
        visible += codes[at] > _BLANK
        at += 1
    return at, visible


@njit(cache=True, nogil=True)
def judge_line(codes, at, end, tables, scratch, votes):
    """Verdict of the line from `at` to `end`; `scratch` and `votes` are scratch."""
    chars = tables.chars
    while at < end and chars[min(codes[at], _LAST)] & SPACE:
        at += 1
    if at >= end:
        return BLANK
    if begins_like_prose(codes, at, end, chars) or is_too_long(codes, at, end, chars):
        return PROSE
    terminal = is_terminal(codes, at, end, chars)
    edges, sums, chains, opened = scratch
    num, letters = find_edges(codes, at, end, chars, edges, sums)
    best = cover(codes, end, tables, edges, sums, num, chains, opened, votes)
    if best == _GIVEN_UP:
        return PROSE
    points, left = best >> POINTS & FIELD, letters - (best >> COVERED)
    no_more = terminal or letters > MAX_UNSURE_LETTERS
    if no_more and (points < FEW_POINTS or left > letters // 2 + explained(best)):
        return PROSE
    segments, longest, digits, code = shape(codes, at, end, chars)
    split = segments >= MIN_SEGMENTS and longest <= MAX_SEGMENT_LETTERS
    sorted_out = split or digits >= MIN_DIGITS or (segments > 1 and left == 0)
    enough = points >= (FEW_POINTS if sorted_out else ENOUGH_POINTS)
    if enough and is_boilerplate(letters, best, split, code, terminal):
        return 1 + np.argmax(votes)
    if code or no_more:
        return PROSE
    return WEAK - np.argmax(votes) if points and left <= letters // 4 else UNSURE


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
def find_edges(codes, at, end, chars, edges, sums):
    """Where words begin and what is no word stands: `edges` (characters), and `sums`, the letters before each.

    A loop without branches, which a processor cannot mispredict.

    Returns:
        how many there are, and the letters of the line.
    """
    num = letters = before = np.int64(0)
    for place in range(at, end):
        word = np.int64(chars[min(codes[place], _LAST)]) & WORD_CLASS
        edges[num], sums[num] = place, letters
        num += (word == 0) | (word != before)
        letters += letters_of(word)
        before = word
    return num, letters


@njit(cache=True, nogil=True)
def cover(codes, end, tables, edges, sums, num, chains, opened, votes):
    """The value of the best chain of phrases in a line that has these edges; _GIVEN_UP where too much is left.

    `votes` (num_kinds) are the points of all phrases that may be in a chain, by kind; `chains` and `opened`, the ring,
    hold -1 before and after.
    """
    chars, phrases, value, kind = tables.chars, tables.phrases, tables.value, tables.kind
    symbols, nodes = phrases.symbols, phrases.nodes
    for number in range(len(votes)):
        votes[number] = 0
    best = np.int64(0)
    most = np.int64(MAX_LEFT_LETTERS)
    reach = add_phrases(
        codes, edges[0], end, symbols, nodes, value, kind, _NEWLINE, best, chains, opened, votes
    )
    for edge in range(num):
        place = edges[edge]
        if place <= reach:
            best = max(best, chains[place & _SLOT], opened[place & _SLOT])
            chains[place & _SLOT] = opened[place & _SLOT] = -1
            most = MAX_LEFT_LETTERS + 2 * (best >> COVERED) + explained(best)
        if sums[edge] > most:
            forget(chains, opened, place, reach)
            return np.int64(_GIVEN_UP)
        if chars[min(codes[place], _LAST)] & BEGINS:
            reach = max(
                reach,
                add_phrases(codes, place, end, symbols, nodes, value, kind, 0, best, chains, opened, votes),
            )
        place += 1
        stop = min(reach + 1, edges[edge + 1] if edge + 1 < num else end)
        while place < stop:  # within a word, where a phrase has ended
            chain = chains[place & _SLOT]
            if chain >= 0:
                best = max(best, opened[place & _SLOT])
                chains[place & _SLOT] = opened[place & _SLOT] = -1
                if chars[min(codes[place], _LAST)] & BEGINS:
                    longest = add_phrases(
                        codes, place, end, symbols, nodes, value, kind, 0, chain, chains, opened, votes
                    )
                    if longest > reach:
                        reach = longest
                        stop = min(reach + 1, edges[edge + 1] if edge + 1 < num else end)
            place += 1
    if end <= reach:
        best = max(best, chains[end & _SLOT], opened[end & _SLOT])
        chains[end & _SLOT] = opened[end & _SLOT] = -1
    return best


@njit(cache=True, nogil=True)
def add_phrases(codes, at, end, symbols, nodes, value, kind, before, chain, chains, opened, votes):
    """Add to a chain that ends before `at` each phrase that begins there; `before`: a letter before it, or 0.

    Returns:
        where the longest of them ends, 0 where there is none.
    """
    cell, node = np.int64(ROOT), nodes[ROOT]
    if before:
        cell, node = descend(symbols, nodes, cell, node, before)
    reach = np.int64(0)
    while node >= 0 and at < end:
        cell, node = descend(symbols, nodes, cell, node, codes[at])
        at += 1
        if node >= 0 and node & PHRASE:
            number, reach, slot = (node & PHRASE) - 1, at, at & _SLOT
            chains[slot] = max(chains[slot], chain + value[number])
            if value[number] >> POINTS & FIELD:
                votes[kind[number]] += value[number] >> POINTS & FIELD
            if value[number] >> NOTICE & FIELD:  # may go on in the same word
                opened[slot] = chains[slot]
    return reach


@njit(cache=True, nogil=True)
def forget(chains, opened, place, reach):
    """Empty the slots from `place` to `reach`."""
    for slot in range(place, reach + 1):
        chains[slot & _SLOT] = opened[slot & _SLOT] = -1


@njit(cache=True, nogil=True)
def shape(codes, at, end, chars):
    """Segments between separators, letters of the longest, digits, and whether there are marks of code."""
    segments = segment = longest = digits = seen = before = np.int64(0)
    for place in range(at, end):
        bits = np.int64(chars[min(codes[place], _LAST)])
        word = bits & WORD_CLASS
        if bits & SEPARATOR and segment:
            segments, longest, segment = segments + 1, max(longest, segment), np.int64(0)
        segment += letters_of(word)
        digits += word == NUMBER
        seen |= bits
        if word == 0 and is_code(codes, place, end, before):
            seen |= CODE
        before = word
    return segments + (segment > 0), max(longest, segment), digits, seen & CODE != 0


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


@njit(cache=True, nogil=True)
def explained(best):
    """Letters that the notices and labels of a chain explain beside their own."""
    return (best >> NOTICE & FIELD) + (best & FIELD)


@njit(cache=True, nogil=True)
def may_split(codes, at, end):
    """Whether a line has characters enough that may be separators, at a glance."""
    marks = 0
    for place in range(at, end):
        code = codes[place]
        marks += (code >= 0x80) | (code == 0x7C) | (code == 0x3E) | (code == 0x2F)
    return marks >= MIN_SEGMENTS - 1


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
