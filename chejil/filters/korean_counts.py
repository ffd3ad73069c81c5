"""The pass over a text that counts what is particular to Korean eojeol, lines and sentences.

Words come from `word_table`, which tells of what classes their characters are and where their letters end: of most,
Hangul with marks around or none, only the last syllables are looked at, and the others are read for what they hold.
What the line must know of a word is a note of 16 bits; a second loop over the notes counts lines and sentences. 3 ms a
megabyte of Korean beside the shared tables. What the counts mean stands in `korean.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.lexicons import lexicon
from chejil.filters.suffixes import CLOSING, ENDING, FINAL, JOSA, POLITE, find_suffix
from chejil.filters.unicode_classes import ALPHABETIC, CLASS_BITS, DIGIT, HANGUL, HANJA, JAMO, LATIN
from chejil.filters.word_letters import APART, BREAK, LETTER_CLASSES, PAIRED
from chejil.filters.word_letters import ENDS as MARK_ENDS

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

# What a word holds, as in `word_kinds`.
_HANGUL, _JAMO, _FOREIGN = 1 << HANGUL, 1 << JAMO, 1 << LATIN | 1 << HANJA

# What the line must know of a word: the bits of its suffix and these.
LETTERED, KOREAN, SINGLE, ENDS, QUOTES, SETS, OPENS = (1 << bit for bit in range(6, 13))
"""SETS: it ends with the quotation mark OPENS or closed, whatever was before; else OPENS turns what was."""

_NO_REGISTER, _POLITE_REGISTER, _OTHER_REGISTER = range(3)


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
def count_korean(
    codes, flags, word_kinds, word_notes, begins, ends, letter_begins, letter_ends, starts, has_hangul, traits,
    children, lengths, kinds, contexts, symbols, counts,
):  # fmt: skip
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before; documents without Hangul are passed over."""
    notes = np.empty(len(begins), np.uint16)
    for doc in np.flatnonzero(has_hangul):
        first, last = starts[doc], starts[doc + 1]
        read_words(
            codes, flags, word_kinds, word_notes, begins, ends, letter_begins, letter_ends, first, last, traits,
            children, lengths, kinds, contexts, symbols, notes, counts[doc],
        )  # fmt: skip
        count_lines(word_notes, notes, first, last, counts[doc])


@njit(cache=True, nogil=True)
def read_words(
    codes, flags, word_kinds, word_notes, begins, ends, letter_begins, letter_ends, first, last, traits,
    children, lengths, kinds, contexts, symbols, notes, row,
):  # fmt: skip
    """Fill `notes` of the words from `first` to `last`, and count what needs no line."""
    eojeol = syllables = particles = endings = np.int64(0)
    for word in range(first, last):
        begin, end, held = np.int64(begins[word]), np.int64(ends[word]), word_kinds[word]
        stem_end = np.int64(letter_ends[word])
        letters, note = stem_end - letter_begins[word], ENDS if word_notes[word] & MARK_ENDS else 0
        hanguls = letters if held & _HANGUL else np.int64(0)
        plain = is_plain(held, word_notes[word])
        if not plain:
            note, stem_end, letters, hanguls = survey(codes, flags, begin, end, held, traits, row)
        if hanguls:
            run = letters if plain else end_run(flags, begin, stem_end)
            tail = tail_of(codes, stem_end)
            node = find_suffix(tail, run, letters, children, lengths, kinds, contexts, symbols)
            kind = kinds[node] if node >= 0 else np.int64(0)
            eojeol += 1
            syllables += hanguls
            particles += kind & JOSA
            endings += kind & ENDING
            note |= kind | KOREAN | (SINGLE if letters == 1 else 0)
            if held & _FOREIGN:
                is_inflection = kind != 0 and run <= lengths[node] + 1
                row[MIXED_EOJEOL] += mixes_scripts(flags, begin, end, is_inflection)
            if end - begin > LONG_RUN_SYLLABLES:
                row[LONG_RUN] += long_runs(flags, begin, end)
        notes[word] = note | (LETTERED if letters else 0)
    row[EOJEOL], row[SYLLABLES] = eojeol, syllables
    row[JOSA_EOJEOL], row[ENDING_EOJEOL] = particles // JOSA, endings // ENDING


@njit(cache=True, nogil=True)
def is_plain(held, word_note):
    """Whether the table of words tells all of a word: letters in a row, no jamo, Hangul alone or none, no quotes."""
    one_script = (held & LETTER_CLASSES == _HANGUL) | (held & (_HANGUL | _JAMO) == 0)
    return one_script & (word_note & (APART | PAIRED) == 0)


@njit(cache=True, nogil=True)
def tail_of(codes, end):
    """The four characters before `end`, 16 bits each, the last one lowest."""
    tail = np.int64(0)
    for back in range(4, 0, -1):
        tail = tail << 16 | np.int64(codes[max(end - back, 0)]) & 0xFFFF
    return tail


@njit(cache=True, nogil=True)
def end_run(flags, begin, end):
    """Syllables without a break before `end`."""
    at = end
    while at > begin and flags[at - 1] & CLASS_BITS == HANGUL:
        at -= 1
    return end - at


