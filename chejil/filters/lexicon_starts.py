"""Where in a text a phrase of the lexicons begins: a test so cheap that most characters are done with after it.

The automaton of `phrases.py` takes a step for every character, and in running text hardly one step in a hundred
leads to a phrase. Here a character is looked at together with the next and with what stands before it: one byte of a
table says whether any phrase begins so. It does for 2 % of the characters of Korean and 5 % of English text, as a
Latin phrase begins only where a word does. From there the automaton is followed for as long as it stays on one
phrase (three steps, mostly), and only where a whole phrase is found, or letters that stand apart may spell one, does
`lexicon_hits.py` look closer.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from chejil.filters.lexicon_tables import (
    LEFT_GLUED,
    LEFT_LATIN,
    LEFT_WORD,
    RIGHT_LATIN,
    RIGHT_WORD,
    spelled_phrases,
    tables,
)
from chejil.filters.phrases import Phrases, advance, step
from chejil.filters.unicode_classes import (
    ALPHABETIC,
    CLASS_BITS,
    CONTROL,
    DIGIT,
    HANGUL,
    LATIN,
    PUNCT,
    WHITESPACE,
    class_table,
)

MAX_GAP_CHARS = 3  # between letters set apart
_NEWLINE = ord("\n")
_BEFORE = (LATIN | ALPHABETIC, HANGUL | ALPHABETIC, DIGIT, PUNCT)  # a phrase: all that edges tell apart
_SYMBOL, _LETTER, _CONTEXT = (
    0x7FF,
    0x800,
    12,
)  # bits of a character; the last: where the kinds of _BEFORE stand
_SHORT, _ALL = 4, 0x0F
_PLACES, _SPREAD = 1 << 16, 89  # so that pairs of 700 symbols fill the table
_SPACE, _INVISIBLE = 0x20, 0x200B


class Starts(NamedTuple):
    """What the test reads; a character is its symbol in the automaton and the bits named above.

    `chars` (0x110000) uint16: code point -> character; the invisible ones share a symbol that no phrase has. `firsts`
    (2048) uint8: symbol -> contexts before a phrase that may begin with it. `pairs`, `triples`, `fours`, `sixes`
    (65536) uint8: place of the first two, three, four or six characters -> contexts before a phrase that may begin
    so. `depths` (num_states) uint8: characters from the start of the automaton to the state.
    """

    chars: np.ndarray
    firsts: np.ndarray
    pairs: np.ndarray
    triples: np.ndarray
    fours: np.ndarray
    sixes: np.ndarray
    depths: np.ndarray


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


@njit(cache=True, nogil=True, inline="always")
def place_of(place, char):
    """Place of some characters and this next one, where theirs is `place`; others may share it."""
    return place * _SPREAD + (char & _SYMBOL) & _PLACES - 1


@njit(cache=True, nogil=True)
def find_starts(codes, flags, char_starts, phrases, apart, edges, starts, places):
    """Fill `places` with those where a phrase begins that has its edges, or letters set apart may; returns how many.

    The arrays are taken out of their tuples once: to pass a tuple on costs more than to follow a phrase.
    """
    chars, firsts, pairs, triples, fours, sixes, depths = starts
    symbols, found, _, lengths, start, row, cells = phrases
    num, last, invisible = np.int64(0), len(codes) - 1, chars[_INVISIBLE] & _SYMBOL
    for doc in range(len(char_starts) - 1):
        begin, end = char_starts[doc], char_starts[doc + 1]
        before, first = np.int64(chars[_SPACE]), np.int64(chars[codes[min(begin, last)]])
        second, third = (
            np.int64(chars[codes[min(begin + 1, last)]]),
            np.int64(chars[codes[min(begin + 2, last)]]),
        )
        for at in range(begin, end):
            # Those behind the end are read too: a phrase that ends there does not depend on them.
            fourth = np.int64(chars[codes[min(at + 3, last)]])
            pair = place_of(first & _SYMBOL, second)
            triple = place_of(pair, third)
            four = place_of(triple, fourth)
            contexts = (
                (pairs[pair] | triples[triple] | fours[four]) & firsts[first & _SYMBOL] & before >> _CONTEXT
            )
            lone = first & ~(before | second) & _LETTER
            before, first, second, third = first, second, third, fourth
            if not contexts | lone:
                continue
            begins = lone and may_spell(codes, flags, at, end, apart)
            if not begins:
                fifth, sixth = chars[codes[min(at + 4, last)]], chars[codes[min(at + 5, last)]]
                six = sixes[place_of(place_of(four, fifth), sixth)] | (fifth & _SYMBOL == invisible) * _ALL
                if (pairs[pair] | triples[triple] | fours[four] >> _SHORT | six) & contexts == 0:
                    continue
                state = depth = np.int64(0)
                for i in range(at, end):
                    if flags[i] & CLASS_BITS == CONTROL:
                        continue
                    state = step(symbols, start, row, cells, state, codes[i])
                    depth += 1
                    if depths[state] != depth:
                        break
                    phrase = np.int64(found[state]) - 1
                    if phrase < 0 or lengths[phrase] != depth:
                        continue
                    if has_edges(edges[phrase], flags, begin, at, i + 1, end):
                        begins = 1
                        break
            if begins:
                places[num] = at
                num += 1
    return num


@njit(cache=True, nogil=True)
def has_edges(edges, flags, begin, first, after, end):
    """Whether a phrase with these `edges` may stand from `first` to `after`, in the text from `begin` to `end`."""
    before = flags[first - 1] if first > begin else np.uint8(WHITESPACE)
    following = flags[after] if after < end else np.uint8(WHITESPACE)
    return left_edge(edges, before) and right_edge(edges, following)


@njit(cache=True, nogil=True)
def may_spell(codes, flags, at, end, apart):
    """Whether a phrase of letters set apart may begin with the letter at `at`: it does, or the next goes on with it."""
    state, gap = advance(apart, np.int64(0), codes[at]), 0
    if state == 0:
        return False
    for i in range(at + 1, end):
        if flags[i] & ALPHABETIC:
            following = advance(apart, state, codes[i])
            return following != advance(apart, np.int64(0), codes[i])
        if flags[i] & CLASS_BITS != CONTROL:
            gap += 1
            if gap > MAX_GAP_CHARS or codes[i] == _NEWLINE:
                return False
    return False


@cache
def starts() -> Starts:
    """Tables of the test, from those of the lexicons; once a process."""
    phrases, _, rules = tables()
    chars, depths = _chars(phrases), np.zeros(len(phrases.found), np.uint8)
    firsts, (pairs, triples, fours, sixes) = np.zeros(_SYMBOL + 1, np.uint8), np.zeros((4, _PLACES), np.uint8)
    codes = np.frombuffer("".join(spelled_phrases()).encode("utf-32-le"), np.uint32)
    enter_starts(
        codes, phrases, rules.edges, np.array(_BEFORE), chars, firsts, pairs, triples, fours, sixes, depths
    )
    return Starts(chars, firsts, pairs, triples, fours, sixes, depths)


def _chars(phrases: Phrases) -> np.ndarray:
    bits = np.full(2 * ALPHABETIC, 1 << _CONTEXT + _BEFORE.index(PUNCT), np.uint16)
    bits[ALPHABETIC:] = 1 << _CONTEXT + _BEFORE.index(HANGUL | ALPHABETIC)
    for number, flags in enumerate(_BEFORE):
        bits[flags] = 1 << _CONTEXT + number
    bits[ALPHABETIC:] |= _LETTER
    invisible = len(phrases.start)
    assert invisible <= _SYMBOL, "too many different characters"
    chars = bits[class_table()]
    chars[: len(phrases.symbols)] |= phrases.symbols
    chars[class_table() & CLASS_BITS == CONTROL] = bits[CONTROL] | invisible
    return chars


@njit(cache=True, nogil=True)
def enter_starts(codes, phrases, edges, before, chars, firsts, pairs, triples, fours, sixes, depths):
    """Fill `firsts` to `depths`, zeros before; `codes` are those of all phrases, one after another."""
    at = np.int64(0)
    for phrase in range(len(phrases.lengths)):
        contexts = state = np.int64(0)
        for number in range(len(before)):
            contexts |= np.int64(left_edge(edges[phrase], before[number])) << number
        end = at + phrases.lengths[phrase]
        enter_start(codes[at:end], contexts, len(phrases.start), chars, firsts, pairs, triples, fours, sixes)
        for i in range(at, end):
            state = advance(phrases, state, codes[i])
            depths[state] = i + 1 - at
        at = end


@njit(cache=True, nogil=True)
def enter_start(phrase, contexts, num_symbols, chars, firsts, pairs, triples, fours, sixes):
    """Enter the beginning of one phrase; an invisible character may stand between any two of its own."""
    size, invisible = len(phrase), np.int64(chars[_INVISIBLE])
    place = np.int64(chars[phrase[0]]) & _SYMBOL
    firsts[place] |= contexts
    if size == 1:
        for second in range(num_symbols + 1):
            pairs[place_of(place, second)] |= contexts
    for i in range(1, min(size, 4)):
        table = pairs if i == 1 else triples if i == 2 else fours
        always = contexts | contexts << _SHORT if i == 3 else contexts
        table[place_of(place, invisible)] |= always
        place = place_of(place, np.int64(chars[phrase[i]]))
        if i == size - 1:
            table[place] |= always
    if size < 4:
        return
    fours[place] |= contexts if size > 5 else contexts | contexts << _SHORT
    if size > 5:
        place = place_of(place, np.int64(chars[phrase[4]]))
        sixes[place_of(place, invisible)] |= contexts
        sixes[place_of(place, np.int64(chars[phrase[5]]))] |= contexts
