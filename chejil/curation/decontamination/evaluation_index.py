"""The index of evaluation texts: which short sequences of tokens lead to which item, as a hash table.

An item is the tokens of its fields one after the other. A **seed** is a sequence of tokens of one field: short ones
(5 tokens where the last is a syllable, 3 where it is a word) for fields that weigh less than 16, long ones (7 and 4)
for the others. A seed that stands in more than two different fields tells nothing and is left out, unless a field has
nothing rarer. A seed only says where to look; what decides is the alignment with the item's own tokens, so a collision
of hashes costs time and nothing else.

Memory, measured on 68,438 items of KoBEST (with its training split), KLUE, KorNLU and the English sets: 72 MB once a
process, 1.1 kB an item. Built in 2 to 6 seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from chejil.curation.decontamination.match_tokens import WORD, Tokens, tokens_of
from chejil.filters.buffers import TextBuffers

SHORT, LONG = 0, 1
SEED_TOKENS = np.array([[5, 3], [7, 4]], np.int64)
"""Tokens of a short and of a long seed that ends with a syllable, and with a word."""

LEAST_WEIGHT = 6
"""What weighs less is nothing that could be told from chance."""

LONG_WEIGHT = 16
_STRIDE_WEIGHT, _MAX_STRIDE = (
    16,
    5,
)  # of a field so heavy every second seed, of one twice as heavy every third …
_RUN_SHARES, _MAX_RUN = (0.5, 0.4), 10  # of a field's weight, short and long
_MAX_FIELDS = 2  # that a seed may stand in
_LEAST_SEEDS = 2  # that a field keeps, however common they are
_MAX_ITEMS = 8  # that are looked at for one seed and one text: items may share a passage

BASE = np.uint64(0x9E3779B97F4A7C15)
_SALT = np.array([0x165667B19E3779F9, 0xC2B2AE3D27D4EB4F], np.uint64)
POWERS = np.array([pow(int(BASE), n, 1 << 64) for n in range(int(SEED_TOKENS.max()) + 1)], np.uint64)


@dataclass(frozen=True, slots=True)
class EvaluationIndex:
    """Items as tokens, and seeds that lead to them; equally named arrays are equally long.

    Args:
        tokens, weights: of all items, (num_tokens) uint32 and int8; item `i` has those from `item_starts[i]` to
            `item_starts[i + 1]`.
        field_starts: first token of every field, and the number of tokens; item `i` has the fields from
            `item_fields[i]` to `item_fields[i + 1]`.
        bits: a filter, (a power of two) uint64: two bits of one word are set for the last tokens of every seed, as
            many as a short one has, so that one look answers for both kinds.
        keys, values: open addressing; `values` is the seed's number.
        postings: seed `s` leads to `items[k]`, where it ends with token `places[k]`, for k in
            `postings[s]:postings[s + 1]`.
        runs: weight that must be alike in one run around such a place, before an alignment is tried.
    """

    tokens: np.ndarray
    weights: np.ndarray
    item_starts: np.ndarray
    item_fields: np.ndarray
    field_starts: np.ndarray
    bits: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    postings: np.ndarray
    items: np.ndarray
    places: np.ndarray
    runs: np.ndarray

    @property
    def num_bytes(self) -> int:
        """Memory of the arrays."""
        return sum(getattr(self, name).nbytes for name in self.__slots__)

    @property
    def item_weights(self) -> np.ndarray:
        """Weight of each item, (num_items) int64."""
        return _added(self.weights, self.item_starts)


def build(items: Sequence[Sequence[str]]) -> EvaluationIndex:
    """The index of items, each the texts of its fields; a field without a token is none."""
    texts = [text for fields in items for text in fields]
    found = tokens_of(TextBuffers.of(texts))
    item_fields = np.concatenate([[0], np.cumsum([len(fields) for fields in items])]).astype(np.int64)
    weights = _added(found.weights, found.starts)
    seeds = _chosen(found, weights, np.repeat(np.arange(len(items)), np.diff(item_fields)))
    hashes, first, counts = np.unique(seeds[0], return_index=True, return_counts=True)
    room = 1 << max(6, int(1.4 * len(hashes)).bit_length())
    keys, values, bits = np.zeros(room, np.uint64), np.zeros(room, np.int32), np.zeros(room // 8, np.uint64)
    enter(hashes, seeds[4], keys, values, bits)
    postings = np.concatenate([first, [first[-1] + counts[-1] if len(first) else 0]]).astype(np.int64)
    return EvaluationIndex(
        found.tokens, found.weights, found.starts[item_fields], item_fields, found.starts, bits, keys, values,
        postings, seeds[1].astype(np.int32), seeds[2].astype(np.int64),
        _runs(weights[seeds[3]]),
    )  # fmt: skip


def _runs(weights: np.ndarray) -> np.ndarray:
    """What must be alike around a seed of a field of that weight: what one changed word in its middle leaves."""
    share = np.where(weights >= LONG_WEIGHT, _RUN_SHARES[LONG], _RUN_SHARES[SHORT])
    return np.minimum(_MAX_RUN, np.ceil(weights * share)).astype(np.int8)


def _added(weights: np.ndarray, starts: np.ndarray) -> np.ndarray:
    sums = np.concatenate([[0], np.cumsum(weights, dtype=np.int64)])
    return sums[starts[1:]] - sums[starts[:-1]]


def _chosen(found: Tokens, weights: np.ndarray, item_of: np.ndarray) -> tuple[np.ndarray, ...]:
    """Hash, item, last token, field and lead of each seed that is kept, sorted by hash."""
    room = len(found.tokens)
    hashes, leads = np.empty(room, np.uint64), np.empty(room, np.uint64)
    fields, places = np.empty(room, np.int64), np.empty(room, np.int64)
    num = seeds_of(found.tokens, found.starts, weights, hashes, leads, fields, places)
    hashes, leads, fields, places = hashes[:num], leads[:num], fields[:num], places[:num]
    content = _contents(found)[fields]
    common = _num_distinct(hashes, content)
    order = np.lexsort((places, common, fields))
    rank = _rank_in_group(fields[order])
    kept = np.zeros(num, bool)
    kept[order] = rank < _LEAST_SEEDS
    kept |= common <= _MAX_FIELDS
    kept = np.flatnonzero(kept)
    order = kept[np.lexsort((places[kept], content[kept], hashes[kept]))]
    pair = np.stack([hashes[order], content[order].astype(np.uint64)])
    is_new = np.concatenate([[True], (pair[:, 1:] != pair[:, :-1]).any(axis=0)])[: len(order)]
    first = np.maximum.accumulate(np.where(is_new, np.arange(len(order)), 0))
    order = order[np.arange(len(order)) - first < _MAX_ITEMS]
    return hashes[order], item_of[fields[order]], places[order], fields[order], leads[order]


def _contents(found: Tokens) -> np.ndarray:
    """A number for each field, equal for equal tokens."""
    numbers: dict[bytes, int] = {}
    bounds = zip(found.starts[:-1].tolist(), found.starts[1:].tolist(), strict=True)
    return np.array(
        [numbers.setdefault(found.tokens[a:b].tobytes(), len(numbers)) for a, b in bounds], np.int64
    )


def _num_distinct(hashes: np.ndarray, content: np.ndarray) -> np.ndarray:
    """In how many different texts each hash stands, (num_seeds) int64."""
    if not len(hashes):
        return np.zeros(0, np.int64)
    _, number = np.unique(hashes, return_inverse=True)
    pairs = np.unique(number * (content.max() + 1) + content)
    return np.bincount(pairs // (content.max() + 1))[number]


def _rank_in_group(sorted_group: np.ndarray) -> np.ndarray:
    first = np.searchsorted(sorted_group, sorted_group)
    return np.arange(len(sorted_group)) - first


@njit(cache=True, nogil=True)
def seeds_of(tokens, starts, weights, hashes, leads, fields, places):
    """The seeds of every field that weighs enough: hash, that of its last tokens as a short
    seed, field, index of the last token; returns their number."""
    num = np.int64(0)
    for field in range(len(starts) - 1):
        start, end = starts[field], starts[field + 1]
        if weights[field] < LEAST_WEIGHT:
            continue
        kind = LONG if weights[field] >= LONG_WEIGHT else SHORT
        stride = min(_MAX_STRIDE, 1 + weights[field] // _STRIDE_WEIGHT)
        for last in range(start, end):
            length = SEED_TOKENS[kind, 1 if tokens[last] & WORD else 0]
            if last - start + 1 < length or (last - start + 1 - length) % stride:
                continue
            short = SEED_TOKENS[SHORT, 1 if tokens[last] & WORD else 0]
            hashes[num] = stirred(_rolled(tokens, last, length), kind)
            leads[num] = stirred(_rolled(tokens, last, short), SHORT)
            fields[num], places[num] = field, last
            num += 1
    return num


@njit(cache=True, nogil=True)
def _rolled(tokens, last, length):
    value = np.uint64(0)
    for at in range(last - length + 1, last + 1):
        value = value * BASE + np.uint64(tokens[at])
    return value


@njit(cache=True, nogil=True, inline="always")
def stirred(value, kind):
    """The hash of a seed, never 0; a short and a long one of the same tokens differ."""
    value = (value ^ (value >> np.uint64(32))) * _SALT[kind]
    return value ^ (value >> np.uint64(29)) | np.uint64(1)


@njit(cache=True, nogil=True, inline="always")
def two_bits(value):
    """The bits of the filter that a hash sets in its word."""
    one = np.uint64(1)
    return one << (value >> np.uint64(52) & np.uint64(63)) | one << (value >> np.uint64(58))


@njit(cache=True, nogil=True)
def enter(hashes, leads, keys, values, bits):
    """Enter the hashes, each once, with their numbers, and the leads; tables have a power of two of places."""
    for lead in leads:
        bits[np.int64(lead >> np.uint64(8)) & (len(bits) - 1)] |= two_bits(lead)
    for number in range(len(hashes)):
        value = hashes[number]
        slot = np.int64(value >> np.uint64(20)) & (len(keys) - 1)
        while keys[slot] != 0:
            slot = (slot + 1) & (len(keys) - 1)
        keys[slot], values[slot] = value, number


@njit(cache=True, nogil=True, inline="always")
def number_of(value, keys, values):
    """The number of a seed, or -1."""
    slot = np.int64(value >> np.uint64(20)) & (len(keys) - 1)
    while keys[slot] != 0:
        if keys[slot] == value:
            return np.int64(values[slot])
        slot = (slot + 1) & (len(keys) - 1)
    return np.int64(-1)
