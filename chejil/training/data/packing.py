"""Packing: which parts of which documents make a row of fixed length. Arithmetic on lengths; no token is read.

`best-fit` (Ding et al. 2024, "Fewer Truncations Improve Language Modeling", section 3): a document longer than a row
is cut into full rows and a rest; rests and short documents go, longest first, into the row that they fill best. A
document that fits into a row is never cut, no token is lost, and what is left open is padding. `concat`: documents one
behind the other, cut wherever a row ends; no padding but in the last row.

nanochat's packer has no padding, but crops: 35 % of the tokens at rows of 2,048 by its own figure, 36 % of our Korean
web text. Both policies here crop nothing; best-fit makes as many rows as concat where a window holds a few thousand of
them (docs/pretraining.md).

The paper finds the row by a segment tree, O(log row) a document. Here a bitset of the open places and one over its
words find the smallest that is large enough, a few instructions a document. The number of rows depends on the
lengths alone, not on their order: so it can be known once, and each epoch may pack another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from chejil.training.whole_numbers import Positive

Policy = Literal["best-fit", "concat"]


class PackingSettings(BaseModel):
    """How documents become rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Policy = Field(
        "best-fit",
        description="best-fit: only what is longer than a row is cut; concat: cut wherever a row ends.",
    )
    window_tokens: Positive = Field(
        1 << 26,
        description="Tokens of a source that are packed and shuffled together: more means less padding, a better "
        "shuffle, and a longer time to the first batch.",
    )
    start_token: bool = Field(
        True,
        description="Each document begins with its end-of-document token, so that its first token is learnt too.",
    )


@dataclass(frozen=True)
class Pieces:
    """Parts of documents, row after row.

    Args:
        document: (num_pieces) int64, its number among those that were packed.
        begin: (num_pieces) int64, where the piece begins in it.
        num_tokens: (num_pieces) int64.
        first: (num_rows + 1) int64, the first piece of each row.
    """

    document: np.ndarray
    begin: np.ndarray
    num_tokens: np.ndarray
    first: np.ndarray

    @property
    def num_rows(self) -> int:
        """How many rows they make."""
        return len(self.first) - 1


def pack(lengths: np.ndarray, row_tokens: int, policy: Policy) -> Pieces:
    """Pack documents into rows.

    Args:
        lengths: (num_documents) int64, tokens of each; where two are alike the first comes first.

    >>> pieces = pack(np.array([14, 7, 5, 2, 3]), 8, "best-fit")  # figure 1 of the paper
    >>> pieces.num_rows, pieces.num_tokens.tolist(), pieces.document.tolist()
    (4, [8, 7, 6, 2, 5, 3], [0, 1, 0, 3, 2, 4])
    """
    lengths = np.ascontiguousarray(lengths, np.int64)
    return Pieces(*(_best_fit if policy == "best-fit" else _concat)(lengths, row_tokens))


