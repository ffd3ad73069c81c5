"""Byte-pair encoding of one word: merge the pair of lowest rank, the leftmost of equals, until none is left.

Short words are scanned for the lowest rank again and again, over arrays that lie in the first-level cache: quadratic,
but at 12 bytes three times as fast as a heap (spans in place of shifting, with a search in vector instructions, were no
faster: 690 against 570 ns a Korean word). Long ones (a line of blanks, a base64 blob, a book without spaces) have
a heap of (rank, place) and spans in place of a linked list: n log n, 24 bytes of memory a byte of the word.

Sennrich, Haddow and Birch 2016, "Neural machine translation of rare words with subword units", section 3.2; the order
is that of `tokenizers` (`Word::merge_all`), so that ids are equal.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.tokenizer.encoding.merge_table import NO_RANK, rank_of

SCAN_BYTES = 96
"""Longest word that is scanned; above it the heap is faster."""

_PLACE_BITS = 40
_GONE = -1  # in place of an id: no token begins at this byte any more


@njit(cache=True, nogil=True)
def merge_short(data, at, end, merges, ranks, out, first):
    """Write the tokens of the word `data[at:end]` to `out[first:]`; returns the place behind the last.

    Args:
        ranks: scratch, at least SCAN_BYTES int32.
    """
    byte_ids, byte_ranks, slots, known, merged = merges
    num = end - at
    for i in range(num - 1):
        left, right = np.int64(data[at + i]), np.int64(data[at + i + 1])
        out[first + i] = byte_ids[left]
        ranks[i] = byte_ranks[left << 8 | right]
    out[first + num - 1] = byte_ids[data[end - 1]]
    while num > 1:
        low, best = NO_RANK, 0
        for i in range(num - 1):
            if ranks[i] < low:
                low, best = ranks[i], i
        if low == NO_RANK:
            break
        here = first + best
        out[here] = merged[low]
        num -= 1
        for i in range(best + 1, num):
            out[first + i] = out[first + i + 1]
            ranks[i - 1] = ranks[i]
        if best:
            ranks[best - 1] = rank_of(slots, known, out[here - 1], out[here])
        if best < num - 1:
            ranks[best] = rank_of(slots, known, out[here], out[here + 1])
    return first + num


@njit(cache=True, nogil=True)
def merge_long(data, at, end, merges, out, first):
    """As merge_short, for a word of any length.

    A token's bytes are its span: `spans` holds their number at its first and at its last byte, so that both
    neighbours are found; its id stands at its first byte in `out`.
    """
    byte_ids, byte_ranks, slots, known, merged = merges
    num = end - at
    spans = np.ones(num, np.int32)
    heap = np.empty(2 * num, np.int64)
    size = 0
    for i in range(num):
        out[first + i] = byte_ids[data[at + i]]
        if i + 1 < num:
            rank = byte_ranks[np.int64(data[at + i]) << 8 | np.int64(data[at + i + 1])]
            if rank != NO_RANK:
                heap[size] = np.int64(rank) << _PLACE_BITS | i
                size += 1
    _heapify(heap, size)
    while size:
        rank, place = heap[0] >> _PLACE_BITS, heap[0] & ((1 << _PLACE_BITS) - 1)
        right = place + spans[place]
        merges_still = out[first + place] != _GONE and right < num
        if not merges_still or rank_of(slots, known, out[first + place], out[first + right]) != rank:
            size -= 1
            heap[0] = heap[size]
            _sink(heap, 0, size)
            continue
        out[first + place] = merged[rank]
        length = spans[place] + spans[right]
        out[first + right] = _GONE
        spans[place + length - 1] = length
        spans[place] = length
        after = place + length
        found = NO_RANK if after == num else rank_of(slots, known, out[first + place], out[first + after])
        if found != NO_RANK:
            heap[0] = np.int64(found) << _PLACE_BITS | place
        else:
            size -= 1
            heap[0] = heap[size]
        _sink(heap, 0, size)
        if place:
            before = place - spans[place - 1]
            found = rank_of(slots, known, out[first + before], out[first + place])
            if found != NO_RANK:
                heap[size] = np.int64(found) << _PLACE_BITS | before
                size += 1
                _rise(heap, size - 1)
    return _packed(out, first, spans)


@njit(cache=True, nogil=True)
def _packed(out, first, spans):
    to, place = first, 0
    while place < len(spans):
        out[to] = out[first + place]
        to += 1
        place += spans[place]
    return to


@njit(cache=True, nogil=True)
def _heapify(heap, size):
    for i in range(size // 2 - 1, -1, -1):
        _sink(heap, i, size)


@njit(cache=True, nogil=True)
def _sink(heap, i, size):
    if i >= size:
        return
    value = heap[i]
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = value


@njit(cache=True, nogil=True)
def _rise(heap, i):
    value = heap[i]
    while i:
        parent = (i - 1) // 2
        if heap[parent] <= value:
            break
        heap[i] = heap[parent]
        i = parent
    heap[i] = value
