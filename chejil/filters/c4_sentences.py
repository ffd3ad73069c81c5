"""How a line of C4 ends, and its sentences, from its words: what most lines need of its rules.

A sentence ends at . ? ! and any closing quotes before white space, if no small letter follows. Only the ends of words
are looked at (`shared_tables.py`), a fifth of the characters. Citations are not known here: `c4_lines.py` reads a line
that has one, or that may hold a phrase, character by character.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.line_counts import CLOSER

_DOT, _QUESTION, _EXCLAMATION, _QUOTE, _APOSTROPHE = ord("."), ord("?"), ord("!"), ord('"'), ord("'")
_SMALL_A, _SMALL_Z = ord("a"), ord("z")


@njit(cache=True, nogil=True)
def count_sentences(codes, begins, ends, first, last, marks):
    """Sentences of a line: 1, and one for each word after a mark that does not begin with a small letter."""
    sentences = np.int64(1)
    for word in range(first, last):
        code = codes[ends[word] - 1]
        if is_closer(code, marks):
            at = np.int64(ends[word]) - 2
            while at > begins[word] and is_closer(codes[at], marks):
                at -= 1
            code = codes[max(at, begins[word])]
        sentences += is_stop(code) & (not is_small(codes[begins[word + 1]]))
    return sentences


@njit(cache=True, nogil=True)
def is_marked(codes, begin, end):
    """Whether a line whose last word this is ends with a mark, and not with "..."."""
    if codes[end - 1] != _DOT:
        return is_end_mark(codes[end - 1])
    return end - begin < 3 or codes[end - 2] != _DOT or codes[end - 3] != _DOT


@njit(cache=True, nogil=True)
def is_end_mark(code):
    """Whether C4 calls it the end of a line."""
    return is_stop(code) or code in (_QUOTE, _APOSTROPHE)


@njit(cache=True, nogil=True)
def is_stop(code):
    """Whether it ends a sentence."""
    return (code == _DOT) | (code == _QUESTION) | (code == _EXCLAMATION)


@njit(cache=True, nogil=True)
def is_small(code):
    """Whether it is a to z."""
    return (code >= _SMALL_A) & (code <= _SMALL_Z)


@njit(cache=True, nogil=True)
def is_closer(code, marks):
    """Whether it may follow the mark that ends a sentence."""
    return marks[code & 0xFFFF] & CLOSER != 0 and code <= 0xFFFF
