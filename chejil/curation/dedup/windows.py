"""Windows of bytes: their hashes, the anchors that find equal ones, and the bytes that equal windows cover.

A **window** is `size` bytes that begin or end with a character: such windows cover any text that is as long, from its
first byte to its last. To hash every window of a corpus would cost 8 bytes a character on disk; winnowing (Schleimer,
Wilkerson and Aiken 2003, "Winnowing: local algorithms for document fingerprinting") makes do with a few: of the
**anchors** of a window (hashes of `anchor` bytes in it that begin with a character) the smallest is chosen. Two equal
windows choose the same one, so a window that recurs has a chosen anchor that recurs. Where none does no window needs to
be hashed at all; where one does, all that chose it are: a **stretch**. Nothing is missed, and with 240 and 120 bytes
one anchor in 60 bytes is written, at 150 to 190 MB/s.

Hashes are polynomials over the bytes, rolled with two products a byte, and stirred. Two windows that differ have equal
hashes with probability 2^-64: among 10^9 candidate windows one pair in 37 such corpora.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numba import njit

from chejil.curation.dedup.hash_mixing import stir
from chejil.curation.dedup.recurrence import Recurrent, find_key, shift_of
from chejil.filters.buffers import TextBuffers

_BASE = np.uint64(0x9E3779B97F4A7C15)
_BYTES = np.random.Generator(np.random.PCG64(0x5EED)).integers(1, 1 << 63, 256, np.uint64)
"""A number for each byte; fixed, since keys are compared between runs."""

MAX_STRETCH = 1 << 20
"""Windows of one stretch; a longer one is cut, so that no step holds more keys than these and a run."""


class Stretches(NamedTuple):
    """Places where windows may recur: of document `doc` those that begin from `first` up to, but not at, `end`.

    Equally long arrays (num_stretches) int64, sorted, without overlaps."""

    doc: np.ndarray
    first: np.ndarray
    end: np.ndarray

    def parts(self, most: int) -> Iterator[Stretches]:
        """In order, so that each part has about so many bytes, and none is without end."""
        cuts = np.cumsum(self.end - self.first) // most
        for part in np.split(np.arange(len(self.doc)), np.flatnonzero(np.diff(cuts)) + 1):
            yield Stretches(self.doc[part], self.first[part], self.end[part])


def anchors(texts: TextBuffers, size: int, anchor: int) -> np.ndarray:
    """Hashes of the chosen anchors, in order, (num_anchors) uint64; none of documents shorter than a window."""
    keys = np.empty(_room(texts), np.uint64)
    places = np.empty((2, 0), np.int64)
    return keys[: _choose(texts.data, texts.offsets, _BYTES, size, anchor, keys, places)]


def stretches(texts: TextBuffers, size: int, anchor: int, known: Recurrent) -> Stretches:
    """Where windows hold a chosen anchor that recurs."""
    num = _room(texts)
    keys, places = np.empty(num, np.uint64), np.empty((2, num), np.int64)
    num = _choose(texts.data, texts.offsets, _BYTES, size, anchor, keys, places)
    found = np.empty((3, num + 1 + int(texts.num_bytes.sum()) // MAX_STRETCH), np.int64)
    shift = shift_of(known.directory)
    num = _stretch(
        texts.offsets, keys[:num], places[:, :num], size, known.keys, known.directory, shift, found
    )
    return Stretches(*found[:, :num])


def _room(texts: TextBuffers) -> int:
    return int(texts.offsets[-1] - texts.offsets[0])


@njit(cache=True, nogil=True)
def _leaving(numbers, num_bytes):
    """What each byte is worth when it leaves a hash of so many bytes that the next byte has entered."""
    power = np.uint64(1)
    for _ in range(num_bytes):
        power *= _BASE
    return numbers * power


@njit(cache=True, nogil=True)
def _first_bytes(data, at, num_bytes, numbers):
    """Hash of so many bytes."""
    running = np.uint64(0)
    for i in range(at, at + num_bytes):
        running = running * _BASE + numbers[data[i]]
    return running


@njit(cache=True, nogil=True)
def _choose(data, offsets, numbers, size, anchor, keys, places):
    """Fill `keys` with the chosen anchors and, where there is room, `places` with their document and the first byte
    of the first window there that chose it; returns how many."""
    span, leaving, num = size - anchor, _leaving(numbers, anchor), 0
    ring = 1
    while ring <= span + 1:
        ring *= 2
    value, place = np.empty(ring, np.uint64), np.empty(ring, np.int64)
    for doc in range(len(offsets) - 1):
        base, end = offsets[doc], offsets[doc + 1]
        if end - base < size:
            continue
        running, tail = _first_bytes(data, base, anchor, numbers), 0
        smallest, where, is_new = np.uint64(0), np.int64(-1), False
        for at in range(base, end - anchor + 1):
            if at > base:
                running = running * _BASE + numbers[data[at + anchor - 1]] - leaving[data[at - 1]]
            if data[at] & 0xC0 != 0x80:
                key = stir(running)
                value[tail & (ring - 1)], place[tail & (ring - 1)] = key, at
                tail += 1
                if key <= smallest or where < 0:  # of equal ones the last
                    smallest, where, is_new = key, at, True
            first = at - span  # of the window that has just been seen whole
            if first < base or not _is_window(data, first, size, end):
                continue
            if where < first:
                smallest, where = _smallest(value, place, tail, first)
                is_new = True
            if is_new:
                keys[num] = smallest
                if places.shape[1]:
                    places[0, num], places[1, num] = doc, first - base
                num, is_new = num + 1, False
    return num


@njit(cache=True, nogil=True, inline="always")
def _is_window(data, at, size, end):
    """Whether the bytes from `at` on begin or end with a character, in a text that ends at `end`."""
    return data[at] & 0xC0 != 0x80 or at + size == end or data[at + size] & 0xC0 != 0x80


@njit(cache=True, nogil=True)
def _smallest(value, place, tail, first):
    """The smallest anchor that begins at `first` or later, the last of equal ones, and where it begins."""
    ring, at = len(value) - 1, tail - 1
    smallest, where = value[at & ring], place[at & ring]
    while at > 0 and place[(at - 1) & ring] >= first:
        at -= 1
        if value[at & ring] < smallest:
            smallest, where = value[at & ring], place[at & ring]
    return smallest, where


@njit(cache=True, nogil=True)
def _stretch(offsets, keys, places, size, known, directory, shift, found):
    """Fill `found` with runs of windows whose chosen anchor recurs; returns how many."""
    num = 0
    for entry in range(len(keys)):
        if find_key(known, directory, shift, keys[entry]) < 0:
            continue
        doc, first = places[0, entry], places[1, entry]
        if entry + 1 < len(keys) and places[0, entry + 1] == doc:
            end = places[1, entry + 1]
        else:
            end = offsets[doc + 1] - offsets[doc] - size + 1
        while first < end:
            part = min(end, first + MAX_STRETCH)
            if num and found[0, num - 1] == doc and found[2, num - 1] == first and (
                part - found[1, num - 1] <= MAX_STRETCH
            ):  # fmt: skip
                found[2, num - 1] = part
            else:
                found[0, num], found[1, num], found[2, num] = doc, first, part
                num += 1
            first = part
    return num


def window_keys(texts: TextBuffers, size: int, where: Stretches) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes (num_windows) uint64 of all windows in the stretches, their documents and first bytes, both int64."""
    num = int((where.end - where.first).sum())
    keys, places = np.empty(num, np.uint64), np.empty((2, num), np.int64)
    num = _hash_windows(texts.data, texts.offsets, _BYTES, size, *where, keys, places)
    return keys[:num], *places[:, :num]