@njit(cache=True, nogil=True)
def survey(codes, flags, begin, end, held, traits, row):
    """Of a word that is not Hangul alone: its note, where its last letter ends, its letters, its Hangul.

    Laughing is no letter: 갔어요ㅎㅎ ends in 요.
    """
    letters = hanguls = note = found = np.int64(0)
    stem_end = begin
    for at in range(begin, end):
        trait = np.int64(traits[min(codes[at], 0xFFFF)])
        letter = is_letter(flags[at]) & (trait & LAUGH == 0)
        stem_end = at + 1 if letter else stem_end
        letters += letter
        hanguls += flags[at] & CLASS_BITS == HANGUL
        found |= trait
    if held & _JAMO:
        read_jamo(codes, flags, begin, end, letters, traits, row)
    if found & _QUOTE:
        note |= quotes_of(codes, begin, end, traits)
    if found & TERMINAL:
        note |= ends_sentence(codes, stem_end, end, traits)
    return note, stem_end, letters, hanguls


@njit(cache=True, nogil=True)
def ends_sentence(codes, stem_end, end, traits):
    """ENDS where a mark that ends a sentence follows the last letter."""
    for at in range(stem_end, end):
        if traits[min(codes[at], 0xFFFF)] & TERMINAL:
            return ENDS
    return 0


@njit(cache=True, nogil=True)
def is_letter(flags):
    """Whether these are flags of a letter or a digit."""
    return (flags & ALPHABETIC != 0) | (flags & CLASS_BITS == DIGIT)


@njit(cache=True, nogil=True)
def read_jamo(codes, flags, begin, end, letters, traits, row):
    """Count laughing, and a word of initials: so many letters, laughing apart, and all of them consonants."""
    laughs = consonants = np.int64(0)
    for at in range(begin, end):
        if flags[at] & CLASS_BITS == JAMO:
            trait = traits[min(codes[at], 0xFFFF)]
            laughs += trait & LAUGH != 0
            consonants += trait & (LAUGH | CONSONANT) == CONSONANT
    row[LAUGHS] += laughs
    row[INITIALS_EOJEOL] += consonants > 0 and consonants == letters and consonants + laughs > 1


@njit(cache=True, nogil=True)
def quotes_of(codes, begin, end, traits):
    """QUOTES, SETS and OPENS. A straight mark opens what is closed, and closes what is open."""
    note = np.int64(0)
    for at in range(begin, end):
        trait = traits[min(codes[at], 0xFFFF)] & _QUOTE
        if trait == _QUOTE:
            note = (note | QUOTES) ^ OPENS
        elif trait:
            note = QUOTES | SETS | (OPENS if trait == OPEN_QUOTE else 0)
    return note


@njit(cache=True, nogil=True)
def mixes_scripts(flags, begin, end, is_inflection):
    """Whether a word is neither Hangul alone nor foreign letters with a suffix of Korean: API를, commit하고."""
    scripts, script = np.int64(0), np.int64(-1)
    for at in range(begin, end):
        kind = np.int64(flags[at] & CLASS_BITS)
        if kind in (HANGUL, LATIN, HANJA) and (kind == HANGUL) != script:
            scripts += 1
            script = np.int64(kind == HANGUL)
    return scripts > 1 and not (scripts == 2 and script == 1 and is_inflection)


@njit(cache=True, nogil=True)
def long_runs(flags, begin, end):
    """Syllables in runs of more than LONG_RUN_SYLLABLES."""
    syllables = run = np.int64(0)
    for at in range(begin, end):
        run = run + 1 if flags[at] & CLASS_BITS == HANGUL else 0
        if run > LONG_RUN_SYLLABLES:
            syllables += run if run == LONG_RUN_SYLLABLES + 1 else 1
    return syllables


@njit(cache=True, nogil=True)
def count_lines(word_notes, notes, first, last, row):
    """Count lines and sentences from the notes of the words from `first` to `last`."""
    singles = suffix = register = np.int64(0)
    has_hangul = ended = quoted = False
    for word in range(first, last):
        if word > first and word_notes[word - 1] & BREAK:
            end_line(row, has_hangul, singles, 0 if ended else suffix, suffix, quoted, register)
            singles = suffix = register = np.int64(0)
            has_hangul = ended = quoted = False
        note = np.int64(notes[word])
        if note & LETTERED:
            if note & SINGLE:
                singles += 1
            else:
                row[OVER_SPACED] += singles if singles >= MIN_SINGLES else 0
                singles = np.int64(0)
            suffix, ended = note & FINAL, False
            has_hangul |= note & KOREAN != 0
        if note & QUOTES:
            quoted = (note & OPENS != 0) != (quoted and not note & SETS)
        if note & ENDS and suffix and not ended:
            register, ended = end_sentence(row, suffix, quoted or note & QUOTES, register), True
    end_line(row, has_hangul, singles, 0 if ended else suffix, suffix, quoted, register)


@njit(cache=True, nogil=True)
def end_sentence(row, suffix, quoted, register):
    """Count a sentence by its last suffix; what stands in quotation marks does not switch registers.

    Returns:
        the register that the line speaks from here on.
    """
    if suffix & CLOSING:
        return register
    is_polite = suffix & POLITE != 0
    row[KNOWN] += 1
    row[POLITE_SENTENCES] += is_polite
    if quoted:
        return register
    spoken = np.int64(_POLITE_REGISTER if is_polite else _OTHER_REGISTER)
    if register != _NO_REGISTER:
        row[PAIRS] += 1
        row[SWITCHES] += register != spoken
    return spoken


@njit(cache=True, nogil=True)
def end_line(row, has_hangul, singles, open_suffix, suffix, quoted, register):
    """Count a line that holds Hangul, the single syllables that it ends with, and the sentence that its end ends."""
    row[OVER_SPACED] += singles if singles >= MIN_SINGLES else 0
    if has_hangul:
        row[LINES] += 1
        row[ENDING_LINES] += suffix != 0
        if open_suffix:
            end_sentence(row, open_suffix, quoted, register)
