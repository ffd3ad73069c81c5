"""Phrases: thousands of fixed strings looked for at once, in one pass over the characters of a text.

An Aho–Corasick automaton with all its transitions worked out, so that a character costs one step, however many
phrases there are and however they overlap. Most transitions of a state are those of the start; only the others
are stored, the rows laid over one another so that gaps of one hold entries of the next: 3,000 Korean and 1,000
English words take 1.3 MB where the plain table takes 25, which no cache holds. With these, counting every match runs
at 250 MB/s on Korean and at 130 to 150 on English.

Upper and lower case, full-width and ASCII forms are told apart nowhere: folding is built into the table that
gives a character its symbol. Whether a match begins and ends a word is the kernel's to decide.

Aho and Corasick 1975, algorithms 2 to 4; rows laid over one another: Tarjan and Yao 1979.

A kernel that counts every occurrence of every phrase::

    state = np.int64(0)
    while i < end:
        code, i = next_char(data, i)
        state = advance(phrases, state, code)
        match = state
        while phrases.found[match]:  # the longest phrase that ends here, then shorter ones
            counts[phrases.found[match] - 1] += 1
            match = phrases.shorter[match]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

_FULL_WIDTH = range(0xFF01, 0xFF5F)
_TO_ASCII = 0xFEE0
_SPACES = "\t\u00a0\u3000"
_FOLD = {ord(char): " " for char in _SPACES}
_FOLD |= {code: chr(code - _TO_ASCII).lower() for code in _FULL_WIDTH}
_FOLD |= {code: chr(code).lower() for code in range(0x41, 0x5B)}

MAX_STATES = 1 << 16
SEARCHED_CELLS = 2048  # where a row may find room before the last one; all cells: a fifth smaller, 4 s more


class Phrases(NamedTuple):
    """The automaton as a kernel reads it; state 0 is the start, and where no phrase ends `found` is 0.

    `symbols` (65536) uint16: code point -> symbol, 0 = in no phrase. `found` (num_states) int32: 1 + index of the
    longest phrase that ends here. `shorter` (num_states) int32: state of the next shorter phrase that ends here, or
    0. `lengths` (num_phrases) int32: characters. `start`, `row`, `cells` hold the transitions for `advance` alone.
    """

    symbols: np.ndarray
    found: np.ndarray
    shorter: np.ndarray
    lengths: np.ndarray
    start: np.ndarray  # (num_symbols) uint16: transitions of state 0
    row: np.ndarray  # (num_states) int32: where the state's row begins in cells
    cells: (
        np.ndarray
    )  # (num_cells) uint32: symbol << 16 | next state; equal rows lie in one place, no others do


@njit(cache=True, nogil=True, inline="always")
def advance(phrases, state, code):
    """The state after the character `code` (a code point), for kernels. Begin with 0; 0 again breaks all matches."""
    return step(phrases.symbols, phrases.start, phrases.row, phrases.cells, state, code)


@njit(cache=True, nogil=True, inline="always")
def step(symbols, start, row, cells, state, code):
    """As `advance`, of the arrays themselves: a loop that holds them does not count references to them."""
    symbol = np.int64(symbols[code]) if code < 0x10000 else np.int64(0)
    cell = np.int64(cells[row[state] + symbol])
    return cell & 0xFFFF if cell >> 16 == symbol else np.int64(start[symbol])


def fold(text: str) -> str:
    """As the automaton sees it: ASCII and full-width letters small, full-width forms as ASCII, odd spaces plain.

    >>> fold("ＲＳＳ　Feed！ Å")
    'rss feed! Å'
    """
    return text.translate(_FOLD)


def compile_phrases(phrases: Sequence[str]) -> Phrases:
    """Build the automaton; a match is given as the index of its phrase. Takes 0.4 s for 4,000 phrases.

    Phrases must not be empty, nor equal once folded, nor hold characters beyond U+FFFF, and all their characters
    together must be fewer than 65,536: they are tables of ours, so anything else is a bug.
    """
    alphabet, folded = alphabet_of(phrases)
    children, found = grow_trie(folded, alphabet)
    rows, shorter = _transitions(children, found)
    start, row, cells = _packed(rows, len(alphabet) + 1)
    lengths = np.array([len(phrase) for phrase in folded], np.int32)
    return Phrases(
        symbol_table(alphabet),
        np.array(found, np.int32),
        np.array(shorter, np.int32),
        lengths,
        start,
        row,
        cells,
    )


def alphabet_of(phrases: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """The symbol of each letter, from 1 on, and the phrases folded."""
    folded = [fold(phrase) for phrase in phrases]
    assert all(folded), "an empty phrase"
    doubles = [phrase for phrase, times in Counter(folded).items() if times > 1]
    assert not doubles, f"given twice: {doubles}"
    return {char: symbol for symbol, char in enumerate(sorted(set("".join(folded))), 1)}, folded


def symbol_table(alphabet: dict[str, int]) -> np.ndarray:
    """The symbol of each code point below U+10000, (65536) uint16, 0 where it has none."""
    assert max(alphabet, default="") <= "\uffff", "a character beyond U+FFFF"
    symbols = np.zeros(1 << 16, np.uint16)
    for char, symbol in alphabet.items():
        symbols[ord(char)] = symbol
    for code, char in _FOLD.items():
        symbols[code] = alphabet.get(char, 0)
    return symbols


def grow_trie(phrases: list[str], alphabet: dict[str, int]) -> tuple[list[dict[int, int]], list[int]]:
    """Children of each state by symbol, and 1 + the phrase that is its path from the start."""
    children: list[dict[int, int]] = [{}]
    found = [0]
    for number, phrase in enumerate(phrases, 1):
        state = 0
        for char in phrase:
            symbol = alphabet[char]
            if symbol not in children[state]:
                children[state][symbol] = len(children)
                children.append({})
                found.append(0)
            state = children[state][symbol]
        found[state] = number
    assert len(children) <= MAX_STATES, "too many phrases for 16 bits of state"
    return children, found


def breadth_first(children: list[dict[int, int]]) -> Iterator[tuple[int, int, int]]:
    """(state, symbol, child), shallow states first."""
    queue = [0]
    for state in queue:
        for symbol, child in children[state].items():
            queue.append(child)
            yield state, symbol, child


def _transitions(children: list[dict[int, int]], found: list[int]) -> tuple[list[dict[int, int]], list[int]]:
    """All transitions of each state but those that the start has too, and the next shorter match.

    A state that ends no phrase takes over what its longest suffix found: `found` is changed in place.
    """
    suffix, shorter = [0] * len(children), [0] * len(children)
    rows: list[dict[int, int]] = [dict(children[0])] + [{}] * (len(children) - 1)
    for state, symbol, child in breadth_first(children):
        if state:
            suffix[child] = rows[suffix[state]].get(symbol, children[0].get(symbol, 0))
        if found[child]:
            shorter[child] = suffix[child] if found[suffix[child]] else 0
        else:
            found[child], shorter[child] = found[suffix[child]], shorter[suffix[child]]
        inherited = rows[suffix[child]] if suffix[child] else {}
        rows[child] = inherited | children[child]
    return rows, shorter


def _packed(rows: list[dict[int, int]], num_symbols: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`start`, `row` and `cells` of Phrases: each distinct row where its entries find room, full rows first."""
    start = np.zeros(num_symbols, np.uint16)
    start[list(rows[0])] = list(rows[0].values())
    entries = [(), *(tuple(sorted(row.items())) for row in rows[1:])]
    distinct = sorted(set(entries), key=len, reverse=True)
    cells, taken = np.zeros(4 * num_symbols, np.uint32), np.zeros(4 * num_symbols, np.bool_)
    places, used = {}, 0
    for row in distinct:
        if len(cells) < used + 3 * num_symbols:  # however full these are, the row after them has room
            cells, taken = (np.concatenate([array, np.zeros_like(array)]) for array in (cells, taken))
        symbols = np.array([symbol for symbol, _ in row], np.int64)
        place = places[row] = _room(cells, taken, symbols, max(used - SEARCHED_CELLS, 0))
        taken[place] = True
        cells[place + symbols] = [symbol << 16 | state for symbol, state in row]
        used = max(used, place + 1)
    return start, np.array([places[row] for row in entries], np.int32), cells[: used + num_symbols].copy()


@njit(cache=True)
def _room(cells, taken, symbols, place):
    """The first place from `place` on that is no other row's and where all entries meet empty cells."""
    while True:
        fits = not taken[place]
        for symbol in symbols:
            fits = fits and cells[place + symbol] == 0
            if not fits:
                break
        if fits:
            return place
        place += 1