@njit(cache=True, nogil=True)
def _hash_windows(data, offsets, numbers, size, doc, first, end, keys, places):
    leaving, num = _leaving(numbers, size), 0
    for stretch in range(len(doc)):
        base = offsets[doc[stretch]]
        running = _first_bytes(data, base + first[stretch], size, numbers)
        for at in range(base + first[stretch], base + end[stretch]):
            if _is_window(data, at, size, offsets[doc[stretch] + 1]):
                keys[num], places[0, num], places[1, num] = stir(running), doc[stretch], at - base
                num += 1
            if at + 1 < base + end[stretch]:
                running = running * _BASE + numbers[data[at + size]] - leaving[data[at]]
    return num


def repeated(
    texts: TextBuffers, size: int, where: Stretches, known: Recurrent, first_row: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What windows cover that are not the first of their kind: document, start and end of each run of bytes.

    A window that overlaps the first of its kind, as in a line of one repeated letter, covers only what lies behind it.

    Args:
        where: windows that may recur.
        known: windows that recur.
        first_row: row in the shard of the batch's first document.

    Returns:
        (num_runs) int64 each, at the boundaries of characters, sorted; those of one document do not touch.
    """
    runs = np.empty((3, int((where.end - where.first).sum())), np.int64)
    longest = int(texts.num_bytes.max()) if len(texts) else 0
    num = _cover(
        texts.data, texts.offsets, _BYTES, size, *where, known.keys, known.row, known.start, known.directory,
        shift_of(known.directory), first_row, np.zeros(longest + 1, np.int32), runs,
    )  # fmt: skip
    doc, start, end = runs[:, :num]
    return doc, start, end


@njit(cache=True, nogil=True)
def _cover(
    data, offsets, numbers, size, docs, firsts, ends, known, row, start, directory, shift, first_row, change, runs
):  # fmt: skip
    leaving, num, stretch = _leaving(numbers, size), 0, 0
    while stretch < len(docs):
        doc, lowest, highest = docs[stretch], np.int64(-1), np.int64(0)
        base, num_bytes = offsets[doc], offsets[doc + 1] - offsets[doc]
        while stretch < len(docs) and docs[stretch] == doc:
            running = _first_bytes(data, base + firsts[stretch], size, numbers)
            for at in range(firsts[stretch], ends[stretch]):
                if at > firsts[stretch]:
                    running = (
                        running * _BASE + numbers[data[base + at + size - 1]] - leaving[data[base + at - 1]]
                    )
                if not _is_window(data, base + at, size, base + num_bytes):
                    continue
                place = find_key(known, directory, shift, stir(running))
                own = place >= 0 and row[place] == first_row + doc
                if place < 0 or (own and start[place] == at):
                    continue
                begin = _boundary(data, base, num_bytes, at, 1)
                if own:
                    begin = max(begin, _boundary(data, base, num_bytes, np.int64(start[place]) + size, -1))
                end = _boundary(data, base, num_bytes, at + size, -1)
                if begin < end:
                    change[begin] += 1
                    change[end] -= 1
                    lowest = begin if lowest < 0 else min(lowest, begin)
                    highest = max(highest, end)
            stretch += 1
        if lowest >= 0:
            num = _runs(doc, lowest, highest, change, runs, num)
    return num


@njit(cache=True, nogil=True)
def _runs(doc, lowest, highest, change, runs, num):
    """Enter the runs of bytes that at least one window covers, and clear `change`; returns how many runs there are."""
    depth = 0
    for at in range(lowest, highest + 1):
        before = depth
        depth += change[at]
        change[at] = 0
        if depth and not before:
            runs[0, num], runs[1, num] = doc, at
        if before and not depth:
            runs[2, num] = at
            num += 1
    return num


@njit(cache=True, nogil=True)
def _boundary(data, base, num_bytes, at, step):
    """The boundary of characters at a byte of a document, or the next one in steps of 1 or -1."""
    while at < num_bytes and data[base + at] & 0xC0 == 0x80:
        at += step
    return at
