"""Tables that several families read: the characters of a batch, decoded and classed once, and its words.

A dozen families look at every character. To decode UTF-8 and look a class up costs each of them 2 to 4 ns a character;
done once it costs 1.5 ms a megabyte, and what follows are loops over plain arrays. A word's hash, place and length are
shared in the same way by all that compare words. Lines are told by their first
words. All take 5 bytes a character, 20 a word and 4 a line while a batch is scored.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.registry import Counts, Family, add_family
from chejil.filters.unicode_classes import ALPHABETIC, CLASS_BITS, WHITESPACE, class_table

_NEWLINE = ord("\n")
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a, here over code points
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: spreads the low bits over the high ones

WORD_COLUMNS = (
    "word_hashes", "word_kinds", "word_begins", "word_ends", "word_starts", "line_words", "line_starts",
)  # fmt: skip

LETTERS = 1 << 16
"""Bit of `word_kinds` beside those of the classes: a letter of any script."""

_KINDS = np.array(
    [1 << (flags & CLASS_BITS) | (LETTERS if flags & ALPHABETIC else 0) for flags in range(32)], np.uint32
)


@njit(cache=True, nogil=True)
def decode(data, offsets, table, codes, flags, starts):
    """Fill `codes` and `flags` (num_chars), and `starts` (num_docs + 1); the bytes must be valid UTF-8."""
    at = np.int64(0)
    i = offsets[0]
    for doc in range(len(offsets) - 1):
        starts[doc] = at
        while i < offsets[doc + 1]:
            code = np.uint32(data[i])
            if code < 0x80:
                i += 1
            elif code < 0xE0:
                code = (code & 0x1F) << 6 | np.uint32(data[i + 1]) & 0x3F
                i += 2
            elif code < 0xF0:
                code = (
                    (code & 0x0F) << 12 | (np.uint32(data[i + 1]) & 0x3F) << 6 | np.uint32(data[i + 2]) & 0x3F
                )
                i += 3
            else:
                code = (code & 0x07) << 18 | (np.uint32(data[i + 1]) & 0x3F) << 12
                code |= (np.uint32(data[i + 2]) & 0x3F) << 6 | np.uint32(data[i + 3]) & 0x3F
                i += 4
            codes[at] = code
            flags[at] = table[code]
            at += 1
    starts[-1] = at


@njit(cache=True, nogil=True)
def cut_words(codes, flags, char_starts, hashes, kinds, begins, ends, starts, line_words, line_starts):
    """Fill the table of words (see `measure_words`); returns how many words and lines there are."""
    num = lines = np.int64(0)
    for doc in range(len(char_starts) - 1):
        starts[doc], line_starts[doc] = num, lines
        at, end, broken = char_starts[doc], char_starts[doc + 1], True
        while at < end:
            while at < end and flags[at] & CLASS_BITS == WHITESPACE:
                broken |= codes[at] == _NEWLINE
                at += 1
            if at == end:
                break
            if broken:
                line_words[lines], broken = num, False
                lines += 1
            begins[num] = at
            running, found = _BASIS, np.uint32(0)
            while at < end and flags[at] & CLASS_BITS != WHITESPACE:
                running = (running ^ np.uint64(codes[at])) * _PRIME
                found |= _KINDS[flags[at] & 31]
                at += 1
            hashes[num], kinds[num], ends[num] = (running ^ running >> np.uint64(32)) * _MIX, found, at
            num += 1
    starts[-1], line_starts[-1], line_words[lines] = num, lines, num
    return num, lines


def measure_characters(texts: TextBuffers, _: Counts) -> dict[str, np.ndarray]:
    """`codes` (num_chars) uint32 and `flags` (num_chars) uint8, as in `class_table`; document `i` has those from
    `char_starts[i]` to `char_starts[i + 1]`, (num_docs + 1) int64."""
    num_bytes = int(texts.offsets[-1] - texts.offsets[0])
    codes, flags = np.empty(num_bytes, np.uint32), np.empty(num_bytes, np.uint8)
    starts = np.zeros(len(texts) + 1, np.int64)
    decode(texts.data, texts.offsets, class_table(), codes, flags, starts)
    return {"codes": codes[: starts[-1]], "flags": flags[: starts[-1]], "char_starts": starts}


def measure_words(texts: TextBuffers, counts: Counts) -> dict[str, np.ndarray]:
    """What every word is, and where.

    `word_hashes` (num_words) uint64, equal for equal words; `word_kinds` (num_words) uint32: bit `c` is set where a
    character is of class `c`, LETTERS where one is a letter; `word_begins` and `word_ends` (num_words) int32, indices
    of characters in the batch. Document `i` has the words from `word_starts[i]` to `word_starts[i + 1]`,
    (num_docs + 1) int64. A word is what `str.split()` gives.

    Lines that are not blank, in the same way: line `i` has the words from `line_words[i]` to `line_words[i + 1]`,
    (num_lines + 1) int32, and document `i` the lines from `line_starts[i]` to `line_starts[i + 1]`, (num_docs + 1)
    int64.
    """
    codes, flags, char_starts = counts["codes"], counts["flags"], counts["char_starts"]
    room = (len(codes) + len(texts)) // 2 + 1
    hashes, kinds, line_words = (
        np.empty(room, np.uint64),
        np.empty(room, np.uint32),
        np.empty(room + 1, np.int32),
    )
    begins, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    starts, line_starts = np.zeros(len(texts) + 1, np.int64), np.zeros(len(texts) + 1, np.int64)
    num, lines = cut_words(
        codes, flags, char_starts, hashes, kinds, begins, ends, starts, line_words, line_starts
    )
    return {
        "word_hashes": hashes[:num],
        "word_kinds": kinds[:num],
        "word_begins": begins[:num],
        "word_ends": ends[:num],
        "word_starts": starts,
        "line_words": line_words[: lines + 1],
        "line_starts": line_starts,
    }


add_family(
    Family(
        name="decoded",
        counters=("codes", "flags", "char_starts"),
        measure=measure_characters,
        about="Characters and their classes, for the families that read them.",
    )
)
add_family(
    Family(
        name="word_table",
        counters=WORD_COLUMNS,
        measure=measure_words,
        needs=("decoded",),
        about="Words with their hashes, and the lines they stand in, for the families that read them.",
    )
)
