"""The pass over a text that counts words that recur, marks without a partner, and the lengths of sentences.

A word is a 64-bit hash of its beginning, in a table sized to the document: linear, 150 MB/s. Of a document the
first 4,194,304 topic words are looked at. What the counts mean stands in `coherence.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.korean_counts import TERMINAL
from chejil.filters.lexicons import lexicon
from chejil.filters.repetition import first_like, power_of_two
from chejil.filters.stuffing_counts import finish, hash_of
from chejil.filters.unicode_classes import ALPHABETIC, CLASS_BITS, DIGIT, HANGUL, WHITESPACE, next_char

COUNTERS = (
    "topic_words", "recurring_topic_words", "paired_marks", "unpaired_marks",
    "sentences", "sentence_words", "sentence_words_squared",
)  # fmt: skip
TOPIC_WORDS, RECURRING, MARKS, UNPAIRED, SENTENCES, SENTENCE_WORDS, SQUARES = range(7)

RECURRENCE_WINDOW = 50
HANGUL_STEM, OTHER_STEM = 2, 6
MAX_WORDS = 1 << 22
MAX_LABEL = 4  # 1) 가) iv) at the beginning of a word

OPEN, CLOSE, FACE, STRAIGHT = 16, 32, 64, 128  # and the number of the pair in the low four bits
_KIND = 15
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a, here over code points
_NEWLINE = ord("\n")


@cache
def mark_table() -> np.ndarray:
    """OPEN or CLOSE with the number of the pair, FACE, STRAIGHT, for the points below U+10000, uint8, read-only."""
    table = np.zeros(1 << 16, np.uint8)
    for number, (opening, closing) in enumerate(lexicon("paired_marks")["pairs"]):
        table[ord(opening)], table[ord(closing)] = OPEN | number, CLOSE | number
    for char in lexicon("paired_marks")["faces"]:
        table[ord(char)] = FACE
    table[ord('"')] = STRAIGHT
    table.flags.writeable = False
    return table


@cache
def common_stems() -> np.ndarray:
    """Hashes of `lexicons/common_stems.yaml` in an open-addressing table, uint64, read-only."""
    table = np.zeros(1 << 12, np.uint64)
    for lang in ("ko", "en"):
        for stem in lexicon("common_stems")[lang].split():
            enter(table, np.uint64(hash_of(np.array([ord(char) for char in stem]))))
    table.flags.writeable = False
    return table


@njit(cache=True, nogil=True)
def slot_of(table, key):
    """Where `key` is or would be."""
    slot = np.int64(key >> np.uint64(40)) & (len(table) - 1)
    while table[slot] != 0 and table[slot] != key:
        slot = (slot + 1) & (len(table) - 1)
    return slot


@njit(cache=True, nogil=True)
def enter(table, key):
    """Put `key` into the table."""
    table[slot_of(table, key)] = key


@njit(cache=True, nogil=True)
def count_coherence(data, offsets, table, traits, marks, common, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    stems, last, slots = np.zeros(1024, np.uint64), np.zeros(1024, np.int64), np.zeros(2048, np.int32)
    for doc in range(len(offsets) - 1):
        start, end, row = offsets[doc], offsets[doc + 1], counts[doc]
        room = min((end - start) // 3 + 1, MAX_WORDS)
        if room > len(stems):
            stems, last = np.zeros(room, np.uint64), np.zeros(room, np.int64)
            slots = np.zeros(power_of_two(2 * room), np.int32)
        num = read_stems(data, start, end, table, traits, common, stems[:room], row)
        row[TOPIC_WORDS] = num
        row[RECURRING] = count_recurring(stems[:num], last, slots[: power_of_two(2 * num + 1)])
        count_marks(data, start, end, table, marks, row)


@njit(cache=True, nogil=True)
def read_stems(data, i, end, table, traits, common, stems, row):
    """Hash of the beginning of each word that is not common, in order; counts sentences on the way."""
    num = letters = limit = in_sentence = np.int64(0)
    running, ends = _BASIS, False
    while i < end:
        code, i = next_char(data, i)
        kind = table[code] & CLASS_BITS
        if kind != WHITESPACE:
            if table[code] & ALPHABETIC or kind == DIGIT:
                ends = False
                letters += 1
                if letters == 1:
                    limit = HANGUL_STEM if kind == HANGUL else OTHER_STEM
                if letters <= limit:
                    lower = code + 32 if ord("A") <= code <= ord("Z") else code
                    running = (running ^ np.uint64(lower)) * _PRIME
            elif code < 0x10000 and traits[code] & TERMINAL:
                ends = True
            if i < end:
                continue
        if letters:
            in_sentence += 1
            if letters > 1 and num < len(stems):
                stem = finish(running)
                if common[slot_of(common, stem)] == 0:
                    stems[num] = stem
                    num += 1
        if in_sentence and (ends or code == _NEWLINE or i == end):
            row[SENTENCES] += 1
            row[SENTENCE_WORDS] += in_sentence
            row[SQUARES] += in_sentence * in_sentence
            in_sentence = 0
        letters, running, ends = 0, _BASIS, False
    return num


@njit(cache=True, nogil=True)
def count_recurring(stems, last, slots):
    """Stems that stood among the RECURRENCE_WINDOW before; `last` and `slots` are scratch."""
    slots[:] = 0
    recurring = np.int64(0)
    for i in range(len(stems)):
        first = first_like(slots, stems, i)
        recurring += first < i and i - last[first] <= RECURRENCE_WINDOW
        last[first] = i
    return recurring


@njit(cache=True, nogil=True)
def count_marks(data, i, end, table, marks, row):
    """Brackets and quotation marks, and those without a partner in their paragraph."""
    is_open = np.zeros(_KIND + 1, np.int64)
    straight, label, before, blank = 0, 0, 0, True
    while i < end:
        code, i = next_char(data, i)
        mark = np.int64(marks[code]) if code < 0x10000 else np.int64(0)
        if mark & OPEN:
            if not before & FACE:
                row[MARKS] += 1
                is_open[mark & _KIND] += 1
        elif mark & CLOSE:
            if is_open[mark & _KIND] > 0:
                row[MARKS] += 1
                is_open[mark & _KIND] -= 1
            elif not before & FACE and not 0 < label < MAX_LABEL:
                row[MARKS] += 1
                row[UNPAIRED] += 1
        elif mark & STRAIGHT:
            row[MARKS] += 1
            straight += 1
        if (code == _NEWLINE and blank) or i == end:
            row[UNPAIRED] += straight & 1
            straight = 0
            for kind in range(_KIND + 1):
                row[UNPAIRED] += is_open[kind]
                is_open[kind] = 0
        white = table[code] & CLASS_BITS == WHITESPACE
        blank = code == _NEWLINE or (blank and white)
        label = 0 if white else label + 1
        before = mark
