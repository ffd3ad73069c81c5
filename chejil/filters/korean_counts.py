"""The pass over a text that counts what is particular to Korean eojeol, lines and sentences.

One loop over the characters fills the state of an eojeol; it is judged where it ends, and its last suffix is kept
for the line. No string is made and nothing is allocated, so the pass runs at about 80 MB/s of Korean. What the counts
mean stands in `korean.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.lexicons import lexicon
from chejil.filters.suffixes import CLOSING, ENDING, FINAL, JOSA, POLITE, find_suffix
from chejil.filters.unicode_classes import (
    ALPHABETIC,
    CLASS_BITS,
    DIGIT,
    HANGUL,
    HANJA,
    JAMO,
    LATIN,
    WHITESPACE,
    next_char,
)

COUNTERS = (
    "korean_eojeol", "josa_eojeol", "ending_eojeol", "mixed_script_eojeol", "initials_eojeol", "over_spaced_eojeol",
    "eojeol_syllables", "long_run_syllables", "laugh_chars", "hangul_lines", "ending_lines",
    "known_sentences", "polite_sentences", "register_pairs", "register_switches",
)  # fmt: skip
EOJEOL, JOSA_EOJEOL, ENDING_EOJEOL, MIXED_EOJEOL, INITIALS_EOJEOL, OVER_SPACED = range(6)
SYLLABLES, LONG_RUN, LAUGHS, LINES, ENDING_LINES = range(6, 11)
KNOWN, POLITE_SENTENCES, PAIRS, SWITCHES = range(11, 15)

LONG_RUN_SYLLABLES = 12
MIN_SINGLES = 3

LAUGH, CONSONANT, TERMINAL, OPEN_QUOTE, CLOSE_QUOTE = (1 << bit for bit in range(5))
_QUOTE = OPEN_QUOTE | CLOSE_QUOTE
_NEWLINE = ord("\n")

# State of an eojeol.
WORD_STATES = 11
LETTERS, HANGULS, TAIL, RUN, GAP, SCRIPTS, JAMOS, LAUGHED, VOWELS, ENDS, QUOTES = range(WORD_STATES)
_IN_HANGUL, _IN_OTHER, _ONE_CHANGE = 1, 2, 4  # SCRIPTS: the script that stands, and 4 for each change to one

# State of a line. SUFFIX is the kind of the last eojeol with letters, ENDED whether its sentence is counted.
LINE_STATES = 6
HAS_HANGUL, SINGLES, SUFFIX, ENDED, REGISTER, QUOTED = range(LINE_STATES)
_POLITE_REGISTER, _OTHER_REGISTER = 1, 2


@cache
def trait_table() -> np.ndarray:
    """LAUGH, CONSONANT (a jamo that is one), TERMINAL and quote bits of the points below U+10000, uint8, read-only."""
    table = np.zeros(1 << 16, np.uint8)
    kinds = {"laugh": LAUGH, "terminal": TERMINAL, "open_quote": OPEN_QUOTE, "close_quote": CLOSE_QUOTE}
    for name, bit in kinds.items():
        for char in lexicon("korean_marks")[name]:
            table[ord(char)] |= bit
    table[0x3131:0x314F] |= CONSONANT
    table[0xFFA1:0xFFBF] |= CONSONANT
    table.flags.writeable = False
    return table


@njit(cache=True, nogil=True)
def count_korean(data, offsets, has_hangul, table, traits, keys, lengths, kinds, places, by_last, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before; documents without Hangul are passed over."""
    word, line = np.zeros(WORD_STATES, np.int64), np.zeros(LINE_STATES, np.int64)
    for doc in np.flatnonzero(has_hangul):
        i, end, row = offsets[doc], offsets[doc + 1], counts[doc]
        word[:] = 0
        line[:] = 0
        while i < end:
            code, i = next_char(data, i)
            flags = table[code]
            kind = flags & CLASS_BITS
            if kind == HANGUL:
                add_syllable(row, word, code)
            elif kind != WHITESPACE:
                trait = np.int64(traits[code]) if code < 0x10000 else np.int64(0)
                add_other(row, word, line, kind, flags & ALPHABETIC != 0 or kind == DIGIT, trait)
            if kind == WHITESPACE or i == end:
                end_eojeol(row, word, line, keys, lengths, kinds, places, by_last)
                if code == _NEWLINE or i == end:
                    end_line(row, line)


@njit(cache=True, nogil=True)
def add_syllable(row, word, code):
    """A Hangul syllable."""
    if word[GAP]:
        word[RUN] = word[TAIL] = word[GAP] = 0
    if word[SCRIPTS] & 3 != _IN_HANGUL:
        word[SCRIPTS] = (word[SCRIPTS] & ~3) + _ONE_CHANGE | _IN_HANGUL
    word[LETTERS] += 1
    word[HANGULS] += 1
    word[TAIL] = word[TAIL] << 16 | code
    word[RUN] += 1
    if word[RUN] > LONG_RUN_SYLLABLES:
        row[LONG_RUN] += word[RUN] if word[RUN] == LONG_RUN_SYLLABLES + 1 else 1
    word[ENDS] = 0


