"""The merges of a byte-level BPE as a kernel reads them: which pair of tokens may merge, how early, and into what.

An open-addressing table of one 64-bit word a pair: left and right token (21 bits each) and rank (22 bits), so a probe
touches one cache line. 50,000 merges take 1 MB at a load below one half, which is what a core's second-level cache
holds. Half of all questions are for pairs that do not merge: a bit a hash in 64 kB answers most of them without the
table, which makes a Korean word a tenth faster. Pairs of bytes, which every word begins with, are a plain table of
256 x 256.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

ID_BITS, RANK_BITS = 21, 22
MAX_IDS, MAX_RANKS = 1 << ID_BITS, (1 << RANK_BITS) - 1
NO_RANK = MAX_RANKS
"""Rank of a pair that does not merge: behind all others."""

_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio (Knuth 6.4)


class Merges(NamedTuple):
    """Merges of a tokenizer.

    Args:
        byte_ids: (256) int32, the token of each byte.
        byte_ranks: (65536) int32, rank of the pair of bytes `256 * left + right`, or NO_RANK.
        slots: (2**k) uint64: left, right and rank of a pair, or all ones.
        known: (2**k / 16) uint64, a bit for each pair that merges, by its hash.
        merged: (num_merges) int32, the token that the merge of a rank makes.
    """

    byte_ids: np.ndarray
    byte_ranks: np.ndarray
    slots: np.ndarray
    known: np.ndarray
    merged: np.ndarray


@njit(cache=True, nogil=True, inline="always")
def rank_of(slots, known, left, right):
    """Rank of a pair of tokens, NO_RANK where it does not merge."""
    key = np.uint64(left) << np.uint64(ID_BITS) | np.uint64(right)
    mixed = key * _MIX
    bit = mixed >> np.uint64(24) & np.uint64(64 * len(known) - 1)
    if known[bit >> np.uint64(6)] >> (bit & np.uint64(63)) & np.uint64(1) == 0:
        return np.int32(NO_RANK)
    mask = np.uint64(len(slots) - 1)
    slot = (mixed >> np.uint64(32)) & mask
    while True:
        found = slots[slot]
        if found >> np.uint64(RANK_BITS) == key:
            return np.int32(found & np.uint64(NO_RANK))
        if found == _EMPTY:
            return np.int32(NO_RANK)
        slot = (slot + np.uint64(1)) & mask


def merge_table(byte_ids: Sequence[int], pairs: np.ndarray, merged: np.ndarray) -> Merges:
    """The table of some merges; of a pair that stands twice the last rank counts, as in `tokenizers`.

    Args:
        byte_ids: the token of each of the 256 bytes.
        pairs: (num_merges, 2) tokens.
        merged: (num_merges) tokens.
    """
    size = 1 << max(4, (2 * len(pairs)).bit_length())
    slots = np.full(size, _EMPTY, np.uint64)
    known = np.zeros(size // 16, np.uint64)
    _fill(slots, known, pairs.astype(np.int64))
    ids = np.asarray(byte_ids, np.int32)
    ranks = _byte_ranks(slots, known, ids)
    return Merges(ids, ranks, slots, known, merged.astype(np.int32))


@njit(cache=True, nogil=True)
def _fill(slots, known, pairs):
    mask = np.uint64(len(slots) - 1)
    for rank in range(len(pairs)):
        key = np.uint64(pairs[rank, 0]) << np.uint64(ID_BITS) | np.uint64(pairs[rank, 1])
        mixed = key * _MIX
        bit = mixed >> np.uint64(24) & np.uint64(64 * len(known) - 1)
        known[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
        slot = (mixed >> np.uint64(32)) & mask
        while slots[slot] != _EMPTY and slots[slot] >> np.uint64(RANK_BITS) != key:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = key << np.uint64(RANK_BITS) | np.uint64(rank)


@njit(cache=True, nogil=True)
def _byte_ranks(slots, known, ids):
    ranks = np.empty(1 << 16, np.int32)
    for pair in range(1 << 16):
        ranks[pair] = rank_of(slots, known, ids[pair >> 8], ids[pair & 0xFF])
    return ranks


def ranks_of(pairs: Iterable[Sequence[str]], vocab: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of pairs given as strings, (num_merges, 2) int64, and what each makes, (num_merges) int64.

    Raises:
        KeyError: the vocabulary lacks a part, or what a merge makes.
    """
    found = np.array([(vocab[left], vocab[right]) for left, right in pairs], np.int64).reshape(-1, 2)
    return found, np.array([vocab[left + right] for left, right in pairs], np.int64)
