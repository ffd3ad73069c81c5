"""One phase of the training: all merges down to a count. Kernels; what a phase is and why stands in merging.py.

Words lie one behind the other in `symbols`; a word that has become shorter ends with END. A merge is done in place,
word by word, over the words that the pair is known to stand in. What it changes is summed by neighbour in `changes`, so
that the table of pairs is asked once a neighbour and merge, not once an occurrence. A slot of `changes` is a neighbour
to the left, or `width` + a neighbour to the right; a row of it is half a cache line.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.tokenizer.merging.pair_table import (
    EMPTY,
    doubled,
    heapify,
    longer,
    pair,
    rise,
    sink,
    slot_of,
)

END = -1
DONE, STOPPED, AGAIN = 0, 1, 2
"""How a phase ended: no pair is left that is frequent enough; asked to; a merge gave a symbol that was there before."""

_LOW = np.int64(0xFFFFFFFF)
_FIRST_SLOTS = 1 << 12

GAIN, LOSS, ENTRIES, SEEN = 0, 1, 2, 3
"""What one merge changes, by slot: occurrences won and lost, words that hold the new pair, the last of them."""

UNTOUCHED, NO_WORD = -2, -1


@njit(cache=True, nogil=True)
def count_pairs(symbols, offsets, weights):
    """Keys, and by slot how often a pair occurs: weighted, and in the words as they stand; how many pairs there are."""
    keys, values = np.full(_FIRST_SLOTS, EMPTY, np.int64), np.zeros((_FIRST_SLOTS, 2), np.int64)
    size = 0
    for word in range(len(weights)):
        for at in range(offsets[word] + 1, offsets[word + 1]):
            if symbols[at] == END:
                break
            key = pair(symbols[at - 1], symbols[at])
            slot = slot_of(keys, key)
            if keys[slot] == EMPTY:
                size += 1
                if 2 * size > len(keys):
                    keys, values = doubled(keys, values)
                    slot = slot_of(keys, key)
                keys[slot] = key
            values[slot, 0] += weights[word]
            values[slot, 1] += 1
    return keys, values, size


@njit(cache=True, nogil=True)
def highest_count(symbols, offsets, weights):
    """Of the most frequent pair; 0 if there is none."""
    _, values, _ = count_pairs(symbols, offsets, weights)
    return values[:, 0].max()


@njit(cache=True, nogil=True)
def compact(symbols, offsets, weights):
    """Close the gaps, and leave out words of one symbol: nothing happens to them. Returns how many are left."""
    words, free = 0, 0
    for word in range(len(weights)):
        begin, end = offsets[word], offsets[word + 1]
        at = begin
        while at < end and symbols[at] != END:
            symbols[free + at - begin] = symbols[at]
            at += 1
        if at - begin > 1:
            offsets[words], weights[words] = free, weights[word]
            words += 1
            free += at - begin
    offsets[words] = free
    return words


@njit(cache=True, nogil=True)
def tracked_pairs(keys, values, threshold):
    """A table of the pairs that occur `threshold` times or more: count, first place in the pool, words so far."""
    slots = _FIRST_SLOTS
    while slots < 4 * (values[:, 0] >= threshold).sum():
        slots *= 2
    kept, rows = np.full(slots, EMPTY, np.int64), np.zeros((slots, 3), np.int64)
    number, start = 0, 0
    for slot in range(len(keys)):
        if keys[slot] != EMPTY and values[slot, 0] >= threshold:
            at = slot_of(kept, keys[slot])
            kept[at] = keys[slot]
            rows[at, 0], rows[at, 1] = values[slot, 0], start
            start += values[slot, 1]
            number += 1
    return kept, rows, number, start


@njit(cache=True, nogil=True)
def index_words(symbols, offsets, keys, rows, pool):
    """Write, for each tracked pair, the words that it stands in, each once."""
    for word in range(len(offsets) - 1):
        for at in range(offsets[word] + 1, offsets[word + 1]):
            slot = slot_of(keys, pair(symbols[at - 1], symbols[at]))
            if keys[slot] != EMPTY:
                end = rows[slot, 1] + rows[slot, 2]
                if rows[slot, 2] == 0 or pool[end - 1] != word:
                    pool[end] = word
                    rows[slot, 2] += 1


@njit(cache=True, nogil=True)
def filled_heap(keys, rows, number):
    """All tracked pairs as a heap."""
    counts, pairs = np.empty(max(number, 16), np.int64), np.empty(max(number, 16), np.int64)
    size = 0
    for slot in range(len(keys)):
        if keys[slot] != EMPTY:
            counts[size], pairs[size] = rows[slot, 0], keys[slot]
            size += 1
    heapify(counts, pairs, size)
    return counts, pairs


@njit(cache=True, nogil=True)
def find_pair(symbols, begin, end, left, right):
    """Where a pair first stands in a word, or `end`. Most of a word's symbols are looked at here, and only read."""
    before = symbols[begin]
    for at in range(begin + 1, end):
        symbol = symbols[at]
        if symbol == right and before == left:
            return at - 1
        if symbol == END:
            break
        before = symbol
    return end