@njit(cache=True, nogil=True)
def add_other(row, word, line, kind, is_letter, trait):
    """Any other character that is seen. Laughing is no letter: 갔어요ㅎㅎ ends in 요.

    A straight quotation mark opens what is closed, and closes what is open.
    """
    word[GAP] = 1
    if trait & LAUGH:
        row[LAUGHS] += 1
        word[LAUGHED] += 1
        return
    if is_letter:
        word[LETTERS] += 1
        word[TAIL] = word[RUN] = word[ENDS] = 0
        if kind == JAMO:
            word[JAMOS] += 1
            word[VOWELS] += trait & CONSONANT == 0
        elif kind in (LATIN, HANJA) and word[SCRIPTS] & 3 != _IN_OTHER:
            word[SCRIPTS] = (word[SCRIPTS] & ~3) + _ONE_CHANGE | _IN_OTHER
    elif trait & TERMINAL:
        word[ENDS] = 1
    elif trait & _QUOTE:
        word[QUOTES] = 1
        line[QUOTED] = 1 - line[QUOTED] if trait & _QUOTE == _QUOTE else trait & OPEN_QUOTE != 0


@njit(cache=True, nogil=True)
def end_eojeol(row, word, line, keys, lengths, kinds, places, by_last):
    """Count an eojeol, if there is one, and the sentence that it ends."""
    kind = np.int64(0)
    if word[HANGULS]:
        entry = find_suffix(word[TAIL], word[RUN], word[LETTERS], keys, lengths, kinds, places, by_last)
        size = np.int64(0)
        if entry >= 0:
            kind, size = kinds[entry], lengths[entry]
        end_korean_eojeol(row, word, kind, size)
        line[HAS_HANGUL] = 1
    row[INITIALS_EOJEOL] += (
        word[JAMOS] > 0
        and word[VOWELS] == 0
        and word[JAMOS] == word[LETTERS]
        and word[JAMOS] + word[LAUGHED] > 1
    )
    if word[LETTERS]:
        if word[LETTERS] == 1 and word[HANGULS] == 1:
            line[SINGLES] += 1
        else:
            end_singles(row, line)
        line[SUFFIX] = kind & FINAL
        line[ENDED] = 0
    if word[ENDS] and line[SUFFIX] and not line[ENDED]:
        end_sentence(row, line, line[QUOTED] or word[QUOTES])
    word[:] = 0


@njit(cache=True, nogil=True)
def end_korean_eojeol(row, word, kind, size):
    """Count an eojeol with Hangul, whose suffix is of this kind and size.

    It mixes scripts unless it is Hangul alone or foreign letters with a suffix of Korean: API를, commit하고.
    """
    row[EOJEOL] += 1
    row[SYLLABLES] += word[HANGULS]
    row[JOSA_EOJEOL] += kind & JOSA != 0
    row[ENDING_EOJEOL] += kind & ENDING != 0
    scripts = word[SCRIPTS] // _ONE_CHANGE
    inflected = scripts == 2 and word[SCRIPTS] & 3 == _IN_HANGUL and kind != 0 and word[RUN] <= size + 1
    row[MIXED_EOJEOL] += scripts > 1 and not inflected


@njit(cache=True, nogil=True)
def end_singles(row, line):
    """Count single syllables that stood in a row, where they are too many for 그 수 (that number)."""
    if line[SINGLES] >= MIN_SINGLES:
        row[OVER_SPACED] += line[SINGLES]
    line[SINGLES] = 0


@njit(cache=True, nogil=True)
def end_sentence(row, line, quoted):
    """Count a sentence by its last suffix; what stands in quotation marks does not switch registers."""
    line[ENDED] = 1
    if line[SUFFIX] & CLOSING:
        return
    is_polite = line[SUFFIX] & POLITE != 0
    row[KNOWN] += 1
    row[POLITE_SENTENCES] += is_polite
    if quoted:
        return
    register = _POLITE_REGISTER if is_polite else _OTHER_REGISTER
    if line[REGISTER]:
        row[PAIRS] += 1
        row[SWITCHES] += line[REGISTER] != register
    line[REGISTER] = register


@njit(cache=True, nogil=True)
def end_line(row, line):
    """Count a line that holds Hangul, and the sentence that its end ends."""
    end_singles(row, line)
    if line[HAS_HANGUL]:
        row[LINES] += 1
        row[ENDING_LINES] += line[SUFFIX] != 0
        if line[SUFFIX] and not line[ENDED]:
            end_sentence(row, line, line[QUOTED])
    line[:] = 0
