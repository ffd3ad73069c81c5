"""Repetition: how much of a text is its most frequent 2- to 4-gram, or 5- to 10-grams that were there before.

Rae et al. 2021 (Gopher), A1.1, "Repetition removal", over white-space words as `str.split()` gives them. All
nine signals come from the table of words (`shared_tables.py`): the hashes of (n+1)-grams are made from those of
n-grams in place, and one open-addressing table, sized to what is left, serves every n. What does not repeat is left
out of the next pass, so nine signals cost twice what the first does. Thirty to forty bytes a word in all; no string
is made, where the peers build one for every n-gram.

As in datatrove 0.10: a top n-gram has one space between its words, a duplicated one none, both are over all
characters of the text; of equally frequent n-grams the first one counts; duplicates are found by a walk that
jumps over each one found. Different, because theirs is wrong:

- An n-gram that occurs once is no repetition: 0. Theirs makes a text of ten different words 20 % repetition.
- Occurrences that overlap ("하하 하하 하하 하하") count their common characters once. Theirs gives up to n
  times the text. So a share is at most 1 by construction.

Of a document only the first 4,194,304 words are looked at (25 MB of English), so a worker's tables stay under
160 MB whatever comes.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.prose import PROSE, both
from chejil.filters.registry import Bound, Counts, Family, Signal, add_family, add_signal

TOP_N = (2, 3, 4)
DUP_N = (5, 6, 7, 8, 9, 10)
MAX_WORDS = 1 << 22
COUNTERS = (
    "repetition_chars",
    *(f"top_{n}_gram_chars" for n in TOP_N),
    *(f"dup_{n}_gram_chars" for n in DUP_N),
)

_PRIME = np.uint64(0x100000001B3)  # of FNV-1a
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: spreads the low bits over the high ones


@njit(cache=True, nogil=True)
def count_repetition(hashes, begins, ends, word_starts, char_starts, max_words, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before, from the table of words."""
    grams, lengths, places, likes, times, slots = scratch(1024)
    for doc in range(len(word_starts) - 1):
        first, last = word_starts[doc], min(word_starts[doc + 1], word_starts[doc] + max_words)
        room = last - first
        if room > len(grams):
            grams, lengths, places, likes, times, slots = scratch(room)
        # Where words are left out, the text ends before the first of them.
        cut = last < word_starts[doc + 1]
        counts[doc, 0] = (begins[last] if cut else char_starts[doc + 1]) - char_starts[doc]
        for k in range(room):
            lengths[k + 1] = lengths[k] + ends[first + k] - begins[first + k]
        measure_grams(hashes[first:last], lengths, grams, places, likes, times, slots, counts[doc])


@njit(cache=True, nogil=True)
def scratch(num_words):
    """n-gram hashes, characters of the first words, where n-grams begin, the first like each, how often it occurs,
    and the hash table, for so many words."""
    grams, lengths = np.zeros(num_words, np.uint64), np.zeros(num_words + 1, np.int64)
    places, likes, times = (
        np.zeros(num_words, np.int32),
        np.zeros(num_words, np.int32),
        np.zeros(num_words, np.int32),
    )
    return grams, lengths, places, likes, times, np.zeros(power_of_two(2 * num_words), np.int32)


@njit(cache=True, nogil=True)
def power_of_two(least):
    """The smallest power of two that is not below `least`."""
    power = 1
    while power < least:
        power *= 2
    return power


@njit(cache=True, nogil=True)
def measure_grams(words, ends, grams, places, likes, times, slots, row):
    """Fill `row[1:]` from the hashes of a document's words.

    An n-gram occurs twice only if the (n-1)-gram that it begins with does, so each pass looks at those alone that
    the one before has left: a sixth of the words of Korean web text after the first pass, a third of English.
    """
    num = len(words)
    for k in range(num):
        grams[k], places[k], likes[k], times[k] = words[k], k, k, 2
    for n in range(2, DUP_N[-1] + 1):
        if n <= TOP_N[-1] + 1:
            num = leave_repeated(grams, places, likes, times, num)
        num = lengthen(words, grams, places, num, n)
        few = slots[: power_of_two(2 * num)]
        few[:] = 0
        if n <= TOP_N[-1]:
            row[n - 1] = top_gram_chars(grams, places, likes, times, num, ends, n, few)
        else:
            row[n - 1] = dup_gram_chars(grams, places, num, ends, n, few)
        if row[n - 1] == 0:
            return


@njit(cache=True, nogil=True)
def leave_repeated(grams, places, likes, times, num):
    """Keep the n-grams that occur twice or more; how many they are."""
    kept = 0
    for k in range(num):
        grams[kept], places[kept] = grams[k], places[k]
        kept += times[likes[k]] > 1
    return kept


@njit(cache=True, nogil=True)
def lengthen(words, grams, places, num, n):
    """Make n-grams of (n-1)-grams, but for those at the end of the text; how many they are."""
    while num and places[num - 1] + n > len(words):
        num -= 1
    for k in range(num):
        grams[k] = grams[k] * _PRIME + words[places[k] + n - 1]
    return num


