"""Korean particles and verb endings as a kernel looks them up: the longest suffix of an eojeol that a table holds.

Korean has no separate function words, and an analyser (Kiwi: 0.06 to 0.26 MB/s) is too slow for every document.
Tables of suffixes do most of it if they mind the sound before: 가 after a vowel is a particle (나무가), after a
consonant the end of a noun (작가). Nouns that still look inflected stand in the tables too, as entries that mean
nothing and win because they are longer (필요, 결과). A suffix has at most three syllables.

`lexicons/josa.yaml`, `lexicons/korean_endings.yaml`.
"""

from __future__ import annotations

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
    """Entries of one last syllable stand together, the longest first; the arrays are equally long.

    `keys` int64: syllables packed in 16 bits each; `lengths`, `kinds` (bits), `places` int64; `by_last` (65536)
    uint16: 1 + the first entry that ends in this syllable, or 0.
    """

    keys: np.ndarray
    lengths: np.ndarray
    kinds: np.ndarray
    places: np.ndarray
    by_last: np.ndarray


@cache
def suffixes() -> Suffixes:
    """Both tables; an entry that stands in two is what the first says."""
    entries: dict[str, tuple[int, int]] = {}
    for table, group, kind, place in _GROUPS:
        for suffix in lexicon(table)[group]:
            assert 0 < len(suffix) <= MAX_SUFFIX_CHARS, suffix
            entries.setdefault(suffix, (kind, place))
    ordered = sorted(entries, key=lambda suffix: (suffix[-1], -len(suffix), suffix))
    by_last = np.zeros(1 << 16, np.uint16)
    for number, suffix in reversed(list(enumerate(ordered, 1))):
        by_last[ord(suffix[-1])] = number
    keys = [sum(ord(char) << 16 * place for place, char in enumerate(reversed(suffix))) for suffix in ordered]
    kinds, places = zip(*(entries[suffix] for suffix in ordered), strict=True)
    lengths = [len(suffix) for suffix in ordered]
    return Suffixes(np.array(keys), np.array(lengths), np.array(kinds), np.array(places), by_last)


@njit(cache=True, nogil=True)
def find_suffix(tail, run, letters, keys, lengths, kinds, places, by_last):
    """Index of the longest suffix that fits, or -1.

    Args:
        tail: the last four Hangul syllables, 16 bits each.
        run: syllables at the end without another letter among them.
        letters: letters and digits of the eojeol. A suffix leaves one of them as its stem; a whole word may be
            one that means nothing, or 끝.
    """
    last = tail & 0xFFFF
    entry = np.int64(by_last[last]) - 1
    while 0 <= entry < len(keys) and keys[entry] & 0xFFFF == last:
        size = lengths[entry]
        fitting = size <= run and tail & (np.int64(1) << 16 * size) - 1 == keys[entry]
        if fitting and kinds[entry] in (0, CLOSING):
            return entry
        before = tail >> 16 * size & 0xFFFF
        if fitting and size < letters and fits(places[entry], before, run - size, letters - size):
            return entry
        entry += 1
    return np.int64(-1)


@njit(cache=True, nogil=True)
def fits(place, stem_end, stem_run, stem_letters):
    """Whether a suffix of this `place` may follow a stem that ends in `stem_end`; other letters take any."""
    if place == ANYWHERE:
        return True
    if place == AFTER_TWO:
        return stem_letters >= 2
    if stem_run <= 0:
        return True
    final = (stem_end - FIRST_SYLLABLE) % _FINALS
    if place == AFTER_CONSONANT:
        return final != 0
    return final == 0 or (place == AFTER_VOWEL_OR_RIEUL and final == _RIEUL)