@njit(cache=True, nogil=True)
def merge_word(symbols, begin, end, left, right, new, weight, word, changes, touched, events, sizes):
    """Merge a pair in a word, from left to right; what that changes is noted.

    `sizes`: slots touched, events. An event, `slot << 32 | word`, says that a word holds a new pair.
    """
    width = len(touched) // 2
    at = find_pair(symbols, begin, end, left, right)
    if at == end:
        return
    out, joined = at, False
    while at < end and symbols[at] != END:
        last = at + 1 >= end or symbols[at + 1] == END
        if last or symbols[at] != left or symbols[at + 1] != right:
            symbols[out] = symbols[at]
            out, at, joined = out + 1, at + 1, False
            continue
        if out > begin and not joined:
            slot = np.int64(symbols[out - 1])
            _gain(slot, weight, word, changes, touched, events, sizes)
            changes[slot, LOSS] += weight
        symbols[out] = new
        out, at = out + 1, at + 2
        if at < end and symbols[at] != END:
            slot = width + np.int64(symbols[at])
            changes[slot, LOSS] += weight
            joined = symbols[at] == left and at + 1 < end and symbols[at + 1] == right
            if joined:
                _touch(slot, changes, touched, sizes)
                slot = width + new
            _gain(slot, weight, word, changes, touched, events, sizes)
    if out < end:
        symbols[out] = END


@njit(cache=True, nogil=True)
def _touch(slot, changes, touched, sizes):
    if changes[slot, SEEN] == UNTOUCHED:
        changes[slot, SEEN] = NO_WORD
        touched[sizes[0]] = slot
        sizes[0] += 1


@njit(cache=True, nogil=True)
def _gain(slot, weight, word, changes, touched, events, sizes):
    changes[slot, GAIN] += weight
    if changes[slot, SEEN] != word:
        _touch(slot, changes, touched, sizes)
        changes[slot, SEEN] = word
        changes[slot, ENTRIES] += 1
        events[sizes[1]] = (slot << np.int64(32)) | word
        sizes[1] += 1


@njit(cache=True, nogil=True)
def merge_everywhere(symbols, offsets, weights, left, right, new, words, changes, touched, events, sizes):
    """Merge a pair in all of its words. Returns the events, whose array may have grown."""
    for word in words:
        begin, end = offsets[word], offsets[word + 1]
        while sizes[1] + 2 * (end - begin) > len(events):
            events = longer(events)
        merge_word(
            symbols, begin, end, left, right, new, weights[word], word, changes, touched, events, sizes
        )
    return events


@njit(cache=True, nogil=True)
def subtract_losses(left, right, changes, touched, sizes, keys, rows):
    """Pairs of the merged symbols with their old neighbours occur less often."""
    width = len(touched) // 2
    for place in range(sizes[0]):
        slot = touched[place]
        if changes[slot, LOSS]:
            at = slot_of(keys, pair(slot, left) if slot < width else pair(right, slot - width))
            if keys[at] != EMPTY:
                rows[at, 0] -= changes[slot, LOSS]


@njit(cache=True, nogil=True)
def add_pairs(new, threshold, changes, touched, sizes, keys, rows, heap, pool_end):
    """Track the new pairs that occur often enough. Their ENTRIES become the place where their words will stand, those
    of others -1. Returns what may have grown, and the end of the pool."""
    width = len(touched) // 2
    number, size, counts, pairs = heap
    for place in range(sizes[0]):
        slot = touched[place]
        gain, entries = changes[slot, GAIN], changes[slot, ENTRIES]
        changes[slot, ENTRIES] = -1
        if gain < threshold:
            continue
        number += 1
        if 2 * number > len(keys):
            keys, rows = doubled(keys, rows)
        key = pair(slot, new) if slot < width else pair(new, slot - width)
        at = slot_of(keys, key)
        keys[at] = key
        rows[at, 0], rows[at, 1], rows[at, 2] = gain, pool_end, entries
        changes[slot, ENTRIES] = pool_end
        pool_end += entries
        if size == len(counts):
            counts, pairs = longer(counts), longer(pairs)
        counts[size], pairs[size] = gain, key
        rise(counts, pairs, size)
        size += 1
    return keys, rows, (number, size, counts, pairs), pool_end


