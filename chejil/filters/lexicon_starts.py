"""Where in a text a phrase of the lexicons begins: a sieve of three meshes, so that most characters cost one lookup.

A walk down the tree of phrases takes steps that wait for one another. So the characters go through cheap tests
first, each over the list of places that the one before left, with no branch that a processor could mispredict:

1. `sift_pairs`: a character, the next one and the kind of the one before: some phrase begins so. A byte of one table
   of 64 KB says it; it holds for 11 % of the characters of Korean web text and 13 % of English (1.6 and 1.5 ns a
   character).
2. `sift_triples`: the third character too, in the same table: 4.3 and 6.4 % are left (3 and 4 ns for each tested).
3. `sift_phrases`: the walk itself, 20 ns each: 0.15 and 0.01 % of the characters begin a phrase, or a letter that may
   begin one whose letters are set apart. Only those reach `lexicon_hits.py`.

In all 1.7 and 3.1 ms a megabyte. A place in the table is a hash of the symbols, and pairs and triples share it: a
tenth of the places hold a pair, so that 2 % of the Korean characters pass the first test by chance. A fourth character
would leave 2.6 % of the English ones, for a second table. An invisible character may stand between any two of a phrase.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numba.extending import register_jitable

from chejil.filters.lexicon_tables import (
    LEFT_GLUED,
    LEFT_LATIN,
    LEFT_WORD,
    RIGHT_LATIN,
    RIGHT_WORD,
    phrase_rules,
    tables,
)
from chejil.filters.phrase_tree import PHRASE, ROOT, descend
from chejil.filters.unicode_classes import (
    ALPHABETIC,
    CLASS_BITS,
    CONTROL,
    DIGIT,
    HANGUL,
    LATIN,
    PUNCT,
    class_table,
)

_KINDS = (LATIN | ALPHABETIC, HANGUL | ALPHABETIC, DIGIT, PUNCT)  # before a phrase: all that edges tell apart
_NO_LETTER = 0b1100  # of these
_SYMBOL, _BEFORE, _FIRST = (
    0x7FF,
    12,
    16,
)  # of a character: bits of its symbol, and where two sets of kinds begin
_ENOUGH, _THIRD = 0x10, 0x20  # of a byte of the table, beside a set of kinds
_PLACES, _SPREAD = 1 << 16, 89  # so that pairs of 700 symbols fill the table
_SPACE, _INVISIBLE = 0x20, 0x200B


class Starts(NamedTuple):
    """What the first two tests read.

    `chars` (0x110000) uint32: code point -> symbol in the tree, here with one for all other characters that are no
    letters and one for the invisible; the kind that it is, standing before a phrase; the kinds that may stand before
    a phrase that it begins. `table` (65536) uint8: at the place of two characters the kinds before a phrase that they
    begin, and _ENOUGH where the third does not matter; at the place of three _THIRD where a phrase begins so.
    """

    chars: np.ndarray
    table: np.ndarray


@njit(cache=True, nogil=True)
def right_edge(edges, flags):
    """Whether a phrase with these `edges` may stand before a character with these class `flags`."""
    kind = flags & CLASS_BITS
    if edges & RIGHT_LATIN and kind in (LATIN, DIGIT):
        return False
    return not (edges & RIGHT_WORD and (flags & ALPHABETIC or kind == DIGIT))


@njit(cache=True, nogil=True)
def left_edge(edges, flags):
    """Whether a phrase with these `edges` may stand after a character with these class `flags`."""
    kind = flags & CLASS_BITS
    if edges & LEFT_LATIN and kind in (LATIN, DIGIT):
        return False
    if edges & LEFT_GLUED and not flags & ALPHABETIC:
        return False
    return not (edges & LEFT_WORD and (flags & ALPHABETIC or kind == DIGIT))


@njit(cache=True, nogil=True)
def find_starts(codes, flags, starts, phrases, apart, places):
    """Fill `places`, with room for every character, with those of a text where a phrase may begin; returns how many."""
    if len(codes) == 0:
        return np.int64(0)
    num = sift_pairs(codes, starts.chars, starts.table, places)
    num = sift_triples(codes, starts.chars, starts.table, places, num)
    return sift_phrases(codes, flags, phrases.symbols, phrases.nodes, apart.symbols, places, num)


@register_jitable
def place_of(place, char):
    """Place of some characters and this next one, where theirs is `place` (of one, its symbol)."""
    return place * _SPREAD + (char & _SYMBOL) & _PLACES - 1


@njit(cache=True, nogil=True)
def sift_pairs(codes, chars, table, places):
    """The first test; a text must have a character. Behind the last one stands itself: nothing depends on it."""
    num = np.int64(0)
    before, first = np.int64(chars[_SPACE]), np.int64(chars[codes[0]])
    for at in range(len(codes)):
        second = np.int64(chars[codes[min(at + 1, len(codes) - 1)]])
        kinds = table[place_of(first & _SYMBOL, second)] & first >> _FIRST & before >> _BEFORE
        places[num] = at
        num += kinds & 0x0F != 0
        before, first = first, second
    return num


@njit(cache=True, nogil=True)
def sift_triples(codes, chars, table, places, num):
    """The second test."""
    kept = np.int64(0)
    for number in range(num):
        at = places[number]
        first, second = np.int64(chars[codes[at]]), np.int64(chars[codes[min(at + 1, len(codes) - 1)]])
        pair = place_of(first & _SYMBOL, second)
        triple = place_of(pair, np.int64(chars[codes[min(at + 2, len(codes) - 1)]]))
        places[kept] = at
        kept += table[pair] & _ENOUGH | table[triple] & _THIRD != 0
    return kept


@njit(cache=True, nogil=True)
def sift_phrases(codes, flags, symbols, nodes, apart_symbols, places, num):
    """The third test: a phrase begins, whatever its edges; or a letter of one set apart, with no letter behind it."""
    kept = np.int64(0)
    for number in range(num):
        at = places[number]
        code = codes[at]
        begins = (
            code < 0x10000
            and apart_symbols[code] != 0
            and at + 1 < len(codes)
            and not flags[at + 1] & ALPHABETIC
        )
        cell, node, i = np.int64(ROOT), nodes[ROOT], np.int64(at)
        while not begins and i < len(codes):
            if flags[i] & CLASS_BITS != CONTROL:
                cell, node = descend(symbols, nodes, cell, node, codes[i])
                if node < 0:
                    break
                begins = node & PHRASE != 0
            i += 1
        places[kept] = at
        kept += begins
    return kept


@cache
def starts() -> Starts:
    """Tables of the first two tests, from those of the lexicons; once a process; 15 ms."""
    whole, apart = phrase_rules()
    chars = _chars(tables().phrases.symbols)
    symbols, firsts = _first_symbols(whole, chars), np.zeros(_SYMBOL + 1, np.uint32)
    sizes, edges = np.array([(len(phrase), rule.edges) for phrase, rule in whole.items()]).T
    kinds = _kinds_before(edges)
    np.bitwise_or.at(firsts, symbols[:, 0], kinds)
    table = _enter_phrases(symbols, sizes, kinds, int(chars[_INVISIBLE] & _SYMBOL))
    no_letters = class_table()[:_PLACES] & ALPHABETIC == 0  # what may set letters apart
    between = np.flatnonzero(np.bincount(chars[:_PLACES][no_letters] & _SYMBOL))
    for first in set(_first_symbols(apart, chars)[:, 0].tolist()):
        firsts[first] |= _NO_LETTER
        table[place_of(first, between)] |= _NO_LETTER | _ENOUGH
    chars[:_PLACES] |= firsts[chars[:_PLACES] & _SYMBOL] << _FIRST
    return Starts(chars, table)


def _chars(symbols: np.ndarray) -> np.ndarray:
    """`chars` of Starts, but for what a phrase begins with."""
    kinds = np.full(2 * ALPHABETIC, _KINDS.index(PUNCT), np.uint32)
    kinds[ALPHABETIC:] = _KINDS.index(HANGUL | ALPHABETIC)
    for number, flags in enumerate(_KINDS):
        kinds[flags] = number
    others = np.full(2 * ALPHABETIC, symbols.max() + 1, np.uint32)
    others[ALPHABETIC:] = 0
    others[CONTROL] = symbols.max() + 2
    assert symbols.max() + 2 <= _SYMBOL, "too many different characters"
    chars = others[class_table()]
    chars[: len(symbols)][symbols > 0] = symbols[symbols > 0]
    return chars | (np.uint32(1 << _BEFORE) << kinds)[class_table()]


def _first_symbols(phrases: Iterable[str], chars: np.ndarray) -> np.ndarray:
    """Symbols of the first three characters of each phrase, of a shorter one any behind them."""
    return chars[[list(map(ord, phrase[:3].ljust(3))) for phrase in phrases]] & _SYMBOL


def _kinds_before(edges: np.ndarray) -> np.ndarray:
    """Which of _KINDS may stand before a phrase with these edges, as bits."""
    kinds = [
        sum(left_edge(some, flags) << number for number, flags in enumerate(_KINDS)) for some in range(32)
    ]
    return np.array(kinds, np.uint8)[edges]


def _enter_phrases(symbols: np.ndarray, sizes: np.ndarray, kinds: np.ndarray, invisible: int) -> np.ndarray:
    """The `table` of Starts, but for phrases set apart."""
    table, (first, second, third) = np.zeros(_PLACES, np.uint8), symbols.T
    pair, two, three = place_of(first, second), sizes > 1, sizes > 2
    kinds_enough = kinds | np.uint8(_ENOUGH)
    for number in np.flatnonzero(sizes == 1):
        table[place_of(first[number], np.arange(invisible + 1))] |= kinds_enough[number]
    np.bitwise_or.at(table, pair[two], np.where(sizes == 2, kinds_enough, kinds)[two])
    np.bitwise_or.at(table, place_of(first, invisible)[two], kinds_enough[two])
    table[place_of(pair, third)[three]] |= _THIRD
    table[place_of(pair, invisible)[three]] |= _THIRD
    return table
