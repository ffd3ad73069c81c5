"""Finds items of an evaluation index in documents: seeds by rolling hashes, then an alignment of tokens.

One pass a document: its tokens, a hash of the last few of them, two bits in a filter. Where a seed is met, the
item is laid beside the document and followed in both directions; at a difference (a changed word, a particle, a label
between premise and alternative) the nearest place is looked for where both go on alike. What comes out is evidence:
how much of the item and of its best covered field stands there, where, and how much else stands on those lines.
Nothing here decides. What it costs is measured in docs/decontamination.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from chejil.curation.decontamination.evaluation_index import (
    BASE,
    LEAST_WEIGHT,
    LONG,
    POWERS,
    SEED_TOKENS,
    SHORT,
    EvaluationIndex,
    number_of,
    stirred,
    two_bits,
)
from chejil.curation.decontamination.match_tokens import WORD, match_characters, tokenise
from chejil.filters.buffers import TextBuffers

SKIP = 16
"""Tokens that an alignment may leave out at one place, on either side."""

CREDIT = 6
"""Tokens that may be left out beside a bare seed."""

_ROOM = 1 << 16  # rows of the table that is tried first
MANY = 99
"""More foreign weight beside a match than anyone asks about."""

COLUMNS = (
    "doc", "item", "start", "end", "covered", "field", "field_covered", "field_weight", "fields_found", "between",
    "beside",
)  # fmt: skip
"""One match: the document; the item; bytes; weight that stands there of the item, and of its best covered field,
which weighs `field_weight`; fields of which a half stands there; weight of foreign words within the match, and on its
lines beside it. Of foreign words each weighs 2: a label is as foreign as any other."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Matches of a batch in the order of documents and places, (num_matches, len(COLUMNS)) int64."""

    table: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.table[:, COLUMNS.index(name)]


def matches(texts: TextBuffers, index: EvaluationIndex) -> Matches:
    """Every item of which a half, or half a field, stands in a document, with its evidence."""
    longest = int(texts.num_bytes.max(initial=0)) // 2 + 2
    tokens, begins, ends = (
        np.empty(longest, np.uint32),
        np.empty(longest, np.int32),
        np.empty(longest, np.int32),
    )
    size = int(np.diff(index.item_starts).max(initial=0))
    state = (
        np.zeros(max(1, size), np.uint8),
        np.full((len(index.item_starts), 2), -1, np.int64),
        np.zeros(len(COLUMNS), np.int64),
    )
    room = _ROOM
    while True:
        out = np.zeros((room, len(COLUMNS)), np.int64)
        state[1][:] = -1
        num = find(
            texts.data, texts.offsets, match_characters(), (tokens, begins, ends),
            (index.bits, index.keys, index.values, index.postings, index.items, index.places, index.runs),
            (index.tokens, index.weights, index.item_starts, index.item_fields, index.field_starts), state, out,
        )  # fmt: skip
        if num <= room:
            return Matches(out[:num])
        room = num


@njit(cache=True, nogil=True)
def find(data, offsets, table, buffers, seeds, items, state, out):
    """Write the matches of every document to `out` as far as there is room; returns how many there are."""
    tokens, begins, ends = buffers
    bits, keys, values = seeds[0], seeds[1], seeds[2]
    num, mask = np.int64(0), len(bits) - 1
    sums = np.zeros(16, np.uint64)
    for doc in range(len(offsets) - 1):
        size = tokenise(data, offsets[doc], offsets[doc + 1], table, tokens, begins, ends, np.int64(0))
        total = np.uint64(0)
        sums[0] = total
        for last in range(size):
            total = total * BASE + np.uint64(tokens[last])
            sums[(last + 1) & 15] = total
            is_word = 1 if tokens[last] & WORD else 0
            length = SEED_TOKENS[SHORT, is_word]
            if length > last + 1:
                continue
            value = stirred(total - sums[(last + 1 - length) & 15] * POWERS[length], SHORT)
            wanted = two_bits(value)
            if bits[np.int64(value >> np.uint64(8)) & mask] & wanted != wanted:
                continue
            for kind in (SHORT, LONG):
                if kind == LONG:
                    length = SEED_TOKENS[LONG, is_word]
                    if length > last + 1:
                        continue
                    value = stirred(total - sums[(last + 1 - length) & 15] * POWERS[length], LONG)
                seed = number_of(value, keys, values)
                if seed >= 0:
                    num = _follow(
                        data, offsets[doc], doc, size, last, seed, buffers, seeds, items, state, out, num
                    )
    return num


