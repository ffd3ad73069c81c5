"""The pass over a text that gives each line a language, Korean or English, and counts where it changes.

Three ways of being bilingual look alike to a share of Hangul: halves (one switch), a translation under every line
(a switch a line), glosses in brackets (none). Training wants the second, may want the third, and splits the first.
No model is asked: a line is Korean by its eojeol and English by its function words, as a document is (`language.py`),
so code, names and tables between two lines are neither and switch nothing. It reads words, not characters, and which
are function words was found before (`word_counts.py`): 1,300 MB/s on Korean, 1,100 on English.

Code-switched corpora are measured by such indices at the word (Gambäck and Das 2016, "Comparing the level of
code-switching in corpora"); here at the line, where a document can be cut.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.lexicons import lexicon
from chejil.filters.registry import Counts
from chejil.filters.unicode_classes import (
    CLASS_BITS,
    CONJOINING,
    DIGIT,
    HALF_KANA,
    HANGUL,
    HANJA,
    JAMO,
    KANA,
    LATIN,
    LETTER,
)
from chejil.filters.word_counts import MAX_ENTRY_CHARS, function_words

COUNTERS = ("korean_lines", "english_lines", "language_switches")
KOREAN_LINES, ENGLISH_LINES, SWITCHES = range(3)

MIN_EOJEOL = 3  # with Hangul: "1. 개요" is a heading in a document of any language
MIN_SYLLABLES = 6
MIN_ENGLISH_WORDS = 5
WORDS_PER_FUNCTION_WORD = 12  # one among twelve: half of what prose has, since a line is a sentence or less
WORDS_PER_EOJEOL = 2  # a sentence and its translation: 10 eojeol, 18 to 22 English words

_HANGUL_KINDS = 1 << HANGUL | 1 << CONJOINING
_LATIN_KIND = 1 << LATIN
_OTHER_LETTERS = 1 << JAMO | 1 << HANJA | 1 << KANA | 1 << HALF_KANA | 1 << LETTER
_NEITHER, _KOREAN, _ENGLISH = 0, 1, 2


@njit(cache=True, nogil=True)
def count_switches(
    codes, flags, kinds, begins, ends, line_words, line_starts, entries, last_english, keys, counts
):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before, from the table of words.

    Args:
        entries: as in `words`; those up to `last_english` are English.
        keys: English function words, int64: their characters packed in 16 bits each.
    """
    for doc in range(len(line_starts) - 1):
        before = _NEITHER
        for line in range(line_starts[doc], line_starts[doc + 1]):
            first, after = np.int64(line_words[line]), np.int64(line_words[line + 1])
            language = language_of(
                codes, flags, kinds, begins, ends, entries, first, after, last_english, keys
            )
            if language != _NEITHER:
                counts[doc, KOREAN_LINES] += language == _KOREAN
                counts[doc, ENGLISH_LINES] += language == _ENGLISH
                counts[doc, SWITCHES] += before != _NEITHER and before != language
                before = language


@njit(cache=True, nogil=True)
def language_of(codes, flags, kinds, begins, ends, entries, first, after, last_english, keys):
    """Language of the line with these words."""
    eojeol, english, function_words, odd = count_words(kinds, entries, first, after, last_english)
    if odd:
        function_words += count_odd(codes, flags, kinds, begins, ends, first, after, keys)
    prose = min(english, WORDS_PER_FUNCTION_WORD * function_words)
    if eojeol >= MIN_EOJEOL and WORDS_PER_EOJEOL * eojeol >= prose:
        enough = count_syllables(flags[begins[first] : ends[after - 1]]) >= MIN_SYLLABLES
        return _KOREAN if enough else _NEITHER
    if english >= MIN_ENGLISH_WORDS and prose >= english and english > WORDS_PER_EOJEOL * eojeol:
        return _ENGLISH
    return _NEITHER


@njit(cache=True, nogil=True)
def count_words(kinds, entries, first, after, last_english):
    """Eojeol; words with Latin letters and without Hangul; function words among these; how many are left to
    `count_odd`. No branches: 1 ns a word."""
    eojeol = english = function_words = odd = np.int64(0)
    for word in range(first, after):
        held = kinds[word]
        is_english = held & (_LATIN_KIND | _HANGUL_KINDS) == _LATIN_KIND
        eojeol += held & _HANGUL_KINDS != 0
        english += is_english
        function_words += is_english & (entries[word] > 0) & (entries[word] <= last_english)
        odd += is_english & (held & _OTHER_LETTERS != 0)
    return eojeol, english, function_words, odd


@njit(cache=True, nogil=True)
def count_syllables(flags):
    """Hangul syllables among these characters, two conjoining jamo taken for one."""
    syllables = jamo = np.int64(0)
    for at in range(len(flags)):
        syllables += flags[at] & CLASS_BITS == HANGUL
        jamo += flags[at] & CLASS_BITS == CONJOINING
    return syllables + jamo // 2


@njit(cache=True, nogil=True)
def count_odd(codes, flags, kinds, begins, ends, first, after, keys):
    """English function words beside letters of other scripts ("the" + 漢), which `words` takes for none."""
    times = np.int64(0)
    for word in range(first, after):
        latin = kinds[word] & (_LATIN_KIND | _HANGUL_KINDS) == _LATIN_KIND
        if latin and kinds[word] & _OTHER_LETTERS:
            times += is_entry(codes, flags, np.int64(begins[word]), np.int64(ends[word]), keys)
    return times


@njit(cache=True, nogil=True)
def is_entry(codes, flags, begin, end, keys):
    """Whether the Latin letters and digits of a word are a function word."""
    letters = packed = np.int64(0)
    for at in range(begin, end):
        kind = flags[at] & CLASS_BITS
        if (kind == LATIN) | (kind == DIGIT):
            letters += 1
            packed = packed << 16 | min(np.int64(codes[at]), 0xFFFF)
    return letters <= MAX_ENTRY_CHARS and packed in keys


_TABLES = (
    "codes", "flags", "word_kinds", "word_begins", "word_ends", "line_words", "line_starts", "word_entries",
)  # fmt: skip


def measure(texts: TextBuffers, shared: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text, from the table of words and what `words` has found in it."""
    counts = np.zeros((len(texts), len(COUNTERS)), np.int64)
    tables = [shared[name] for name in _TABLES]
    count_switches(*[*tables, function_words().last_english, english_words(), counts])
    return dict(zip(COUNTERS, np.ascontiguousarray(counts.T), strict=True))


@cache
def english_words() -> np.ndarray:
    """The English function words, int64: their characters packed in 16 bits each."""
    words = lexicon("function_words")["en"]
    packed = [sum(ord(char) << 16 * place for place, char in enumerate(reversed(word))) for word in words]
    return np.array(packed, np.int64)
