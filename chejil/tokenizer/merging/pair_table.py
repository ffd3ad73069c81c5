"""Pairs of symbols: a hash table by pair, and a heap of pairs by count. Kernels, over plain arrays.

A pair is one int64, `left << 32 | right`, so that the order of keys is the order of pairs. The table is open addressing
at a load of at most one half: `keys[slot]` is EMPTY or a pair, `values[slot]` whatever the caller counts or numbers.
Nothing is ever removed; a phase of the training starts a new table.

The heap is two arrays, counts and keys: 16 bytes a pair and no pointer. On top is the highest count, and of equal
counts the smaller pair, which is the order of Hugging Face's trainer.
"""

from __future__ import annotations

import numpy as np
from numba import njit

EMPTY = -1
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio
_HIGH = np.uint64(32)


@njit(cache=True, nogil=True)
def pair(left, right):
    """The key of a pair."""
    return (np.int64(left) << np.int64(32)) | np.int64(right)


@njit(cache=True, nogil=True)
def slot_of(keys, key):
    """Where a key stands, or the empty slot where it would stand. The number of slots is a power of two."""
    mask = np.uint64(len(keys) - 1)
    mixed = np.uint64(key) * _MIX
    at = (mixed ^ (mixed >> _HIGH)) & mask
    while keys[at] != EMPTY and keys[at] != key:
        at = (at + np.uint64(1)) & mask
    return at


@njit(cache=True, nogil=True)
def doubled(keys, values):
    """The same table with twice the slots."""
    more = np.full(2 * len(keys), EMPTY, np.int64)
    moved = np.zeros((2 * len(keys), values.shape[1]), values.dtype)
    for old in range(len(keys)):
        if keys[old] != EMPTY:
            at = slot_of(more, keys[old])
            more[at] = keys[old]
            moved[at] = values[old]
    return more, moved


@njit(cache=True, nogil=True)
def longer(array):
    """The same array with room for as much again."""
    more = np.empty(2 * len(array), array.dtype)
    more[: len(array)] = array
    return more


@njit(cache=True, nogil=True)
def before(count, key, other_count, other_key):
    """Whether a pair is merged before another one."""
    return count > other_count or (count == other_count and key < other_key)


@njit(cache=True, nogil=True)
def sink(counts, keys, size, at):
    """Move an entry down until no child is before it."""
    count, key = counts[at], keys[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and before(counts[child + 1], keys[child + 1], counts[child], keys[child]):
            child += 1
        if not before(counts[child], keys[child], count, key):
            break
        counts[at], keys[at] = counts[child], keys[child]
        at = child
    counts[at], keys[at] = count, key


@njit(cache=True, nogil=True)
def rise(counts, keys, at):
    """Move an entry up until its parent is before it."""
    count, key = counts[at], keys[at]
    while at > 0:
        parent = (at - 1) // 2
        if not before(count, key, counts[parent], keys[parent]):
            break
        counts[at], keys[at] = counts[parent], keys[parent]
        at = parent
    counts[at], keys[at] = count, key


@njit(cache=True, nogil=True)
def heapify(counts, keys, size):
    """Make a heap of the first `size` entries."""
    for at in range(size // 2 - 1, -1, -1):
        sink(counts, keys, size, at)
