"""Korean particles and verb endings as a kernel looks them up: the longest suffix of an eojeol that a table holds.

Korean has no separate function words, and an analyser (Kiwi: 0.06 to 0.26 MB/s) is too slow for every document.
Tables of suffixes do most of it if they mind the sound before: 가 after a vowel is a particle (나무가), after a
consonant the end of a noun (작가). Nouns that still look inflected stand in the tables too, as entries that mean
nothing and win because they are longer (필요, 결과). A suffix has at most three syllables.

The tables are one tree, read from the last syllable back, and what may stand before a suffix is a mask of bits: a
lookup is one to four steps into arrays and searches nothing, 6 ns where lists by the last syllable took 60.

`lexicons/josa.yaml`, `lexicons/korean_endings.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from chejil.filters.lexicons import lexicon

JOSA, ENDING, POLITE, PLAIN, NOMINAL, CLOSING = (1 << bit for bit in range(6))
FINAL = POLITE | PLAIN | NOMINAL | CLOSING
"""Bits of what a suffix is; a FINAL one ends a sentence."""

MAX_SUFFIX_CHARS = 3  # with the syllable before it, one 64-bit word
ANYWHERE, AFTER_CONSONANT, AFTER_VOWEL, AFTER_VOWEL_OR_RIEUL, AFTER_TWO = range(5)
FIRST_SYLLABLE, NUM_SYLLABLES = 0xAC00, 11172
_FINALS, _RIEUL = 28, 8  # a syllable is ((initial * 21) + vowel) * 28 + final; ㄹ is the eighth final

# What stands before a suffix: nothing, or a stem that ends in this sound, 1 more if it has two letters and more.
NO_STEM, OTHER_LETTER, VOWEL, RIEUL, CONSONANT = 0, 1, 3, 5, 7
_SOUND = 256

_GROUPS = (
    ("josa", "none", 0, ANYWHERE),
    ("josa", "after_consonant", JOSA, AFTER_CONSONANT),
    ("josa", "after_vowel", JOSA, AFTER_VOWEL),
    ("josa", "after_vowel_or_rieul", JOSA, AFTER_VOWEL_OR_RIEUL),
    ("josa", "any", JOSA, ANYWHERE),
    ("josa", "after_two_syllables", JOSA, AFTER_TWO),
    ("korean_endings", "none", 0, ANYWHERE),
    ("korean_endings", "polite", ENDING | POLITE, ANYWHERE),
    ("korean_endings", "plain", ENDING | PLAIN, ANYWHERE),
    ("korean_endings", "nominal", ENDING | NOMINAL, ANYWHERE),
    ("korean_endings", "nominal_after_consonant", ENDING | NOMINAL, AFTER_CONSONANT),
    ("korean_endings", "closing", CLOSING, ANYWHERE),
    ("korean_endings", "connective", ENDING, ANYWHERE),
    ("korean_endings", "adnominal", ENDING, ANYWHERE),
)


class Suffixes(NamedTuple):
    """The tree of suffixes; node 0 is none and the last node the root. The arrays of nodes are equally long.

    `children` (num_nodes, num_symbols) uint16: the node of a suffix that is one syllable longer, or 0;
    `lengths` and `kinds` (bits) int64; `contexts` uint16: the bits of what may stand before, 0 where a node is no
    entry; `symbols` (65536) uint16: number of a syllable that stands in a suffix, or 0, and the sound by which a
    syllable ends times 256.
    """

    children: np.ndarray
    lengths: np.ndarray
    kinds: np.ndarray
    contexts: np.ndarray
    symbols: np.ndarray


@cache
def suffixes() -> Suffixes:
    """Both tables; an entry that stands in two is what the first says."""
    entries: dict[str, tuple[int, int]] = {}
    for table, group, kind, place in _GROUPS:
        for suffix in lexicon(table)[group]:
            assert 0 < len(suffix) <= MAX_SUFFIX_CHARS, suffix
            entries.setdefault(suffix, (kind, place))
    ends = sorted(
        {suffix[at:] for suffix in entries for at in range(len(suffix))}, key=lambda end: (len(end), end)
    )
    nodes = {end: node for node, end in enumerate([None, *ends, ""])}
    numbers = {char: number for number, char in enumerate(sorted(set("".join(entries))), 1)}
    children = np.zeros((len(nodes), _SOUND), np.uint16)
    for end in ends:
        children[nodes[end[1:]], numbers[end[0]]] = nodes[end]
    means = [entries.get(end or "", (0, 0)) for end in nodes]
    contexts = [_contexts(*entries[end]) if end in entries else 0 for end in nodes]
    return Suffixes(
        children[:, : len(numbers) + 1].copy(),
        np.array([len(end or "") for end in nodes]),
        np.array([kind for kind, _ in means]),
        np.array(contexts, np.uint16),
        _symbols(numbers),
    )


def _symbols(numbers: Mapping[str, int]) -> np.ndarray:
    finals = np.arange(NUM_SYLLABLES) % _FINALS
    symbols = np.zeros(1 << 16, np.uint16)
    sounds = np.where(finals == 0, VOWEL, np.where(finals == _RIEUL, RIEUL, CONSONANT))
    symbols[FIRST_SYLLABLE : FIRST_SYLLABLE + NUM_SYLLABLES] = sounds * _SOUND
    for char, number in numbers.items():
        symbols[ord(char)] += number
    return symbols


def _contexts(kind: int, place: int) -> int:
    """Bits of what may stand before a suffix; a whole word may be one that means nothing, or 끝."""
    whole = 1 << NO_STEM if kind in (0, CLOSING) else 0
    if whole or place == ANYWHERE:
        return 0b111111110 | whole
    if place == AFTER_TWO:
        return sum(2 << sound for sound in (OTHER_LETTER, VOWEL, RIEUL, CONSONANT))
    sounds = {
        AFTER_CONSONANT: (OTHER_LETTER, RIEUL, CONSONANT),
        AFTER_VOWEL: (OTHER_LETTER, VOWEL),
        AFTER_VOWEL_OR_RIEUL: (OTHER_LETTER, VOWEL, RIEUL),
    }
    return sum(3 << sound for sound in sounds[place])


@njit(cache=True, nogil=True)
def find_suffix(tail, run, letters, children, lengths, kinds, contexts, symbols):
    """Node of the longest suffix that fits, or -1. Without branches: of three steps none can be foretold.

    Args:
        tail: the last four Hangul syllables, 16 bits each; what lies before the run is not looked at.
        run: syllables at the end without another letter among them.
        letters: letters and digits of the eojeol. A suffix leaves one of them as its stem; a whole word may be
            one that means nothing, or 끝.
    """
    found, node = np.int64(-1), np.int64(len(children) - 1)
    syllable = np.int64(symbols[tail & 0xFFFF])
    for size in range(1, MAX_SUFFIX_CHARS + 1):
        node = np.int64(children[node, syllable % _SOUND if size <= run else 0])
        syllable = np.int64(symbols[tail >> 16 * size & 0xFFFF])
        sound = syllable // _SOUND if size < run else OTHER_LETTER
        context = NO_STEM if size == letters else sound + (letters - size > 1)
        found = node if np.int64(contexts[node]) >> context & 1 else found
    return found