@njit(cache=True, nogil=True)
def top_gram_chars(grams, places, likes, times, num, ends, n, slots):
    """Characters that the most frequent n-gram covers; 0 where each occurs once."""
    times[:num] = 0
    for k in range(num):
        likes[k] = first_like(slots, grams, k)
        times[likes[k]] += 1
    best = np.argmax(times[:num]) if num else 0  # the first of the most frequent
    if num == 0 or times[best] == 1:
        return 0
    chars = covered = np.int64(0)
    for k in range(best, num):
        if likes[k] == best:
            i = np.int64(places[k])
            chars += ends[i + n] + i + n - 1 - max(ends[i] + i, covered)
            covered = ends[i + n] + i + n - 1
    return chars


@njit(cache=True, nogil=True)
def dup_gram_chars(grams, places, num, ends, n, slots):
    """Characters of the n-grams that occurred before, found by a walk that jumps over each one found."""
    chars = after = np.int64(0)
    for k in range(num):
        i = np.int64(places[k])
        if i >= after and first_like(slots, grams, k) < k:
            chars += ends[i + n] - ends[i]
            after = i + n
    return chars


@njit(cache=True, nogil=True)
def first_like(slots, grams, i):
    """The first entered position with the n-gram of `i`; enters `i` if none. Slots hold 1 + position."""
    mask = len(slots) - 1
    slot = np.int64((grams[i] ^ grams[i] >> np.uint64(32)) * _MIX >> np.uint64(40)) & mask
    while slots[slot] != 0:
        if grams[slots[slot] - 1] == grams[i]:
            return np.int64(slots[slot] - 1)
        slot = (slot + 1) & mask
    slots[slot] = i + 1
    return i


def measure(texts: TextBuffers, counts: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text."""
    found = np.zeros((len(texts), len(COUNTERS)), np.int64)
    names = ("word_hashes", "word_begins", "word_ends", "word_starts", "char_starts")
    count_repetition(*[*(counts[name] for name in names), MAX_WORDS, found])
    return dict(zip(COUNTERS, np.ascontiguousarray(found.T), strict=True))


add_family(
    Family(
        name="repetition",
        counters=COUNTERS,
        measure=measure,
        needs=("word_table",),
        about="Frequent and repeated word n-grams, as characters of the text.",
    )
)

# One sentence of an advertisement, over and over: every n-gram of it repeats.
_KOREAN_REFRAIN = (
    "지금 바로 전화 주시면 친절하게 상담해 드리겠습니다 "  # Call now and we will advise you kindly
)
_ENGLISH_REFRAIN = "call us right now and our team will gladly answer every question you have "
_LOOPS = both(_KOREAN_REFRAIN * 4, _ENGLISH_REFRAIN * 4)
_CHORUS = both("또 보자 " * 9, "buy now " * 9)  # See you again

_TOP = {
    # n: English, Korean. In 30 words a name of four that stands twice covers a quarter.
    2: (0.32, 0.32),
    3: (0.32, 0.32),
    4: (0.34, 0.36),
}
_DUP = {
    5: (0.26, 0.35),
    6: (0.25, 0.34),
    7: (0.24, 0.33),
    8: (0.23, 0.32),
    9: (0.22, 0.30),
    10: (0.21, 0.28),
}
_SOURCE = (
    "Gopher A1.1 ({gopher} English). Wider here: of 78 good documents that the rules of the field dropped, 60 fell to "
    "repeated n-grams alone, statutes with their addenda, bills that quote the sentence they amend, tutorials with "
    "tables, news with captions. FineWeb-2's Korean numbers are for overlapping Kiwi morphemes."
)
_GOPHER = {"top": dict(zip(_TOP, (0.2, 0.18, 0.16), strict=True))}
_GOPHER["dup"] = dict(zip(_DUP, (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=True))

for _n, (_english, _korean) in _TOP.items():
    add_signal(
        Signal(
            name=f"top_{_n}_gram_char_share",
            family="repetition",
            unit="char",
            kind="share",
            about=f"Characters that the most frequent {_n}-gram of words covers, among all characters.",
            source=_SOURCE.format(gopher=_GOPHER["top"][_n]),
            value=partial(Counts.ratio, part=f"top_{_n}_gram_chars", whole="repetition_chars"),
            kept=PROSE,
            dropped=_CHORUS,
            bounds={"ko": Bound(high=_korean), "en": Bound(high=_english)},
        )
    )
for _n, (_english, _korean) in _DUP.items():
    add_signal(
        Signal(
            name=f"dup_{_n}_gram_char_share",
            family="repetition",
            unit="char",
            kind="share",
            about=f"Characters of {_n}-grams of words that occurred before, among all characters.",
            source=_SOURCE.format(gopher=_GOPHER["dup"][_n]),
            value=partial(Counts.ratio, part=f"dup_{_n}_gram_chars", whole="repetition_chars"),
            kept=PROSE,
            dropped=_LOOPS,
            bounds={"ko": Bound(high=_korean), "en": Bound(high=_english)},
        )
    )
