"""Compiled pre-tokenisation: where the pre-token that begins at a byte ends, for each pattern of patterns.yaml.

Each matcher (matchers.py) is written by hand and takes the same way through its regex as Oniguruma, so that
boundaries equal those of `tokenizers`' Split on any text (tests/tokenizer/test_splitting.py). A character is one table
lookup (unicode_classes.py), ASCII without decoding. None of these patterns looks behind, so a matcher needs nothing but
the place and the end of its document; `\\s+(?!\\S)` sees the document's end as the end of the text.

Unlike Oniguruma, which gives up after ten million steps, these are linear: `tokenizers` 0.23 panics on eleven million
blanks in a row. Bytes that are no UTF-8 never lead outside the document; they are cut somehow, always the same way.
Numba's cache watches the file of a kernel, not those that it calls: after an edit remove `__pycache__`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.tokenizer.pretokens.letter_runs import CASE_IGNORED, ascii_end, hangul_end
from chejil.tokenizer.pretokens.matchers import (
    APOSTROPHE,
    SPACE_BYTE,
    gpt2,
    gpt4,
    is_sentence_mark,
    marks_end,
    o200k,
)
from chejil.tokenizer.pretokens.unicode_classes import OTHER

GPT2, GPT4, O200K, KOEN, QWEN2 = range(5)
"""Codes of patterns.yaml."""


@njit(cache=True, nogil=True)
def _any_end(code, data, at, end, classes):
    """As `next_end`, whatever comes."""
    if code == GPT4:
        return gpt4(data, at, end, classes, 3, False)
    if code == KOEN:
        return gpt4(data, at, end, classes, 2, True)
    if code == O200K:
        return o200k(data, at, end, classes)
    if code == QWEN2:
        return gpt4(data, at, end, classes, 1, False)
    return gpt2(data, at, end, classes)


@njit(cache=True, nogil=True, forceinline=True)
def _word_end(code, data, at, end):
    """Behind a word of ASCII letters or Hangul with the space before it; `at` where it is not as simple as that."""
    start = at + (data[at] == SPACE_BYTE)
    if start >= end:
        return at
    if data[start] >= 0x80:
        behind = hangul_end(data, start, end)
    elif code == O200K:
        behind = ascii_end(data, start + 1, end, np.uint64(0))
        if behind == start + 1 and not ord("a") <= data[start] <= ord("z"):
            return at
        behind = behind if ord("A") <= data[start] & 0xDF <= ord("Z") else start
    else:
        behind = ascii_end(data, start, end, CASE_IGNORED)
    if behind == start:
        return at
    if behind == end:
        return end
    if code == KOEN and data[start] >= 0x80 and is_sentence_mark(data[behind]):
        return marks_end(data, behind, end)
    return behind if _ends_here(code, data[start], data[behind]) else at


@njit(cache=True, nogil=True, forceinline=True)
def _ends_here(code, first, byte):
    """Whether a word that begins with a byte surely ends where another one follows that is none of its kind."""
    if byte >= 0x80:
        return False
    if code == KOEN or (first < 0x80 and code != O200K):
        return True
    return byte != APOSTROPHE and not ord("A") <= byte & 0xDF <= ord("Z")


@njit(cache=True, nogil=True, forceinline=True)
def next_end(code, data, at, end, classes):
    """The end of the pre-token that begins at byte `at` of a document that ends at byte `end`.

    Args:
        code: of a pattern.
        data: bytes of UTF-8, uint8.
        at: where the document or its last pre-token's successor begins, before `end`.
        classes: `unicode_classes.classes()`.

    Returns:
        Above `at`, at most `end`.
    """
    behind = _word_end(code, data, at, end)
    if behind > at:
        return behind
    if data[at] < 0x80 and at + 1 < end and data[at + 1] == SPACE_BYTE and classes[data[at]] == OTHER:
        return at + 1  # one mark of ASCII before a space: no pattern takes the space, too
    return _any_end(code, data, at, end, classes)


@njit(cache=True, nogil=True)
def ends(code, data, start, end, classes):
    """The ends of all pre-tokens of the document between two bytes, int64."""
    found = np.empty(end - start, np.int64)
    at, number = start, 0
    while at < end:
        at = next_end(code, data, at, end, classes)
        found[number] = at
        number += 1
    return found[:number].copy()
