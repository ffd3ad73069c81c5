"""The passes over a text that count its characters by class, and those that a wrong charset lost.

Classes come from the shared table: a histogram of bytes at 1 GB/s and more. The look for lost characters reads 64 at
once and stops where one of them is suspect. What the counts mean stands in `characters.py`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.unicode_classes import ALPHABETIC, CLASS_BITS

_QUESTION, _EXCLAMATION = ord("?"), ord("!")


_JEOM, _FIRST_TORN, _LAST_TORN, _OG = ord("占"), ord("쎄"), ord("쏙"), ord("옙")


_BLOCK = 64


_MIN_QUESTIONS = 2  # a single "?" after a space is French or careless spacing, not a lost syllable


@njit(cache=True, nogil=True)
def count_classes(flags, char_starts, counts):
    """Add up the characters of each class: `counts` (num_docs, NUM_CLASSES) int64, zeros before.

    In four tables, so that an addition need not wait for the one before it to the same class.
    """
    tables = np.zeros((4, 256), np.int64)
    for doc in range(len(char_starts) - 1):
        text = flags[char_starts[doc] : char_starts[doc + 1]]
        tables[:] = 0
        for place in range(len(text)):
            tables[place & 3, text[place]] += 1
        for kind in range(tables.shape[1]):
            for table in range(4):
                counts[doc, kind & CLASS_BITS] += tables[table, kind]


@njit(cache=True, nogil=True)
def count_lost(codes, flags, char_starts, counts):
    """Add up characters that stand where others were lost: `counts` (num_docs) int64, zeros before."""
    for doc in range(len(char_starts) - 1):
        start, end = char_starts[doc], char_starts[doc + 1]
        at = next_suspect(codes, start, end)
        while at < end:
            if codes[at] == _QUESTION:
                lost, at = question_run(codes, flags, at, start, end)
            else:
                lost = replacement_read_as_cp949(codes, at, end)
                at += max(lost, 1)
            counts[doc] += lost
            at = next_suspect(codes, at, end)


@njit(cache=True, nogil=True)
def next_suspect(codes, at, end):
    """Place of the next "?" or 占, or `end`; looks at 64 characters at once."""
    while at < end:
        block, found = codes[at : min(at + _BLOCK, end)], False
        for place in range(len(block)):
            found |= (block[place] == _QUESTION) | (block[place] == _JEOM)
        if found:
            while codes[at] != _QUESTION and codes[at] != _JEOM:
                at += 1
            return at
        at += len(block)
    return end


@njit(cache=True, nogil=True)
def question_run(codes, flags, at, start, end):
    """Length of a run of "?" that no letter precedes (in "정말????" it is emphasis), and where it ends."""
    first = at
    emphasis = first > start and (codes[first - 1] == _EXCLAMATION or flags[first - 1] & ALPHABETIC != 0)
    while at < end and codes[at] == _QUESTION:
        at += 1
    return at - first if at - first >= _MIN_QUESTIONS and not emphasis else 0, at


@njit(cache=True, nogil=True)
def replacement_read_as_cp949(codes, at, end):
    """Length of 占쏙옙 (UTF-8 of U+FFFD read as CP949) or of a torn one such as 占쎈, else 0."""
    if at + 1 >= end or not _FIRST_TORN <= codes[at + 1] <= _LAST_TORN:
        return 0
    return 3 if at + 2 < end and codes[at + 2] == _OG else 2
