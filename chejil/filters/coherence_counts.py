"""The passes over a table of words that count words that recur, marks without a partner, and the lengths of sentences.

A word is a 64-bit hash of its beginning; where its letters stand in a row it is a sum over sixteen characters, those
behind its beginning times 0, in vector instructions: all but one word in fifteen. A table sized to the document holds
where a beginning stood last. 2.2 ms a megabyte of Korean and 2.9 of English beside the shared tables. Of a document
the first 1,048,576 topic words are looked at. What the counts mean stands in `coherence.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.lexicons import lexicon
from chejil.filters.repetition import power_of_two
from chejil.filters.unicode_classes import CLASS_BITS, HANGUL, class_table
from chejil.filters.word_letters import (
    APART,
    BLANK_LINE,
    BREAK,
    ENDS,
    PAIRED,
    enter,
    finish,
    is_letter,
    lower,
    slot_of,
)

COUNTERS = (
    "topic_words", "recurring_topic_words", "paired_marks", "unpaired_marks",
    "sentences", "sentence_words", "sentence_words_squared",
)  # fmt: skip
TOPIC_WORDS, RECURRING, MARKS, UNPAIRED, SENTENCES, SENTENCE_WORDS, SQUARES = range(7)

RECURRENCE_WINDOW = 50
HANGUL_STEM, OTHER_STEM = 2, 6
MAX_WORDS = 1 << 20
LANES = 16  # of fewer the compiler makes no vectors
MAX_LABEL = 4  # 1) 가) iv) at the beginning of a word

OPEN, CLOSE, FACE, STRAIGHT = (
    1 << bit for bit in range(4, 8)
)  # and the number of the pair in the low four bits
_KIND = 15
_FACTORS = np.array([0x9E3779B97F4A7C15 ** (at + 1) % 2**64 for at in range(OTHER_STEM)], np.uint64)


@cache
def mark_table() -> np.ndarray:
    """OPEN or CLOSE with the number of the pair, FACE and STRAIGHT, uint8, read-only.

    Of the points below U+FFFF; the last entry stands for all from there on.
    """
    table = np.zeros(1 << 16, np.uint8)
    for number, (opening, closing) in enumerate(lexicon("paired_marks")["pairs"]):
        table[ord(opening)] |= OPEN | number
        table[ord(closing)] |= CLOSE | number
    for char in lexicon("paired_marks")["faces"]:
        table[ord(char)] |= FACE
    table[ord('"')] |= STRAIGHT
    table.flags.writeable = False
    return table


@cache
def stem_factors() -> np.ndarray:
    """Factors of the characters of a stem of so many, (OTHER_STEM + 1, LANES) uint64, 0 behind its end, read-only."""
    table = np.zeros((OTHER_STEM + 1, LANES), np.uint64)
    table[:, :OTHER_STEM] = np.tril(np.broadcast_to(_FACTORS, (OTHER_STEM + 1, OTHER_STEM)), -1)
    table.flags.writeable = False
    return table


@cache
def common_stems() -> np.ndarray:
    """Hashes of `lexicons/common_stems.yaml` in an open-addressing table, uint64, read-only."""
    table = np.zeros(1 << 13, np.uint64)
    for lang in ("ko", "en"):
        for stem in lexicon("common_stems")[lang].split():
            codes = np.array([ord(char) for char in stem], np.uint32)
            enter(table, np.uint64(walk(codes, class_table()[codes], 0, len(codes))))
    table.flags.writeable = False
    return table


@njit(cache=True, nogil=True)
def count_coherence(
    codes, flags, notes, begins, ends, letter_begins, letter_ends, starts, marks, factors, common, counts
):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    stems, slots, marked = scratch(1024)
    for doc in range(len(starts) - 1):
        first, last = starts[doc], starts[doc + 1]
        if last - first > len(marked):
            stems, slots, marked = scratch(last - first)
        num = read_stems(codes, flags, notes, letter_begins, letter_ends, first, last, factors, common, stems)
        counts[doc, TOPIC_WORDS] = num
        counts[doc, RECURRING] = count_recurring(stems[:num], slots[: power_of_two(2 * num + 1)])
        num = count_sentences(notes, letter_begins, letter_ends, first, last, marked, counts[doc])
        if num:
            count_marks(codes, begins, ends, marked[:num], marks, counts[doc])


@njit(cache=True, nogil=True)
def scratch(num_words):
    """Stems (one more than are looked at), their table, words with marks and their paragraphs, for so many words."""
    room = min(num_words, MAX_WORDS)
    slots = np.zeros(power_of_two(2 * room + 1), np.int32)
    return np.zeros(room + 1, np.uint64), slots, np.zeros((num_words, 2), np.int32)


@njit(cache=True, nogil=True)
def read_stems(codes, flags, notes, begins, ends, first, last, factors, common, stems):
    """Fill `stems`, of words that are not common; returns how many.

    Most are a sum over a row of `stem_factors`, without branches, since the lengths of words are not foretold.
    """
    num = np.int64(0)
    for word in range(first, last):
        begin, end, running = np.int64(begins[word]), np.int64(ends[word]), np.uint64(0)
        if notes[word] & APART or begin + factors.shape[1] > len(codes):
            stem = walk(codes, flags, begin, end)
        else:
            limit = np.int64(HANGUL_STEM if flags[begin] & CLASS_BITS == HANGUL else OTHER_STEM)
            few, row = codes[begin : begin + factors.shape[1]], factors[min(end - begin, limit)]
            for at in range(factors.shape[1]):
                running += lower(few[at]) * row[at]
            stem = finish(running)
        stems[num] = stem
        num += (end - begin > 1) & (num < len(stems) - 1) & (common[slot_of(common, stem)] == 0)
    return num


@njit(cache=True, nogil=True)
def walk(codes, flags, begin, end):
    """Stem of a word that may have other characters among its letters."""
    letters, total = np.int64(0), np.uint64(0)
    limit = np.int64(HANGUL_STEM if end > begin and flags[begin] & CLASS_BITS == HANGUL else OTHER_STEM)
    while begin < end and letters < limit:
        if is_letter(flags[begin]):
            total += lower(codes[begin]) * _FACTORS[letters]
            letters += 1
        begin += 1
    return finish(total)


@njit(cache=True, nogil=True)
def count_sentences(notes, begins, ends, first, last, marked, row):
    """Count sentences and their words; fill `marked`: words that may hold marks, and their paragraphs; returns how
    many.

    A sentence ends with its mark, with the line, or with the text.
    """
    num = in_sentence = paragraph = np.int64(0)
    for word in range(first, last):
        note = notes[word]
        marked[num, 0], marked[num, 1] = word, paragraph
        num += note & (PAIRED | APART) != 0
        paragraph += note & BLANK_LINE != 0
        in_sentence += ends[word] > begins[word]
        if note & (ENDS | BREAK) or word + 1 == last:
            row[SENTENCES] += in_sentence > 0
            row[SENTENCE_WORDS] += in_sentence
            row[SQUARES] += in_sentence * in_sentence
            in_sentence = np.int64(0)
    return num


@njit(cache=True, nogil=True)
def count_recurring(stems, slots):
    """Stems that stood among the RECURRENCE_WINDOW before; `slots`, scratch, hold 1 + the last place of a stem.

    An empty slot reads as the place itself, so that a new stem and an old one take the same way.
    """
    slots[:] = 0
    mask = len(slots) - 1
    recurring = np.int64(0)
    for i in range(len(stems)):
        slot = np.int64(stems[i] >> np.uint64(40)) & mask
        last = np.int64(slots[slot]) - 1 if slots[slot] else i
        while stems[last] != stems[i]:
            slot = (slot + 1) & mask
            last = np.int64(slots[slot]) - 1 if slots[slot] else i
        recurring += (last < i) & (i - last <= RECURRENCE_WINDOW)
        slots[slot] = i + 1
    return recurring


@njit(cache=True, nogil=True)
def count_marks(codes, begins, ends, marked, marks, row):
    """Brackets and quotation marks of a document, and those without a partner in their paragraph."""
    is_open = np.zeros(_KIND + 1, np.int64)
    paragraph = np.int64(0)
    for k in range(len(marked)):
        if marked[k, 1] != paragraph:
            row[UNPAIRED] += close_all(is_open)
            paragraph = np.int64(marked[k, 1])
        read_marks(codes, begins[marked[k, 0]], ends[marked[k, 0]], marks, is_open, row)
    row[UNPAIRED] += close_all(is_open)


@njit(cache=True, nogil=True)
def close_all(is_open):
    """How many are open; none is then. Straight marks, the last kind, are open where their number is odd."""
    is_open[_KIND] &= 1
    total = np.sum(is_open)
    is_open[:] = 0
    return total


@njit(cache=True, nogil=True)
def read_marks(codes, begin, end, marks, is_open, row):
    """Count the marks of a word."""
    before = np.int64(0)
    for at in range(begin, end):
        mark = np.int64(marks[min(codes[at], 0xFFFF)])
        kind = mark & _KIND
        if mark == 0:  # as most are: no more questions
            pass
        elif mark & STRAIGHT:
            row[MARKS] += 1
            is_open[_KIND] += 1
        elif mark & CLOSE and is_open[kind] > 0:
            row[MARKS] += 1
            is_open[kind] -= 1
        elif mark & OPEN and not before & FACE:
            row[MARKS] += 1
            is_open[kind] += 1
        elif mark & CLOSE and not before & FACE and not 0 < at - begin < MAX_LABEL:
            row[MARKS] += 1
            row[UNPAIRED] += 1
        before = mark
