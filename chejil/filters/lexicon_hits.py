"""Phrases of four lexicons in a text: how many, of which category, how much they cover, how many in disguise.

One pass for all of them. Of phrases of one lexicon that overlap the one that begins first counts, of two that begin
together the longer: "먹튀 검증" is one hit, and a longer phrase of `safe` takes the hit within it. Lexicons do not
see one another.

Disguises that are seen through: upper case, full-width letters and zero-width characters anywhere; and letters set
apart ("카.지.노", "토 토", "바♥카♥라"), for the phrases that a lexicon lists, where *every* letter stands
alone, on one line, at most three characters from the next. Dropping all symbols instead would find 카지노 in
"카드 지노" and swear words in tables.

Passes 143,829 documents at 90 to 110 MB/s on one core. How lexicons are written: `lexicon_tables.py`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.lexicon_starts import MAX_GAP_CHARS, find_starts, left_edge, right_edge, starts
from chejil.filters.lexicon_tables import (
    CATEGORIES,
    COLUMNS,
    LEXICONS,
    NO_COLUMN,
    tables,
)
from chejil.filters.phrases import advance
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

_APART_KEPT = 32  # starts of the last letters that stood alone; a power of two, longer than any phrase
_NEWLINE = ord("\n")
_FULL_WIDTH = (0xFF10, 0xFF5A)
START, END, PHRASE, TRICKS, LAST_END = range(5)


@njit(cache=True, nogil=True)
def count_hits(codes, flags, char_starts, places, phrases, apart, rules, depths, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    pending = np.empty((len(LEXICONS), LAST_END + 1), np.int64)
    letters = np.empty(_APART_KEPT, np.int64)
    k = np.int64(0)
    for doc in range(len(char_starts) - 1):
        begin, end, row = char_starts[doc], char_starts[doc + 1], counts[doc]
        pending[:] = -1
        at = begin
        while k < len(places) and places[k] < end:
            if places[k] >= at:
                at = follow(
                    codes, flags, places[k], begin, end, phrases, apart, rules, depths, letters, pending, row
                )
            k += 1
        for number in range(len(LEXICONS)):
            commit(pending[number], number, codes, flags, rules, row)


@njit(cache=True, nogil=True)
def follow(codes, flags, first, begin, end, phrases, apart, rules, depths, letters, pending, row):
    """Read on from `first`, before which no phrase begins that is not over, until none may be under way.

    Returns where the next may begin, behind `first`.
    """
    state = apart_state = gap = lone = seen = np.int64(0)
    run = 2 * follows_letter(flags, first, begin)
    for at in range(first, end):
        here, code = flags[at], codes[at]
        if here & CLASS_BITS == CONTROL:
            continue
        if not here & ALPHABETIC:
            if run == 1:
                apart_state, seen = end_lone_letter(
                    apart_state, lone, seen, codes, flags, phrases, apart, rules, letters, pending, row
                )
            run = 0
            gap = MAX_GAP_CHARS + 1 if code == _NEWLINE else gap + 1
        elif run:
            run, apart_state = 2, np.int64(0)
        else:
            apart_state = apart_state if gap <= MAX_GAP_CHARS else np.int64(0)
            run, gap, lone = 1, 0, at
        state = advance(phrases, state, code)
        if phrases.found[state]:
            end_phrases(state, codes, flags, begin, at + 1, end, phrases, rules, pending, row)
        if depths[state] <= 1 and at > first and run != 1 and apart_state == 0:
            return at + (depths[state] == 0)
    if run == 1:
        end_lone_letter(apart_state, lone, seen, codes, flags, phrases, apart, rules, letters, pending, row)
    return end


@njit(cache=True, nogil=True)
def follows_letter(flags, at, begin):
    """Whether the last visible character before `at` is a letter."""
    while at > begin:
        at -= 1
        if flags[at] & CLASS_BITS != CONTROL:
            return flags[at] & ALPHABETIC != 0
    return False


@njit(cache=True, nogil=True)
def end_phrases(state, codes, flags, begin, after, end, phrases, rules, pending, row):
    """Look at the phrases that end before `after`: the longest of each lexicon that has its edges."""
    following = flags[after] if after < end else np.uint8(WHITESPACE)
    served = 0
    while phrases.found[state]:
        phrase = np.int64(phrases.found[state]) - 1
        lexicon = rules.lexicon[phrase]
        if not served >> lexicon & 1 and right_edge(rules.edges[phrase], following):
            start, tricks = walk_back(codes, flags, begin, after, phrases.lengths[phrase])
            before = flags[start - 1] if start > begin else np.uint8(WHITESPACE)
            if left_edge(rules.edges[phrase], before):
                served |= 1 << lexicon
                tricks |= rules.disguised[phrase]
                enter(start, after, phrase, tricks, lexicon, codes, flags, rules, pending, row)
        state = phrases.shorter[state]


@njit(cache=True, nogil=True)
def walk_back(codes, flags, begin, after, num_chars):
    """Where a match of `num_chars` that ends before `after` begins; 1 where it holds invisible or full-width ones."""
    at, tricks = after, np.int64(0)
    while num_chars > 0 and at > begin:
        at -= 1
        if flags[at] & CLASS_BITS == CONTROL:
            tricks = np.int64(1)
        else:
            num_chars -= 1
            tricks |= np.int64(_FULL_WIDTH[0] <= codes[at] <= _FULL_WIDTH[1])
    return at, tricks


@njit(cache=True, nogil=True)
def end_lone_letter(state, at, seen, codes, flags, phrases, apart, rules, letters, pending, row):
    """Step over a letter that stands alone. Returns the state after it and how many were seen."""
    letters[seen & (_APART_KEPT - 1)] = at
    seen += 1
    state = advance(apart, state, codes[at])
    if apart.found[state]:
        phrase = np.int64(apart.found[state]) - 1
        first = letters[(seen - apart.lengths[phrase]) & (_APART_KEPT - 1)]
        phrase += len(phrases.lengths)
        enter(first, at + 1, phrase, np.int64(1), rules.lexicon[phrase], codes, flags, rules, pending, row)
        state = np.int64(0)
    return state, seen


@njit(cache=True, nogil=True)
def enter(start, end, phrase, tricks, lexicon, codes, flags, rules, pending, row):
    """Take a match: instead of the pending one that it holds, after one that it does not meet, else not at all."""
    last = pending[lexicon]
    if start >= last[END]:
        commit(last, lexicon, codes, flags, rules, row)
    elif start > last[START] or start < last[LAST_END]:
        return
    last[START], last[END], last[PHRASE], last[TRICKS] = start, end, phrase, tricks


@njit(cache=True, nogil=True)
def commit(last, lexicon, codes, flags, rules, row):
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
    places = np.empty(len(codes), np.int32)
    num = find_starts(codes, flags, char_starts, phrases, apart, rules.edges, starts(), places)
    count_hits(codes, flags, char_starts, places[:num], phrases, apart, rules, starts().depths, found)
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