@njit(cache=True, nogil=True)
def _follow(data, base, doc, size, last, seed, buffers, seeds, items, state, out, num):
    """Align every item that a seed leads to; one that was aligned over this place already is passed by."""
    postings, numbers, places = seeds[3], seeds[4], seeds[5]
    seen, row = state[1], state[2]
    for posting in range(postings[seed], postings[seed + 1]):
        item = numbers[posting]
        if seen[item, 0] == doc and seen[item, 1] > last:
            continue
        if not _is_alike(buffers[0], size, last, items, item, places[posting], seeds[6][posting]):
            continue
        first, behind = aligned(buffers[0], size, last, items, item, places[posting], state[0])
        seen[item, 0], seen[item, 1] = doc, behind
        row[4:] = 0
        if first < behind and weigh(items, item, state[0], row):
            row[0], row[1], row[2], row[3] = doc, item, buffers[1][first], buffers[2][behind - 1]
            row[9] = _weight(buffers[0], first, behind) - row[9]
            row[10] = beside(data, base, buffers, size, first, behind)
            if num < len(out):
                out[num] = row
            num += 1
    return num


@njit(cache=True, nogil=True)
def _is_alike(doc, size, last, items, item, place, wanted):
    """True if the run of equal tokens around a seed weighs as much as is wanted: most seeds are met by chance."""
    tokens, weights, item_starts = items[0], items[1], items[2]
    at, here = last, place
    while wanted > 0 and at >= 0 and here >= item_starts[item] and doc[at] == tokens[here]:
        wanted -= weights[here]
        at, here = at - 1, here - 1
    at, here = last + 1, place + 1
    while wanted > 0 and at < size and here < item_starts[item + 1] and doc[at] == tokens[here]:
        wanted -= weights[here]
        at, here = at + 1, here + 1
    return wanted <= 0


@njit(cache=True, nogil=True)
def aligned(doc, size, last, items, item, place, covered):
    """Lay an item beside a document whose token `last` is the item's token `place`.

    Sets `covered` (tokens of the item) to 1 where the document has them; returns the first token of the document
    that is covered and the one behind the last; equal ones if the seed was a collision.
    """
    tokens, weights, start, end = items[0], items[1], items[2][item], items[2][item + 1]
    covered[: end - start] = 0
    if doc[last] != tokens[place]:
        return last, last
    first = _extend(doc, last, np.int64(-1), tokens, weights, place, start - 1, -1, covered, start)
    behind = last
    if last + 1 < size and place + 1 < end:
        behind = _extend(doc, last + 1, size, tokens, weights, place + 1, end, 1, covered, start)
        behind = max(behind, last)
    return first, behind + 1


@njit(cache=True, nogil=True)
def _extend(doc, at, stop, tokens, weights, place, place_stop, step, covered, start):
    """Go on in one direction as long as both are alike, over gaps; returns the document's last covered token.

    What is alike earns the credit that gaps are paid from, so that an alignment does not wander on by chance; a gap
    that what follows does not earn back, at half a weight a token, is not crossed in the end.
    """
    reached, kept, credit = at - step, place - step, CREDIT
    score = best = 0
    while at != stop and place != place_stop:
        if doc[at] == tokens[place]:
            covered[place - start] = 1
            score, credit = score + 2 * weights[place], min(SKIP, credit + weights[place])
            if score >= best:
                best, reached, kept = score, at, place
            at, place = at + step, place + step
            continue
        a, b = _gap(doc, at, stop, tokens, weights, place, place_stop, step, credit)
        if a < 0:
            break
        score, credit = score - max(a, b), credit - max(a, b)
        at, place = at + a * step, place + b * step
    while place != kept:
        if place != place_stop:
            covered[place - start] = 0
        place -= step
    return reached


