"""Phrases of four lexicons in a text: how many, of which category, how much they cover, how many in disguise.

One pass for all of them. Of phrases of one lexicon that overlap the one that begins first counts, of two that begin
together the longer: "먹튀 검증" is one hit, and a longer phrase of `safe` takes the hit within it. Lexicons do not
see one another.

Disguises that are seen through: upper case, full-width letters and zero-width characters anywhere; and letters set
apart ("카.지.노", "토 토", "바♥카♥라"), for the phrases that a lexicon lists, where *every* letter stands
alone, on one line, at most three characters from the next. Dropping all symbols instead would find 카지노 in
"카드 지노" and swear words in tables.

1.8 ms a megabyte of Korean web text and 3.1 of English, on one core: nearly all of it in `lexicon_starts.py`, which
finds where to look at all. How lexicons are written: `lexicon_tables.py`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.lexicon_starts import find_starts, left_edge, right_edge, starts
from chejil.filters.lexicon_tables import (
    CATEGORIES,
    COLUMNS,
    LEXICONS,
    NO_COLUMN,
    tables,
)
from chejil.filters.phrase_tree import PHRASE as PHRASE_BITS
from chejil.filters.phrase_tree import ROOT, descend
from chejil.filters.registry import Counts, Family, add_family
from chejil.filters.unicode_classes import (
    ALPHABETIC,
    CLASS_BITS,
    CONTROL,
    WHITESPACE,
)

MEASURES = ("hits", "chars", "eojeol", "disguised")
HITS, CHARS, EOJEOL, DISGUISED = range(4)
"""Of a lexicon: phrases; visible characters that they cover; words in which one begins; disguised phrases."""
_TOTALS = len(COLUMNS)
COUNTERS = (*COLUMNS, *(f"{name}_{measure}" for name in LEXICONS for measure in MEASURES))

MAX_GAP_CHARS = 3  # between letters set apart
WAITING = 1024
"""Matches that may wait for others that begin later and end before them; a test counts that no text has so many."""
_NEWLINE = ord("\n")
_FULL_WIDTH = (0xFF10, 0xFF5A)
START, END, PHRASE, TRICKS, APART, LAST_END = *range(5), 4  # of a match, and of one that is pending


@njit(cache=True, nogil=True)
def count_hits(codes, flags, char_starts, starts, phrases, apart, rules, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    places = np.empty(longest(char_starts), np.int32)
    waiting = np.empty((WAITING, APART + 1), np.int64)
    pending = np.empty((len(LEXICONS), LAST_END + 1), np.int64)
    for doc in range(len(char_starts) - 1):
        chars = slice(char_starts[doc], char_starts[doc + 1])
        num = find_starts(codes[chars], flags[chars], starts, phrases, apart, places)
        if num:
            count_text(
                codes[chars], flags[chars], places[:num], phrases, apart, rules, waiting, pending, counts[doc]
            )


@njit(cache=True, nogil=True)
def longest(char_starts):
    """Characters of the longest document."""
    most = np.int64(0)
    for doc in range(len(char_starts) - 1):
        most = max(most, char_starts[doc + 1] - char_starts[doc])
    return most


@njit(cache=True, nogil=True)
def count_text(codes, flags, places, phrases, apart, rules, waiting, pending, row):
    """Count the phrases that begin at `places`: matches are found by where they begin, and chosen by where they end.

    `waiting`: matches found, not yet chosen from. `pending`: of each lexicon the last one chosen, not yet counted.
    """
    num, seen = np.int64(0), np.zeros(len(LEXICONS) + 1, np.int64)
    pending[:] = -1
    for at in places:
        num = choose(waiting, num, at, seen, flags, rules, pending, row)
        num = match_whole(codes, flags, at, phrases, rules, waiting, num)
        num = match_apart(codes, flags, at, apart, rules, waiting, num)
    choose(waiting, num, len(flags), seen, flags, rules, pending, row)
    for number in range(len(LEXICONS)):
        commit(pending[number], number, flags, rules, row)


@njit(cache=True, nogil=True)
def match_whole(codes, flags, start, phrases, rules, waiting, num):
    """Add the phrases that begin at `start` with their edges to the `num` matches that wait; returns how many do."""
    before = flags[start - 1] if start else np.uint8(WHITESPACE)
    cell, node, tricks = np.int64(ROOT), phrases.nodes[ROOT], np.int64(0)
    for at in range(start, len(flags)):
        if flags[at] & CLASS_BITS == CONTROL:
            tricks = np.int64(1)
            continue
        cell, node = descend(phrases.symbols, phrases.nodes, cell, node, codes[at])
        if node < 0:
            break
        tricks |= np.int64(_FULL_WIDTH[0] <= codes[at] <= _FULL_WIDTH[1])
        if node & PHRASE_BITS:
            phrase, after = (
                (node & PHRASE_BITS) - 1,
                flags[at + 1] if at + 1 < len(flags) else np.uint8(WHITESPACE),
            )
            if left_edge(rules.edges[phrase], before) and right_edge(rules.edges[phrase], after):
                num = wait(waiting, num, start, at + 1, phrase, tricks | rules.disguised[phrase], 0)
    return num


@njit(cache=True, nogil=True)
def match_apart(codes, flags, start, apart, rules, waiting, num):
    """The same of phrases of which every letter stands alone."""
    if follows_letter(flags, start):
        return num
    cell, node, end, gap = np.int64(ROOT), apart.nodes[ROOT], start, 1
    for at in range(start, len(flags)):
        if flags[at] & CLASS_BITS == CONTROL:
            continue
        if flags[at] & ALPHABETIC:
            cell, node = descend(apart.symbols, apart.nodes, cell, node, codes[at])
            if node < 0 or gap == 0:
                return num
            end, gap = at + 1, 0
            continue
        if gap == 0 and node & PHRASE_BITS:
            num = wait(waiting, num, start, end, rules.num_whole + (node & PHRASE_BITS) - 1, 1, 1)
        gap += 1
        if gap > MAX_GAP_CHARS or codes[at] == _NEWLINE:
            return num
    if gap == 0 and node & PHRASE_BITS:
        num = wait(waiting, num, start, end, rules.num_whole + (node & PHRASE_BITS) - 1, 1, 1)
    return num


@njit(cache=True, nogil=True)
def follows_letter(flags, at):
    """Whether the last visible character before `at` is a letter."""
    while at > 0:
        at -= 1
        if flags[at] & CLASS_BITS != CONTROL:
            return flags[at] & ALPHABETIC != 0
    return False


@njit(cache=True, nogil=True)
def wait(waiting, num, start, end, phrase, tricks, apart):
    """Add a match to the `num` that wait, by its end, one set apart behind a whole one; returns how many wait."""
    place = num
    while place > 0 and 2 * waiting[place - 1, END] + waiting[place - 1, APART] > 2 * end + apart:
        waiting[place] = waiting[place - 1]
        place -= 1
    last = waiting[place]
    last[START], last[END], last[PHRASE], last[TRICKS], last[APART] = start, end, phrase, tricks, apart
    return num + 1


@njit(cache=True, nogil=True)
def choose(waiting, num, at, seen, flags, rules, pending, row):
    """Enter the matches that end up to `at`: none that begins there or later ends before them. Returns how many wait.

    Of a lexicon's that end together the longest counts, which comes first; of those set apart none that begins before
    the last one's end. `seen`: the last end of each lexicon's whole matches and, behind them, of those set apart.
    """
    done = 0
    while done < num and waiting[done, END] <= at:
        match = waiting[done]
        lexicon = rules.lexicon[match[PHRASE]]
        number = len(LEXICONS) if match[APART] else lexicon
        if match[START] >= seen[number] if match[APART] else match[END] > seen[number]:
            seen[number] = match[END]
            enter(match, pending[lexicon], lexicon, flags, rules, row)
        done += 1
    for place in range(done, num):
        waiting[place - done] = waiting[place]
    return num - done


@njit(cache=True, nogil=True)
def enter(match, last, lexicon, flags, rules, row):
    """Take a match: instead of the pending one that it holds, after one that it does not meet, else not at all."""
    if match[START] >= last[END]:
        commit(last, lexicon, flags, rules, row)
    elif match[START] > last[START] or match[START] < last[LAST_END]:
        return
    last[:LAST_END] = match[:LAST_END]


@njit(cache=True, nogil=True)
def commit(last, lexicon, flags, rules, row):
    """Count the pending match of a lexicon, if there is one and it is not safe."""
    if last[PHRASE] < 0 or rules.column[last[PHRASE]] == NO_COLUMN:
        return
    total = _TOTALS + lexicon * len(MEASURES)
    row[rules.column[last[PHRASE]]] += 1
    row[total + HITS] += 1
    row[total + CHARS] += last[END] - last[START] - num_spaces(flags, last[START], last[END])
    row[total + EOJEOL] += last[LAST_END] < 0 or has_space(flags, last[LAST_END], last[START])
    row[total + DISGUISED] += last[TRICKS]
    last[LAST_END] = last[END]


@njit(cache=True, nogil=True)
def num_spaces(flags, at, end):
    """Characters that are white space."""
    spaces = 0
    for i in range(at, end):
        spaces += flags[i] & CLASS_BITS == WHITESPACE
    return spaces


@njit(cache=True, nogil=True)
def has_space(flags, at, end):
    """Whether there is white space from `at` to `end`."""
    while at < end and flags[at] & CLASS_BITS != WHITESPACE:
        at += 1
    return at < end


def measure(texts: TextBuffers, counts: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text."""
    found = np.zeros((len(texts), len(COUNTERS)), np.int64)
    codes, flags, char_starts = counts["codes"], counts["flags"], counts["char_starts"]
    phrases, apart, rules = tables()
    count_hits(codes, flags, char_starts, starts(), phrases, apart, rules, found)
    return dict(zip(COUNTERS, np.ascontiguousarray(found.T), strict=True))


def num_categories(counts: Counts, lexicon: str) -> np.ndarray:
    """How many categories of a lexicon a document has a phrase of, (num_docs) int64."""
    found = [counts[f"{lexicon}_{category}"] > 0 for category in CATEGORIES[lexicon]]
    return np.stack(found).sum(axis=0)


add_family(
    Family(
        name="lexicons",
        counters=COUNTERS,
        measure=measure,
        needs=("words", "decoded"),
        about="Phrases of spam, abuse, law and generated pages: number, kinds, coverage, disguises.",
    )
)
