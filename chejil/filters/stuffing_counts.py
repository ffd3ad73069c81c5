"""The pass over a text that finds frequent words, templates and compound keywords.

A word is a 64-bit hash of its letters; the tables are those of `repetition.py`, sized to the document and used again
for the next one, and each is gone through once: linear, 150 MB/s. Of a document the first 4,194,304 words are looked
at. What the counts mean stands in `stuffing.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.korean_counts import TERMINAL
from chejil.filters.lexicons import lexicon
from chejil.filters.repetition import first_like, power_of_two
from chejil.filters.suffixes import find_suffix
from chejil.filters.unicode_classes import ALPHABETIC, CLASS_BITS, DIGIT, HANGUL, WHITESPACE, next_char

COUNTERS = (
    "stuffing_words", "top_word_times", "window_words", "window_distinct_words", "template_words", "keyword_words",
)  # fmt: skip
WORDS, TOP_TIMES, WINDOW_WORDS, WINDOW_DISTINCT, TEMPLATE_WORDS, KEYWORDS = range(6)

MIN_WORDS = 20
WINDOW = 200
MIN_KEPT, MIN_TEMPLATE_WORDS, MIN_TIMES = 2, 3, 3
KEPT_NUMERATOR, KEPT_DENOMINATOR = (
    7,
    10,
)  # of the sentences of the second most widespread word: fewer make a slot
MIN_KEYWORD_SYLLABLES, MAX_KEYWORD_SYLLABLES, MIN_PARTNERS = 4, 12, 4
MAX_WORDS = 1 << 22

ENDS_SENTENCE = 1
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a, here over code points
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SLOT = np.uint64(0x5107)
_NEWLINE = ord("\n")


@cache
def frequent_words() -> np.ndarray:
    """Sorted hashes of `lexicons/frequent_words.yaml`, (num_words) uint64."""
    words = [word for lang in ("en", "ko") for word in lexicon("frequent_words")[lang]]
    return np.unique(np.array([hash_of(np.array([ord(char) for char in word])) for word in words], np.uint64))


@njit(cache=True, nogil=True)
def hash_of(codes):
    """Hash of a word of these code points."""
    running = _BASIS
    for code in codes:
        running = (running ^ np.uint64(code)) * _PRIME
    return finish(running)


@njit(cache=True, nogil=True)
def finish(running):
    """Spread a running hash over all bits; never 0, which means no word."""
    return (running ^ running >> np.uint64(32)) * _MIX | np.uint64(1)


@njit(cache=True, nogil=True)
def count_stuffing(data, offsets, table, traits, frequent, keys, lengths, kinds, places, by_last, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    words, heads, tails = np.zeros(1024, np.uint64), np.zeros(1024, np.uint64), np.zeros(1024, np.uint64)
    flags, firsts, times = np.zeros(1024, np.uint8), np.zeros(1024, np.int64), np.zeros(1024, np.int64)
    slots = np.zeros(2048, np.int32)
    for doc in range(len(offsets) - 1):
        room = min((offsets[doc + 1] - offsets[doc]) // 2 + 1, MAX_WORDS)
        if room > len(words):
            words, heads, tails = (
                np.zeros(room, np.uint64),
                np.zeros(room, np.uint64),
                np.zeros(room, np.uint64),
            )
            flags, firsts, times = (
                np.zeros(room, np.uint8),
                np.zeros(room, np.int64),
                np.zeros(room, np.int64),
            )
            slots = np.zeros(power_of_two(2 * room), np.int32)
        num = read_words(
            data, offsets[doc], offsets[doc + 1], table, traits, keys, lengths, kinds, places, by_last,
            words[:room], heads, tails, flags,
        )  # fmt: skip
        few = slots[: power_of_two(2 * num + 1)]
        row = counts[doc]
        row[WORDS] = num
        count_times(words[:num], firsts, times, few)
        row[TOP_TIMES] = top_times(words[:num], frequent, firsts, times)
        count_windows(firsts[:num], row, few)
        row[KEYWORDS] = count_keywords(words[:num], heads, tails, firsts, few)
        row[TEMPLATE_WORDS] = count_templates(words[:num], flags, firsts, times, heads, tails, few)


@njit(cache=True, nogil=True)
def read_words(
    data, i, end, table, traits, keys, lengths, kinds, places, by_last, words, heads, tails, flags
):
    """Hash of the letters and digits of each word, in lower case (ASCII); words without any are none.

    `heads` and `tails` hold the first and last two syllables of a word that may be a keyword, else 0.

    Returns:
        number of words; reading stops when `words` is full.
    """
    num = letters = syllables = np.int64(0)
    head = tail = np.int64(0)
    running, ends = _BASIS, False
    while i < end and num < len(words):
        code, i = next_char(data, i)
        kind = table[code] & CLASS_BITS
        if kind != WHITESPACE:
            if table[code] & ALPHABETIC or kind == DIGIT:
                ends = False
                letters += 1
                if ord("A") <= code <= ord("Z"):
                    code += 32
                running = (running ^ np.uint64(code)) * _PRIME
                if kind == HANGUL:
                    syllables += 1
                    tail = tail << 16 | code
                    if syllables == 2:
                        head = tail
            elif code < 0x10000 and traits[code] & TERMINAL:
                ends = True
        if kind == WHITESPACE or i == end:
            if letters:
                words[num] = finish(running)
                heads[num] = tails[num] = 0
                if letters == syllables and MIN_KEYWORD_SYLLABLES <= syllables <= MAX_KEYWORD_SYLLABLES:
                    entry = find_suffix(tail, syllables, letters, keys, lengths, kinds, places, by_last)
                    if entry < 0 or kinds[entry] == 0:
                        heads[num], tails[num] = np.uint64(head), np.uint64(tail & 0xFFFFFFFF)
                flags[num] = 0
                num += 1
            if num and (ends or code == _NEWLINE):
                flags[num - 1] |= ENDS_SENTENCE
            running, ends = _BASIS, False
            letters = syllables = head = tail = np.int64(0)
    return num


@njit(cache=True, nogil=True)
def count_times(words, firsts, times, slots):
    """`firsts[i]`: where the word of `i` stands first; `times` of that place: how often it stands."""
    slots[:] = 0
    times[: len(words)] = 0
    for i in range(len(words)):
        firsts[i] = first_like(slots, words, i)
        times[firsts[i]] += 1


@njit(cache=True, nogil=True)
def top_times(words, frequent, firsts, times):
    """How often the most frequent word stands that is not one of `frequent`."""
    top = np.int64(0)
    for i in range(len(words)):
        if firsts[i] == i and times[i] > top:
            at = np.searchsorted(frequent, words[i])
            if at == len(frequent) or frequent[at] != words[i]:
                top = times[i]
    return top


@njit(cache=True, nogil=True)
def count_windows(firsts, row, last_window):
    """Different words of whole windows, or of the one that a short text is; `last_window` is scratch."""
    last_window[: len(firsts)] = -1
    whole = len(firsts) // WINDOW * WINDOW if len(firsts) >= WINDOW else len(firsts)
    row[WINDOW_WORDS] = whole
    for i in range(whole):
        window = i // WINDOW
        row[WINDOW_DISTINCT] += last_window[firsts[i]] != window
        last_window[firsts[i]] = window


@njit(cache=True, nogil=True)
def count_keywords(words, heads, tails, firsts, slots):
    """Words of which both halves are combined with three others and more."""
    num = np.int64(0)
    partners = np.zeros((2, len(words)), np.int32)
    where = np.zeros((2, len(words)), np.int32)
    for side in range(2):
        halves = heads[: len(words)] if side == 0 else tails[: len(words)]
        slots[:] = 0
        for i in range(len(words)):
            if heads[i] and firsts[i] == i:
                where[side, i] = first_like(slots, halves, i)
                partners[side, where[side, i]] += 1
    for i in range(len(words)):
        if heads[i]:
            first = firsts[i]
            num += (
                partners[0, where[0, first]] >= MIN_PARTNERS and partners[1, where[1, first]] >= MIN_PARTNERS
            )
    return num


@njit(cache=True, nogil=True)
def count_sentences(words, flags, firsts, sentences, last_sentence):
    """`sentences` of the place where a word stands first: in how many it is; `last_sentence` is scratch."""
    sentences[: len(words)] = 0
    last_sentence[: len(words)] = -1
    sentence = 0
    for i in range(len(words)):
        first = firsts[i]
        sentences[first] += last_sentence[first] != sentence
        last_sentence[first] = sentence
        sentence += flags[i] & ENDS_SENTENCE


@njit(cache=True, nogil=True)
def count_templates(words, flags, firsts, sentences, templates, sizes, slots):
    """Words of sentences that are equal but for their slots; `templates`, `sizes` and `slots` are scratch."""
    count_sentences(words, flags, firsts, sentences, slots)
    num = start = np.int64(0)
    for i in range(len(words)):
        if flags[i] & ENDS_SENTENCE or i + 1 == len(words):
            template = template_of(words, firsts, sentences, start, i + 1)
            if template:
                templates[num], sizes[num] = template, np.uint64(i + 1 - start)
                num += 1
            start = i + 1
    slots[:] = 0
    occurrences, found = np.zeros(num, np.int32), np.zeros(num, np.int32)
    for k in range(num):
        found[k] = first_like(slots, templates[:num], k)
        occurrences[found[k]] += 1
    covered = np.int64(0)
    for k in range(num):
        if occurrences[found[k]] >= MIN_TIMES:
            covered += np.int64(sizes[k])
    return covered


@njit(cache=True, nogil=True)
def template_of(words, firsts, sentences, start, end):
    """Hash of a sentence with its slots blanked; 0 where too little stays."""
    top = second = np.int64(0)
    for i in range(start, end):
        second = max(second, min(top, sentences[firsts[i]]))
        top = max(top, sentences[firsts[i]])
    kept, slot, running = np.int64(0), False, _BASIS
    for i in range(start, end):
        if KEPT_DENOMINATOR * sentences[firsts[i]] >= KEPT_NUMERATOR * second:
            kept += 1
            slot = False
            running = (running ^ words[i]) * _PRIME
        elif not slot:
            slot = True
            running = (running ^ _SLOT) * _PRIME
    enough = kept >= MIN_KEPT and end - start >= MIN_TEMPLATE_WORDS and 2 * kept >= end - start
    return finish(running) if enough and second >= MIN_TIMES else np.uint64(0)