@njit(cache=True, nogil=True)
def _gap(doc, at, stop, tokens, weights, place, place_stop, step, most):
    """How many tokens to leave out of the document and of the item until both go on alike; (-1, -1) if they do not.

    The wider the gap, at most `most` tokens on either side, the more weight behind it must be alike, or all that is
    left of the item.
    """
    left, item_left = (stop - at) * step, (place_stop - place) * step
    for skipped in range(1, 2 * most + 1):
        for a in range(max(0, skipped - most), min(skipped, most) + 1):
            b = skipped - a
            if a >= left or b >= item_left or doc[at + a * step] != tokens[place + b * step]:
                continue
            alike, same = 0, 0
            while (
                same < min(left - a, item_left - b)
                and doc[at + (a + same) * step] == tokens[place + (b + same) * step]
            ):
                alike += weights[place + (b + same) * step]
                same += 1
                if alike >= 2 + skipped // 2:
                    return a, b
            if same == item_left - b and skipped <= 4:
                return a, b
    return -1, -1


@njit(cache=True, nogil=True)
def weigh(items, item, covered, row):
    """Fill the evidence of a match into `row`; False where it is too little to be written down."""
    tokens, weights, item_starts, item_fields, field_starts = items
    start, all_covered, whole = item_starts[item], 0, 0
    for field in range(item_fields[item], item_fields[item + 1]):
        have, weight = 0, 0
        for at in range(field_starts[field], field_starts[field + 1]):
            weight += weights[at]
            have += weights[at] * covered[at - start]
            row[9] += (2 if tokens[at] & WORD else 1) * covered[at - start]
        all_covered += have
        whole += weight
        row[8] += weight > 0 and 2 * have >= weight
        if have > row[6]:
            row[5], row[6], row[7] = field - item_fields[item], have, weight
    row[4] = all_covered
    return row[6] >= LEAST_WEIGHT and (2 * row[6] >= row[7] or 2 * all_covered >= whole)


@njit(cache=True, nogil=True)
def _weight(tokens, first, behind):
    weight = 0
    for at in range(first, behind):
        weight += 2 if tokens[at] & WORD else 1
    return weight


@njit(cache=True, nogil=True)
def beside(data, base, buffers, size, first, behind):
    """Weight of what stands on the lines (or cells) of a match before and behind it, at most MANY."""
    tokens, begins, ends = buffers
    start, end = first, behind
    while (
        start > 0 and first - start < MANY and not _parted(data, base + ends[start - 1], base + begins[start])
    ):
        start -= 1
    while end < size and end - behind < MANY and not _parted(data, base + ends[end - 1], base + begins[end]):
        end += 1
    return min(MANY, _weight(tokens, start, first) + _weight(tokens, behind, end))


@njit(cache=True, nogil=True)
def _parted(data, start, end):
    """True if a new line or cell begins between two tokens: line break, tab, `|`, or the quotes of JSON and CSV.

    Prose has a space beside one of comma and quote; CSV and JSON that is written tightly have none.
    """
    quotes, marks = 0, 0
    for at in range(start, end):
        byte = data[at]
        if byte == 10 or byte == 13 or byte == 9 or byte == 124:
            return True
        quotes += byte == 34
        marks += byte == 58 or byte == 44 or byte == 91 or byte == 93 or byte == 123 or byte == 125
        is_pair = at > start and data[at - 1] + byte == 34 + 44 and data[at - 1] != byte
        if is_pair and (byte == 34 or byte == 44) and data[at + 1] != 32:
            return True
    return marks > 0 and quotes > 1
