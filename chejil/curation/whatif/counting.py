"""Counts over rows of bits: the funnels before and after, what changed, and what each rule does alone.

Everything is a sum over documents, so counts of batches are added in any order and any number of workers gives the
same. A cell is a language (its place in LANGUAGES) and a reason (its bit; behind the filter's those of later
deciders; the last one: kept). Overlaps are counted for documents that fail for several reasons, pair by pair.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numba import njit

from chejil.filters.catalogue import LANGUAGES

SEVERAL = -2
PASSES = -1
"""What `single_reasons` says of a document that has several reasons, or none."""


@dataclass
class Rows:
    """Documents to be counted: `before` and `after` (num_docs, words) uint64 with the bits of the filter and of what
    stands before it, `late_before` and `late_after` (num_docs) uint64 with those of what stands behind it, `lang`
    (num_docs) uint8, `num_bytes` and `num_tokens` (num_docs) int64, the latter 0 where no tokenizer was asked."""

    before: np.ndarray
    after: np.ndarray
    late_before: np.ndarray
    late_after: np.ndarray
    lang: np.ndarray
    num_bytes: np.ndarray
    num_tokens: np.ndarray

    def at(self, rows: np.ndarray | slice) -> Rows:
        """Some of them."""
        return Rows(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Iterable[Rows]) -> Rows:
        """Several as one."""
        every = list(parts)
        return cls(*(np.concatenate([getattr(p, f.name) for p in every]) for f in fields(cls)))


@dataclass
class Funnels:
    """Of one source, documents, bytes and tokens: `before` and `after` (languages, reasons + 1, 3) int64 by first
    reason, the last one for kept; `fallen` newly dropped by first reason after, `risen` newly kept by the one before.
    """

    before: np.ndarray
    after: np.ndarray
    fallen: np.ndarray
    risen: np.ndarray

    @classmethod
    def empty(cls, num_before: int, num_after: int) -> Funnels:
        """Nothing counted yet; reasons of all deciders."""
        one, other = (np.zeros((len(LANGUAGES), num + 1, 3), np.int64) for num in (num_before, num_after))
        return cls(one, other, other.copy(), one.copy())

    def add(self, rows: Rows, num_before: int, num_after: int) -> tuple[np.ndarray, np.ndarray]:
        """Count documents; returns the first reason of each before and after, (num_docs) int16, -1 for kept.

        Args:
            num_before, num_after: reasons of the filter and of what stands before it; later ones follow them.
        """
        first_before = first_reasons(rows.before, rows.late_before, num_before)
        first_after = first_reasons(rows.after, rows.late_after, num_after)
        count_first(
            first_before, first_after, rows.lang, rows.num_bytes, rows.num_tokens,
            self.before, self.after, self.fallen, self.risen,
        )  # fmt: skip
        return first_before, first_after

    def join(self, other: Funnels) -> None:
        """Add what was counted elsewhere."""
        for field in fields(self):
            getattr(self, field.name).__iadd__(getattr(other, field.name))


@dataclass
class Effects:
    """What the rules of the filter do: `fails` and `only` (languages, reasons, 2) documents and bytes that a rule
    holds for, and that it alone drops of all rules of the filter; `lifted` those of them that would be kept without it
    and that no later decider knows of; `overlap` (reasons, reasons); `near` (languages, reasons, 2) documents near a
    bound that fail by it alone, and that pass."""

    fails: np.ndarray
    only: np.ndarray
    lifted: np.ndarray
    overlap: np.ndarray
    near: np.ndarray

    @classmethod
    def empty(cls, num: int) -> Effects:
        """Nothing counted yet; `num` reasons of the filter and of what stands before it."""
        cells = [np.zeros((len(LANGUAGES), num, 2), np.int64) for _ in range(4)]
        return cls(cells[0], cells[1], cells[2], np.zeros((num, num), np.int64), cells[3])

    def join(self, other: Effects) -> None:
        """Add what was counted elsewhere."""
        for field in fields(self):
            getattr(self, field.name).__iadd__(getattr(other, field.name))


@njit(cache=True, nogil=True)
def lowest_bit(word):
    """Place of the lowest bit that is set."""
    place, width = 0, 32
    while width:
        mask = (np.uint64(1) << np.uint64(width)) - np.uint64(1)
        if word & mask == np.uint64(0):
            word >>= np.uint64(width)
            place += width
        width >>= 1
    return place


@njit(cache=True, nogil=True)
def first_reasons(words, late, num):
    """The first reason of each document, (num_docs) int16: -1 without any, from `num` on those of later deciders."""
    first = np.full(len(words), -1, np.int16)
    for row in range(len(words)):
        for place in range(words.shape[1]):
            if words[row, place]:
                first[row] = 64 * place + lowest_bit(words[row, place])
                break
        if first[row] < 0 and late[row]:
            first[row] = num + lowest_bit(late[row])
    return first


@njit(cache=True, nogil=True)
def single_reasons(words):
    """The reason of a document that has one alone, (num_docs) int16; PASSES without any, SEVERAL for more."""
    single = np.full(len(words), -1, np.int16)
    for row in range(len(words)):
        for place in range(words.shape[1]):
            word = words[row, place]
            if word == np.uint64(0):
                continue
            if single[row] != -1 or word & (word - np.uint64(1)):
                single[row] = -2
                break
            single[row] = 64 * place + lowest_bit(word)
    return single


@njit(cache=True, nogil=True)
def count_first(first_before, first_after, lang, num_bytes, num_tokens, before, after, fallen, risen):
    """Count documents, bytes and tokens into the four tables; -1 is the last column."""
    for row in range(len(lang)):
        one, other, code = first_before[row], first_after[row], lang[row]
        size, tokens = num_bytes[row], num_tokens[row]
        _count_one(before, code, one, size, tokens)
        _count_one(after, code, other, size, tokens)
        if one < 0 and other >= 0:
            _count_one(fallen, code, other, size, tokens)
        elif one >= 0 and other < 0:
            _count_one(risen, code, one, size, tokens)


@njit(cache=True, nogil=True, inline="always")
def _count_one(table, code, reason, size, tokens):
    table[code, reason, 0] += 1
    table[code, reason, 1] += size
    table[code, reason, 2] += tokens


@njit(cache=True, nogil=True)
def count_effects(words, single, lang, num_bytes, late, is_deferred, fails, only, lifted, overlap):
    """Count what each reason of (num_docs, words) bits holds for, alone and together."""
    found = np.empty(64 * words.shape[1], np.int64)
    for row in range(len(lang)):
        if single[row] == -1:
            continue
        num = 0
        for place in range(words.shape[1]):
            word = words[row, place]
            while word:
                found[num] = 64 * place + lowest_bit(word)
                word &= word - np.uint64(1)
                num += 1
        code, size = lang[row], num_bytes[row]
        for one in range(num):
            fails[code, found[one], 0] += 1
            fails[code, found[one], 1] += size
            for other in range(num):
                overlap[found[one], found[other]] += 1
        if num == 1:
            only[code, found[0], 0] += 1
            only[code, found[0], 1] += size
            if late[row] == np.uint64(0) and not is_deferred[row]:
                lifted[code, found[0], 0] += 1
                lifted[code, found[0], 1] += size
