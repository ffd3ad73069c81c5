"""The pass over the words of a text: how many, how long, of which letters, and which are function words.

What is a sum over words (letters, lengths, symbols) is a loop without branches over the table of words
(`shared_tables.py`), which compiles to vector instructions; hash signs and ellipses are found in the bytes in the
same way. What is left is to read each word from its end: half of the eojeol end in an entry. Of English words one in
eight is one, and eight bits of its hash spare us to read most others. What the counts mean stands in `words.py`.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.lexicons import lexicon
from chejil.filters.registry import Counts
from chejil.filters.shared_tables import measure_characters, measure_words
from chejil.filters.unicode_classes import ALPHABETIC, CLASS_BITS, CONJOINING, DIGIT, HANGUL, LATIN
from chejil.filters.word_letters import LETTERS

COUNTERS = (
    "words", "word_chars", "longest_word", "alpha_words", "hangul_words", "latin_words",
    "hashes", "ellipses", "symbol_words", "symbol_word_chars",
    "english_function_words", "korean_function_words", "function_word_set",
)  # fmt: skip
WORDS, WORD_CHARS, LONGEST, ALPHA, HANGUL_WORDS, LATIN_WORDS = range(6)
HASHES, ELLIPSES, SYMBOL_WORDS, SYMBOL_WORD_CHARS, ENGLISH, KOREAN, FOUND = range(6, 13)

MAX_ENTRY_CHARS = 4
_HANGUL_KINDS = 1 << HANGUL | 1 << CONJOINING
_LATIN_KIND = 1 << LATIN
_LATIN_ONLY = _LATIN_KIND | LETTERS
_NOT_SYMBOLS = LETTERS | 1 << DIGIT
_HASH, _DOT = ord("#"), ord(".")
_ELLIPSIS = tuple("…".encode())
_HASH_BITS = np.uint64(64 - 8)


class FunctionWords(NamedTuple):
    """The lexicon as a kernel reads it: an automaton that reads a word from its last letter on.

    `letters` (65536) uint8: number of a character in the entries, 0 for all others; `steps` (num_states,
    num_letters) uint8: the next state, 0 where no entry goes on; `entries` (num_states) uint8: number of the entry
    that is read, or 0. State 0 begins. English entries come first: `last_english` is the last one's number. `by_hash`
    (256) bool is true for the high bits of their hashes in the table of words.
    """

    letters: np.ndarray
    steps: np.ndarray
    entries: np.ndarray
    last_english: int
    by_hash: np.ndarray


@cache
def function_words() -> FunctionWords:
    """Read `lexicons/function_words.yaml`, once a process."""
    english = lexicon("function_words")["en"]
    words = sorted(english + lexicon("function_words")["ko"], key=lambda word: (word[-1], -len(word)))
    numbers = {word: number for number, word in enumerate(words, 1)}
    assert len(numbers) < 64
    assert all(len(word) <= MAX_ENTRY_CHARS for word in numbers)
    states = sorted({word[start:] for word in numbers for start in range(len(word) + 1)}, key=len)
    assert len(states) < 256
    alphabet = sorted(set("".join(numbers)))
    letters, by_hash = np.zeros(1 << 16, np.uint8), np.zeros(256, np.bool_)
    letters[[ord(char) for char in alphabet]] = range(1, len(alphabet) + 1)
    by_hash[_hashes(english) >> _HASH_BITS] = True
    entries = np.array([numbers.get(state, 0) for state in states], np.uint8)
    return FunctionWords(letters, _steps(states, alphabet), entries, len(english), by_hash)


def _steps(states: list[str], alphabet: list[str]) -> np.ndarray:
    places = {state: number for number, state in enumerate(states)}
    return np.array([[0, *(places.get(char + state, 0) for char in alphabet)] for state in states], np.uint8)


def _hashes(words: list[str]) -> np.ndarray:
    text = TextBuffers.of([" ".join(words)])
    return measure_words(text, Counts(measure_characters(text, Counts({}))))["word_hashes"]


_IS_LETTER = np.array(
    [flags & ALPHABETIC != 0 or flags & CLASS_BITS == DIGIT for flags in range(32)], np.bool_
)


@njit(cache=True, nogil=True)
def count_words(
    data, offsets, codes, flags, hashes, kinds, begins, ends, starts,
    letters, steps, entries, last_english, by_hash, found, counts,
):  # fmt: skip
    """Fill `counts` (num_docs, len(COUNTERS)) int64 and `found` (num_words) uint8, zeros before."""
    find_entries(
        codes, flags, hashes, kinds, begins, ends, letters, steps, entries, last_english, by_hash, found
    )
    for doc in range(len(starts) - 1):
        row, first, after = counts[doc], starts[doc], starts[doc + 1]
        row[WORDS] = after - first
        count_kinds(kinds[first:after], begins[first:after], ends[first:after], row)
        count_symbols(data[offsets[doc] : offsets[doc + 1]], row)
        count_entries(found[first:after], last_english, row)


@njit(cache=True, nogil=True)
def find_entries(
    codes, flags, hashes, kinds, begins, ends, letters, steps, entries, last_english, by_hash, found
):
    """Fill `found` (num_words) uint8: the number of the entry that a word is or ends in.

    An English one is the whole word, a Korean one ends a longer word; what is no letter or digit is passed over.
    """
    for word in range(len(kinds)):
        if kinds[word] == _LATIN_ONLY and not by_hash[hashes[word] >> _HASH_BITS]:
            continue
        state, best = np.int64(0), np.uint8(0)
        at, begin, goes_on = np.int64(ends[word]) - 1, np.int64(begins[word]), True
        while at >= begin and goes_on:
            if _IS_LETTER[flags[at] & 31]:
                best = entries[state] if entries[state] > last_english else best
                state = np.int64(steps[state, letters[min(codes[at], np.uint32(0xFFFF))]])
                goes_on = state != 0
            at -= 1
        if goes_on and 0 < entries[state] <= last_english:
            best = entries[state]
        found[word] = best


@njit(cache=True, nogil=True)
def count_kinds(kinds, begins, ends, row):
    """Count words by the classes of their characters, and their characters."""
    letters = hangul = latin = symbols = chars = symbol_chars = np.int64(0)
    longest = np.int32(0)
    for word in range(len(kinds)):
        kind, size = kinds[word], ends[word] - begins[word]
        is_hangul, is_symbol = kind & _HANGUL_KINDS != 0, kind & _NOT_SYMBOLS == 0
        letters += kind & LETTERS != 0
        hangul += is_hangul
        latin += (not is_hangul) & (kind & _LATIN_KIND != 0)
        symbols += is_symbol
        chars += size
        symbol_chars += size if is_symbol else 0
        longest = max(longest, np.int32(size))
    row[ALPHA], row[HANGUL_WORDS], row[LATIN_WORDS] = letters, hangul, latin
    row[SYMBOL_WORDS], row[SYMBOL_WORD_CHARS] = symbols, symbol_chars
    row[WORD_CHARS], row[LONGEST] = chars, longest


@njit(cache=True, nogil=True)
def count_entries(found, last_english, row):
    """Count the function words of a text."""
    english = korean = np.int64(0)
    bits = np.int64(0)
    for number in found:
        english += (number > 0) & (number <= last_english)
        korean += number > last_english
        bits |= 1 << np.int64(number)
    row[ENGLISH], row[KOREAN], row[FOUND] = english, korean, bits >> 1


@njit(cache=True, nogil=True)
def count_symbols(text, row):
    """Count the hash signs and ellipses in the bytes of a text."""
    hashed = dotted = False
    second, third = text[1:], text[2:]
    for at in range(len(third)):
        dotted |= (text[at] == _DOT) & (second[at] == _DOT) & (third[at] == _DOT)
        dotted |= (text[at] == _ELLIPSIS[0]) & (second[at] == _ELLIPSIS[1]) & (third[at] == _ELLIPSIS[2])
    for at in range(len(text)):
        hashed |= text[at] == _HASH
    row[HASHES] = count_hashes(text) if hashed else 0
    row[ELLIPSES] = count_ellipses(text) if dotted else 0


@njit(cache=True, nogil=True)
def count_hashes(text):
    """Hash signs."""
    hashes = np.int64(0)
    for byte in text:
        hashes += byte == _HASH
    return hashes


@njit(cache=True, nogil=True)
def count_ellipses(text):
    """Ellipses, those of three dots side by side where a run is longer."""
    ellipses = dots = np.int64(0)
    for at in range(len(text)):
        dots = dots + 1 if text[at] == _DOT else 0
        ellipses += dots > 0 and dots % 3 == 0
        if text[at] == _ELLIPSIS[0] and at + 2 < len(text):
            ellipses += text[at + 1] == _ELLIPSIS[1] and text[at + 2] == _ELLIPSIS[2]
    return ellipses
