"""Tables that several families read: the characters of a batch, decoded and classed once, and its words.

A dozen families look at every character. To decode UTF-8 and look a class up costs each of them 2 to 4 ns a character;
done once it costs 1.5 ms a megabyte, and what follows are loops over plain arrays. What a dozen families ask of a word
(its place, hashes, classes, letters and marks) is told once in the same way, by `word_cuts.py`, for 2.5 ms a megabyte
of Korean and 3.8 of English; so that no family reads words with marks or capitals again, which took three of them 5 ms
more. Lines are told by their first words. All take 5 bytes a character, 37 a word and 4 a line while a batch is scored.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.registry import Counts, Family, add_family
from chejil.filters.unicode_classes import CLASS_BITS, WHITESPACE, class_table
from chejil.filters.word_cuts import lanes, mark_table, read_words

WORD_COLUMNS = (
    "word_hashes", "word_keys", "word_kinds", "word_begins", "word_ends", "letter_begins", "letter_ends", "line_words",
    "word_notes", "word_starts", "line_starts",
)  # fmt: skip
_COLUMN_KINDS = [np.dtype(kind) for kind in ("u8", "u8", "u4", "i4", "i4", "i4", "i4", "i4", "u1")]


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

    `word_hashes` (num_words) uint64, equal for equal words, and `word_keys`, equal for words of equal letters and
    digits, capitals of ASCII taken for small letters: the hash itself where a word is nothing else. `word_kinds`
    (num_words) uint32: bit `c` is set where a character is of class `c`, LETTERS where one is a letter; `word_notes`
    (num_words) uint8: bits of `word_letters.py`. `word_begins` and `word_ends`, and `letter_begins` and `letter_ends`
    without the marks around (equal where there are no letters), (num_words) int32, are indices of characters in the
    batch. Document `i` has the words from `word_starts[i]` to `word_starts[i + 1]`, (num_docs + 1) int64. A word is
    what `str.split()` gives.

    Lines that are not blank, in the same way: line `i` has the words from `line_words[i]` to `line_words[i + 1]`,
    (num_lines + 1) int32, and document `i` the lines from `line_starts[i]` to `line_starts[i + 1]`, (num_docs + 1)
    int64.
    """
    codes, flags, char_starts = counts["codes"], counts["flags"], counts["char_starts"]
    columns = allocate(int(np.count_nonzero(flags & CLASS_BITS == WHITESPACE)) + len(texts))
    starts, line_starts = np.zeros(len(texts) + 1, np.int64), np.zeros(len(texts) + 1, np.int64)
    arrays = [codes, flags, char_starts, lanes(), mark_table(), *columns, starts, line_starts]
    num, lines = read_words(*arrays)
    table = dict(zip(WORD_COLUMNS, (*(column[:num] for column in columns), starts, line_starts), strict=True))
    return table | {"line_words": columns[WORD_COLUMNS.index("line_words")][: lines + 1]}


def allocate(num_words: int) -> list[np.ndarray]:
    """The columns of so many words, and of one more, empty: one block of memory, to which the system gives large
    pages where it has them. Many small ones cost as much as to fill them."""
    size = num_words + 1
    block, begin = np.empty(size * sum(kind.itemsize for kind in _COLUMN_KINDS), np.uint8), 0
    columns = []
    for kind in _COLUMN_KINDS:
        columns.append(block[begin : begin + size * kind.itemsize].view(kind))
        begin += size * kind.itemsize
    return columns


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