@njit(cache=True, nogil=True)
def place_words(changes, touched, events, sizes, pool):
    """Write the words of the new pairs into the pool, and clear what the merge has noted."""
    for place in range(sizes[1]):
        slot = events[place] >> np.int64(32)
        if changes[slot, ENTRIES] >= 0:
            pool[changes[slot, ENTRIES]] = events[place] & _LOW
            changes[slot, ENTRIES] += 1
    for place in range(sizes[0]):
        slot = touched[place]
        changes[slot, GAIN], changes[slot, LOSS], changes[slot, ENTRIES] = 0, 0, 0
        changes[slot, SEEN] = UNTOUCHED
    sizes[:] = 0


@njit(cache=True, nogil=True)
def next_pair(keys, rows, heap, threshold):
    """Take the pair off the heap that occurs most, or EMPTY if none is left that occurs `threshold` times.

    A count in the heap may be too high, never too low: what is on top is put right, and sinks, until it is true.
    """
    number, size, counts, pairs = heap
    while size > 0:
        key = pairs[0]
        now = rows[slot_of(keys, key), 0]
        taken = now == counts[0]
        if taken or now < threshold:
            size -= 1
            counts[0], pairs[0] = counts[size], pairs[size]
        else:
            counts[0] = now
        sink(counts, pairs, size, 0)
        if taken:
            return key, (number, size, counts, pairs)
    return np.int64(EMPTY), (number, size, counts, pairs)


@njit(cache=True, nogil=True)
def id_of(whole, known, known_ids, next_id):
    """The id of a token by its hash: the next one, or what `known` says."""
    place = np.searchsorted(known, whole)
    return known_ids[place] if place < len(known) and known[place] == whole else next_id


@njit(cache=True, nogil=True)
def phase(
    symbols,
    offsets,
    weights,
    width,
    threshold,
    first,
    limit,
    hashes,
    powers,
    known,
    known_ids,
    next_id,
    out,
    state,
):
    """Merge the most frequent pair again and again, while it occurs `threshold` times or more.

    Args:
        symbols: int32; offsets: int64, one more than words; weights: int64. The symbols are changed.
        width: above every symbol, also those that will be made.
        threshold: what occurs less often is neither counted nor indexed.
        first, limit: merges that were done before, and how many there shall be.
        hashes, powers: uint64[width], of the bytes of each symbol (merging.token_hashes).
        known, known_ids: sorted hashes of tokens that exist beside the symbols, and their ids; -1 forbids a token.
        next_id: of the next new symbol.
        out: int64[limit, 4]: left, right, the symbol that they give, count.
        state: [merges done, whether to stop], shared with the thread that shows progress.

    Returns:
        Merges done in all, the next id, and DONE, STOPPED or AGAIN.
    """
    all_keys, all_values, _ = count_pairs(symbols, offsets, weights)
    keys, rows, number, pool_end = tracked_pairs(all_keys, all_values, threshold)
    pool = np.empty(max(pool_end, 16), np.int32)
    index_words(symbols, offsets, keys, rows, pool)
    counts, pairs = filled_heap(keys, rows, number)
    heap = (number, number, counts, pairs)
    changes, touched = np.zeros((2 * width, 4), np.int64), np.empty(2 * width, np.int64)
    changes[:, SEEN] = UNTOUCHED
    events, sizes = np.empty(16, np.int64), np.zeros(2, np.int64)
    done = first
    while done < limit:
        if state[1]:
            return done, next_id, STOPPED
        key, heap = next_pair(keys, rows, heap, threshold)
        if key == EMPTY:
            break
        at, left, right = slot_of(keys, key), key >> np.int64(32), key & _LOW
        whole = hashes[left] * powers[right] + hashes[right]
        new = id_of(whole, known, known_ids, next_id)
        if new < 0:
            continue
        hashes[new], powers[new] = whole, powers[left] * powers[right]
        out[done] = left, right, new, rows[at, 0]
        done += 1
        state[0] = done
        words = pool[rows[at, 1] : rows[at, 1] + rows[at, 2]]
        events = merge_everywhere(
            symbols, offsets, weights, left, right, new, words, changes, touched, events, sizes
        )
        if new != next_id:  # its pairs may have more occurrences elsewhere
            return done, next_id, AGAIN
        next_id += 1
        subtract_losses(left, right, changes, touched, sizes, keys, rows)
        keys, rows, heap, pool_end = add_pairs(
            new, threshold, changes, touched, sizes, keys, rows, heap, pool_end
        )
        while pool_end > len(pool):
            pool = longer(pool)
        place_words(changes, touched, events, sizes, pool)
    return done, next_id, DONE