def num_rows(lengths: np.ndarray, row_tokens: int, policy: Policy) -> int:
    """Rows that `pack` makes of documents, whatever their order."""
    if policy == "concat":
        return -(-int(lengths.sum()) // row_tokens)
    return pack(lengths, row_tokens, policy).num_rows


def num_cut(lengths: np.ndarray, row_tokens: int, policy: Policy) -> int:
    """Documents that are in more than one row.

    >>> num_cut(np.array([14, 7, 5, 2, 3]), 8, "best-fit"), num_cut(np.array([14, 7, 5, 2, 3]), 8, "concat")
    (1, 3)
    """
    if policy == "best-fit":
        return int((lengths > row_tokens).sum())
    end = np.cumsum(lengths)
    return int((((end - lengths) // row_tokens) < ((end - 1) // row_tokens))[lengths > 0].sum())


@njit(cache=True, nogil=True)
def _concat(lengths, row_tokens):
    total = lengths.sum()
    num = -(-total // row_tokens)
    most = len(lengths) + num
    document, begin, size = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    first = np.zeros(num + 1, np.int64)
    piece, row, left = 0, 0, row_tokens
    for number in range(len(lengths)):
        at = 0
        while at < lengths[number]:
            take = min(left, lengths[number] - at)
            document[piece], begin[piece], size[piece] = number, at, take
            piece, at, left = piece + 1, at + take, left - take
            if left == 0:
                row, left = row + 1, row_tokens
                first[row] = piece
    if left < row_tokens:
        first[row + 1] = piece
    return document[:piece], begin[:piece], size[:piece], first


@njit(cache=True, nogil=True)
def _best_fit(lengths, row_tokens):
    rests, by_length = _longest_first(lengths, row_tokens)
    num_full = (lengths // row_tokens).sum()
    row_of, num = _rows_of(rests, by_length, row_tokens)
    return _laid_out(lengths, rests, by_length, row_of, num_full, num_full + num, row_tokens)


@njit(cache=True, nogil=True)
def _longest_first(lengths, row_tokens):
    """What is left of each document behind its full rows, and the documents with a rest, by it, in a stable order."""
    rests = lengths % row_tokens
    at = np.zeros(row_tokens + 1, np.int64)  # counting sort: where the next of each length goes
    for rest in rests:
        at[rest] += 1
    sum_longer = 0
    for rest in range(row_tokens - 1, 0, -1):
        at[rest], sum_longer = sum_longer, sum_longer + at[rest]
    found = np.empty(sum_longer, np.int64)
    for number in range(len(rests)):
        rest = rests[number]
        if rest > 0:
            found[at[rest]] = number
            at[rest] += 1
    return rests, found


@njit(cache=True, nogil=True)
def _rows_of(rests, by_length, row_tokens):
    """The row of each rest: of the open ones the fullest that it fits into, the last made where there are many."""
    row_of, before = np.empty(len(by_length), np.int64), np.empty(len(by_length), np.int64)
    open_rows = np.full(
        row_tokens + 1, -1, np.int64
    )  # by free places: the last row with so many; `before` chains
    words = np.zeros((row_tokens >> 6) + 1, np.uint64)
    tops = np.zeros((row_tokens >> 12) + 1, np.uint64)
    num = 0
    for number in range(len(by_length)):
        size = rests[by_length[number]]
        free = _next_bit(words, tops, size)
        if free < 0:
            row, free = num, row_tokens
            num += 1
        else:
            row = open_rows[free]
            open_rows[free] = before[row]
            if before[row] < 0:
                _clear(words, tops, free)
        row_of[number] = row
        left = free - size
        if left > 0:
            before[row], open_rows[left] = open_rows[left], row
            words[left >> 6] |= np.uint64(1) << np.uint64(left & 63)
            tops[left >> 12] |= np.uint64(1) << np.uint64((left >> 6) & 63)
    return row_of, num


@njit(cache=True, nogil=True)
def _clear(words, tops, bit):
    words[bit >> 6] &= ~(np.uint64(1) << np.uint64(bit & 63))
    if words[bit >> 6] == 0:
        tops[bit >> 12] &= ~(np.uint64(1) << np.uint64((bit >> 6) & 63))


@njit(cache=True, nogil=True)
def _next_bit(words, tops, low):
    """The smallest set bit from `low` on, or -1."""
    word = low >> 6
    here = words[word] >> np.uint64(low & 63)
    if here != 0:
        return low + _lowest(here)
    word += 1
    if word >= len(words):
        return -1
    top = word >> 6
    found = (tops[top] >> np.uint64(word & 63)) << np.uint64(word & 63)
    while found == 0:
        top += 1
        if top >= len(tops):
            return -1
        found = tops[top]
    word = (top << 6) + _lowest(found)
    return (word << 6) + _lowest(words[word])


@njit(cache=True, nogil=True)
def _lowest(word):
    """The place of the lowest set bit of a word that has one."""
    found = 0
    for half in (32, 16, 8, 4, 2, 1):
        if word & ((np.uint64(1) << np.uint64(half)) - np.uint64(1)) == 0:
            word >>= np.uint64(half)
            found += half
    return found


@njit(cache=True, nogil=True)
def _laid_out(lengths, rests, by_length, row_of, num_full, num, row_tokens):
    """Full rows first, then the others; in each the longest piece first."""
    first = np.zeros(num + 1, np.int64)
    first[1 : num_full + 1] = 1
    for row in row_of:
        first[num_full + row + 1] += 1
    first = np.cumsum(first)
    document, begin = np.empty(first[-1], np.int64), np.empty(first[-1], np.int64)
    size, piece = np.full(first[-1], row_tokens), 0
    for number in range(len(lengths)):
        for part in range(lengths[number] // row_tokens):
            document[piece], begin[piece] = number, part * row_tokens
            piece += 1
    at = first[num_full:-1].copy()
    for place in range(len(by_length)):
        number, row = by_length[place], row_of[place]
        document[at[row]], begin[at[row]] = number, lengths[number] - rests[number]
        size[at[row]] = rests[number]
        at[row] += 1
    return document, begin, size, first
