"""The best cover of a line with phrases: which of them in a row, beginning and ending where words do, explain most.

It is found in one pass: the value of the best chain of phrases up to each of the next 64 characters stands in a ring,
and a phrase that begins here is added to the value that ends here. Where no chain ends, within most words of prose,
characters are only counted. With most words no phrase begins, and a table of 64 KB says so of their first four
characters, for less than the walk down the tree that would find it out (of Korean words three in four are done with
so). The functions that walk are written into their caller (`inline`): a call that hands on all tables costs more than
a walk.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.boilerplate_tables import (
    BEGINS,
    COVERED,
    FIELD,
    MAX_PHRASE_CHARS,
    NOTICE,
    POINTS,
    WHOLE,
    WORD_CLASS,
    letters_of,
    may_begin,
)
from chejil.filters.phrase_tree import PHRASE, ROOT, descend

MAX_LEFT_LETTERS = 80  # beyond those covered, as many again and those explained: given up
GIVEN_UP = -1
SLOTS = MAX_PHRASE_CHARS + 1  # of the ring, a power of two
_SLOT = SLOTS - 1
_NEWLINE = 0x0A
_LAST = 0xFFFF
CHAINS, OPENED = 0, 1
"""Rows of the ring: the value of the best chain that ends before a character, and of the best that a notice ends,
which may go on in the same word."""


@njit(cache=True, nogil=True)
def find_edges(codes, at, end, chars, edges):
    """Where words begin and what is no word stands: `edges[0]` (characters), and `edges[1]`, the letters before each.

    A loop without branches, which a processor cannot mispredict.

    Returns:
        how many there are, and the letters of the line.
    """
    num = letters = before = np.int64(0)
    for place in range(at, end):
        word = np.int64(chars[min(codes[place], _LAST)]) & WORD_CLASS
        edges[0, num], edges[1, num] = place, letters
        num += (word == 0) | (word != before)
        letters += letters_of(word)
        before = word
    return num, letters


@njit(cache=True, nogil=True, inline="always")
def cover(codes, end, tables, edges, num, ring, votes, most_left):
    """The value of the best chain of phrases in a line that has these edges; GIVEN_UP where too much is left.

    `votes` (num_kinds) are the points of all phrases that may be in a chain, by kind; `ring` holds -1 before and
    after; with more than `most_left` letters left the line is prose, and given up as well.
    """
    chars = tables.chars
    votes[:] = 0
    best, most = np.int64(0), min(np.int64(MAX_LEFT_LETTERS), most_left)
    reach = add_phrases(codes, edges[0, 0], end, tables, _NEWLINE, best, ring, votes)
    for edge in range(num):
        place = edges[0, edge]
        if place <= reach:
            best = max(best, take(ring, place))
            most = MAX_LEFT_LETTERS + 2 * (best >> COVERED) + explained(best)
        if edges[1, edge] > most or (place > reach and edges[1, edge] - (best >> COVERED) > most_left):
            forget(ring, place, reach)
            return np.int64(GIVEN_UP)
        if chars[min(codes[place], _LAST)] & BEGINS:
            reach = max(reach, add_phrases(codes, place, end, tables, 0, best, ring, votes))
        if place < reach:
            following = edges[0, edge + 1] if edge + 1 < num else end
            best, reach = cover_word(codes, place + 1, following, end, tables, best, reach, ring, votes)
    return max(best, take(ring, end)) if end <= reach else best


@njit(cache=True, nogil=True, inline="always")
def cover_word(codes, place, following, end, tables, best, reach, ring, votes):
    """Go on within a word, from `place` to its end, where phrases have ended: there others may begin.

    Returns:
        the best chain, to which a notice adds even here, and where the longest phrase ends.
    """
    while place < following and place <= reach:
        chain = ring[CHAINS, place & _SLOT]
        if chain >= 0:
            best = max(best, ring[OPENED, place & _SLOT])
            take(ring, place)
            if tables.chars[min(codes[place], _LAST)] & BEGINS:
                reach = max(reach, add_phrases(codes, place, end, tables, 0, chain, ring, votes))
        place += 1
    return best, reach


@njit(cache=True, nogil=True)
def take(ring, place):
    """The best chain that ends before `place`, -1 where none does; its slot is free then."""
    slot = place & _SLOT
    chain = max(ring[CHAINS, slot], ring[OPENED, slot])
    ring[CHAINS, slot] = ring[OPENED, slot] = -1
    return chain


@njit(cache=True, nogil=True, inline="always")
def add_phrases(codes, at, end, tables, before, chain, ring, votes):
    """Add to a chain that ends before `at` each phrase that begins there; `before`: a letter before it, or 0.

    Returns:
        where the longest of them ends, 0 where there is none.
    """
    symbols, nodes = tables.phrases
    cell, node = np.int64(ROOT), nodes[ROOT]
    if before:
        cell, node = descend(symbols, nodes, cell, node, before)
    elif not (tables.chars[codes[at]] & WHOLE or may_begin(tables.begins, symbols, codes, at, end)):
        return np.int64(0)
    reach = np.int64(0)
    while node >= 0 and at < end:
        cell, node = descend(symbols, nodes, cell, node, codes[at])
        at += 1
        if node >= 0 and node & PHRASE:
            number, reach, slot = (node & PHRASE) - 1, at, at & _SLOT
            value = tables.value[number]
            ring[CHAINS, slot] = max(ring[CHAINS, slot], chain + value)
            if value >> POINTS & FIELD:
                votes[tables.kind[number]] += value >> POINTS & FIELD
            if value >> NOTICE & FIELD:
                ring[OPENED, slot] = ring[CHAINS, slot]
    return reach


@njit(cache=True, nogil=True)
def forget(ring, place, reach):
    """Empty the slots from `place` to `reach`."""
    for at in range(place, reach + 1):
        take(ring, at)


@njit(cache=True, nogil=True)
def explained(best):
    """Letters that the notices and labels of a chain explain beside their own."""
    return (best >> NOTICE & FIELD) + (best & FIELD)
