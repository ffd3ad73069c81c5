"""The passes over a table of words that find frequent words, templates and compound keywords.

A word is the 64-bit hash of its letters from the table of words. Where it stands first is found in a table sized to
the document, and its numbers are kept there; whether it is a keyword is asked once of each. 2.4 ms a megabyte of
Korean and 2.0 of English beside the shared tables. Of a document the first 1,048,576 words are looked at. What the
counts mean stands in `stuffing.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.korean_counts import tail_of
from chejil.filters.lexicons import lexicon
from chejil.filters.repetition import first_like, power_of_two
from chejil.filters.suffixes import find_suffix
from chejil.filters.unicode_classes import HANGUL
from chejil.filters.word_letters import (
    APART,
    BREAK,
    ENDS,
    LETTER_CLASSES,
    enter,
    finish,
    hash_of,
    is_letter,
    slot_of,
)  # fmt: skip

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
MAX_WORDS = 1 << 20

_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a, here over words
_SLOT = np.uint64(0x5107)

# What is kept of a word at the place where it stands first.
TIMES, LAST_WINDOW, SPREAD, LAST_SENTENCE = range(4)


@cache
def frequent_words() -> np.ndarray:
    """Hashes of `lexicons/frequent_words.yaml` in an open-addressing table, uint64, read-only."""
    words = [word for lang in ("en", "ko") for word in lexicon("frequent_words")[lang]]
    table = np.zeros(power_of_two(4 * len(words)), np.uint64)
    for word in words:
        enter(table, np.uint64(hash_of(np.array([ord(char) for char in word]))))
    table.flags.writeable = False
    return table


@njit(cache=True, nogil=True)
def count_stuffing(
    codes, flags, keys, kinds, notes, letter_begins, letter_ends, starts, frequent,
    children, lengths, meanings, contexts, symbols, counts,
):  # fmt: skip
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    words, places, closing, firsts, stats, slots = scratch(1024)
    for doc in range(len(starts) - 1):
        first, last, row = starts[doc], starts[doc + 1], counts[doc]
        if last - first > len(stats) and len(stats) < MAX_WORDS:
            words, places, closing, firsts, stats, slots = scratch(min(last - first, MAX_WORDS))
        num, num_hangul = read_words(
            keys, kinds, notes, letter_begins, letter_ends, first, last, words, places, closing, firsts
        )
        few = slots[: power_of_two(2 * num + 1)]
        row[WORDS] = num
        hanguls = firsts[:num_hangul].copy()
        num_sentences = count_words(words[:num], closing, firsts, stats, few, row)
        row[TOP_TIMES] = top_times(words[:num], frequent, stats)
        if num_hangul >= MIN_PARTNERS:
            row[KEYWORDS] = count_keywords(
                codes, flags, notes, letter_begins, letter_ends, places, hanguls, stats, few,
                children, lengths, meanings, contexts, symbols,
            )  # fmt: skip
        if num_sentences >= MIN_TIMES:
            row[TEMPLATE_WORDS] = count_templates(words[:num], closing, firsts, stats, few)


@njit(cache=True, nogil=True)
def scratch(num_words):
    """For so many words: hashes and places in the table of words, one more; ends of sentences, one before; where a
    word stands first; numbers of a word; hash table."""
    words, places = np.zeros(num_words + 1, np.uint64), np.zeros(num_words + 1, np.int32)
    closing, firsts = np.zeros(num_words + 1, np.uint8), np.zeros(num_words + 1, np.int32)
    stats, slots = np.zeros((num_words, 4), np.int32), np.zeros(power_of_two(2 * num_words + 1), np.int32)
    return words, places, closing, firsts, stats, slots


@njit(cache=True, nogil=True)
def read_words(keys, kinds, notes, begins, ends, first, last, words, places, closing, hanguls):
    """Key and place of each word with letters; `closing` of the next index: a sentence ends.

    Returns:
        number of words, and of those in `hanguls`: no letters but Hangul, and as long as a keyword or longer (with
        the marks between letters; `count_keywords` looks closer).
    """
    num = num_hangul = np.int64(0)
    for word in range(first, last):
        span = ends[word] - begins[word]
        words[num], places[num], hanguls[num_hangul] = keys[word], word, num
        num += span > 0
        num_hangul += (kinds[word] & LETTER_CLASSES == 1 << HANGUL) & (span >= MIN_KEYWORD_SYLLABLES)
        before = closing[num] if span == 0 else np.uint8(0)
        closing[num] = before | (notes[word] & (ENDS | BREAK) != 0)
        if num + 1 == len(words):
            break
    return num, num_hangul


@njit(cache=True, nogil=True)
def count_words(words, closing, firsts, stats, slots, row):
    """Where each word stands first, its numbers there, and different words of whole windows; returns sentences.

    A short text is a window. An empty slot reads as the place itself: a new word and an old one go the same way.
    """
    slots[:] = 0
    stats[: len(words)] = 0
    mask, sentence, distinct = len(slots) - 1, np.int64(1), np.int64(0)
    whole = len(words) // WINDOW * WINDOW if len(words) >= WINDOW else len(words)
    for i in range(len(words)):
        slot = np.int64(words[i] >> np.uint64(40)) & mask
        first = np.int64(slots[slot]) - 1 if slots[slot] else i
        while words[first] != words[i]:
            slot = (slot + 1) & mask
            first = np.int64(slots[slot]) - 1 if slots[slot] else i
        slots[slot], firsts[i] = first + 1, first
        window = i // WINDOW + 1
        stats[first, TIMES] += 1
        distinct += (stats[first, LAST_WINDOW] != window) & (i < whole)
        stats[first, LAST_WINDOW] = window
        stats[first, SPREAD] += stats[first, LAST_SENTENCE] != sentence
        stats[first, LAST_SENTENCE] = sentence
        sentence += closing[i + 1]
    row[WINDOW_WORDS], row[WINDOW_DISTINCT] = whole, distinct
    return sentence


@njit(cache=True, nogil=True)
def top_times(words, frequent, stats):
    """How often the most frequent word stands that is not one of `frequent`."""
    top = np.int64(0)
    for i in range(len(words)):
        if stats[i, TIMES] > top and frequent[slot_of(frequent, words[i])] == 0:
            top = np.int64(stats[i, TIMES])
    return top


@njit(cache=True, nogil=True)
def count_keywords(
    codes, flags, notes, begins, ends, places, hanguls, stats, slots, children, lengths, meanings, contexts, symbols,
):  # fmt: skip
    """Words of which both halves are combined with three others and more; `hanguls` is scratch then."""
    heads, tails = np.empty(len(hanguls), np.uint64), np.empty(len(hanguls), np.uint64)
    num = np.int64(0)
    for i in hanguls:
        if stats[i, TIMES]:
            place = places[i]
            head, tail, letters = halves_of(codes, flags, begins[place], ends[place], notes[place])
            node = find_suffix(tail, letters, letters, children, lengths, meanings, contexts, symbols)
            if MIN_KEYWORD_SYLLABLES <= letters <= MAX_KEYWORD_SYLLABLES and (
                node < 0 or meanings[node] == 0
            ):
                heads[num], tails[num], hanguls[num] = head, np.uint64(tail & 0xFFFFFFFF), i
                num += 1
    by_head, by_tail = count_equal(heads[:num], slots), count_equal(tails[:num], slots)
    covered = np.int64(0)
    for k in range(num):
        if by_head[k] >= MIN_PARTNERS and by_tail[k] >= MIN_PARTNERS:
            covered += stats[hanguls[k], TIMES]
    return covered


@njit(cache=True, nogil=True)
def halves_of(codes, flags, begin, end, note):
    """First two syllables of a word, last four, and how many letters it has."""
    if note & APART == 0:
        head = np.uint64(codes[begin]) << np.uint64(16) | np.uint64(codes[begin + 1])
        return head, tail_of(codes, np.int64(end)), np.int64(end - begin)
    head, tail, letters = np.uint64(0), np.int64(0), np.int64(0)
    for at in range(begin, end):
        if is_letter(flags[at]):
            tail = tail << 16 | np.int64(codes[at])
            letters += 1
            if letters == 2:
                head = np.uint64(tail)
    return head, tail, letters


@njit(cache=True, nogil=True)
def count_equal(values, slots):
    """Of each value how many are equal to it; `slots` is scratch."""
    firsts, times = np.empty(len(values), np.int32), np.zeros(len(values), np.int32)
    few = slots[: power_of_two(2 * len(values) + 1)]
    few[:] = 0
    for k in range(len(values)):
        firsts[k] = first_like(few, values, k)
        times[firsts[k]] += 1
    return times[firsts]


@njit(cache=True, nogil=True)
def count_templates(words, closing, firsts, stats, slots):
    """Words of sentences that are equal but for their slots."""
    spreads, room = np.empty(len(words), np.int32), len(words) // MIN_TEMPLATE_WORDS
    templates, sizes = np.empty(room, np.uint64), np.empty(room, np.int64)
    num = start = top = second = np.int64(0)
    for i in range(len(words)):
        spread = np.int64(stats[firsts[i], SPREAD])
        spreads[i] = spread
        second, top = max(second, min(top, spread)), max(top, spread)
        if closing[i + 1] or i + 1 == len(words):
            if second >= MIN_TIMES and i + 1 - start >= MIN_TEMPLATE_WORDS:
                template = template_of(words[start : i + 1], spreads[start : i + 1], second)
                if template:
                    templates[num], sizes[num] = template, i + 1 - start
                    num += 1
            start, top, second = i + 1, np.int64(0), np.int64(0)
    return np.sum(sizes[:num][count_equal(templates[:num], slots) >= MIN_TIMES])


@njit(cache=True, nogil=True)
def template_of(words, spreads, second):
    """Hash of a sentence with its slots blanked; 0 where too little stays."""
    least = (KEPT_NUMERATOR * second + KEPT_DENOMINATOR - 1) // KEPT_DENOMINATOR
    kept = np.int64(0)
    for i in range(len(words)):
        kept += spreads[i] >= least
    if kept < MIN_KEPT or 2 * kept < len(words):
        return np.uint64(0)
    slot, running = False, _BASIS
    for i in range(len(words)):
        if spreads[i] >= least:
            running = (running ^ words[i]) * _PRIME
        elif not slot:
            running = (running ^ _SLOT) * _PRIME
        slot = spreads[i] < least
    return finish(running)
