"""Keys that recur across a corpus: counted by shard, added up by range, handed back to the shards that have them.

    counts      map     `CountWriter`: a row a key and run: how often it stands there, and where first
    recurrent   split   `find_recurrent`: keys that all shards together have more than `limit` times
    edits       map     `Recurrent.of`: those that this very shard has

A shard counts for itself before it writes, so the line that stands in every document of two billion is one row a shard
and not two billion: no range of keys can be too large for memory because one key in it is frequent. Nor does a shard
read what recurs elsewhere: it holds 28 bytes for each of its own distinct keys that recur, whatever the corpus holds.
A split holds 8 million rows of about 40 bytes, a map one run of 4 million keys of 16.

The first occurrence is that in the document whose id has the smallest hash, and there the first: an arbitrary order,
but one that neither the order of the files nor their cutting into shards nor documents that are added between change,
if ids are unique. Of documents with equal ids that in the first shard, by name, is first, and there the first row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit

from chejil.curation import shards
from chejil.curation.dedup.choices import shard_hash
from chejil.curation.dedup.hash_order import sorted_order
from chejil.curation.dedup.key_tables import RunWriter
from chejil.curation.dedup.shingles import content_hashes
from chejil.curation.stage import Tally, Unit
from chejil.filters.buffers import TextBuffers

COUNTED = pa.schema([("key", pa.uint64()), ("count", pa.int32())])
"""Keys that nobody asks the first occurrence of."""

PLACED = pa.schema([*COUNTED, ("order", pa.uint64()), ("row", pa.int32()), ("start", pa.int32())])
"""With the first occurrence: `order` is that of its document, `start` its byte there."""

RECURRENT = pa.schema([("shard", pa.uint64()), *COUNTED, ("row", pa.int32()), ("start", pa.int32())])
"""A row a shard and key; `count` is that of all shards, `row` and `start` are the first occurrence if it lies in this
shard, else -1."""

_MOST = (1 << 31) - 1


class CountWriter(RunWriter):
    """Writes a shard's keys with their counts in sorted runs; a context manager. `record` is there when it has ended.

    Args:
        unit: of a map stage.
        folder: where the file goes.
        placed: the first occurrence is written too.
        by_document: a key counts once a document.
    """

    def __init__(self, unit: Unit, folder: str, placed: bool, by_document: bool) -> None:
        super().__init__(unit, folder, PLACED if placed else COUNTED)
        self._by_document = by_document
        self._orders = [np.zeros(0, np.uint64)]
        self._clear()

    def _clear(self) -> None:
        self._keys, self._rows = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)]
        self._starts = [np.zeros(0, np.int32)]

    def documents(self, ids: pa.ChunkedArray) -> None:
        """The ids of the next documents; before their keys."""
        if self._schema is PLACED:
            self._orders.append(orders(ids))

    def add(self, keys: np.ndarray, rows: np.ndarray, starts: np.ndarray) -> None:
        """Keys (num) uint64, the documents' rows in the shard and places in bytes, both (num), sorted.

        All of a document's keys come in one call, if they count once a document."""
        self._keys.append(keys)
        self._rows.append(rows.astype(np.int32))
        self._starts.append(starts.astype(np.int32))
        self._added(len(keys))

    def _write_run(self) -> None:
        keys, rows = np.concatenate(self._keys), np.concatenate(self._rows)
        starts, orders = np.concatenate(self._starts), np.concatenate(self._orders)
        self._orders = [orders]
        if self._schema is COUNTED:
            orders = np.zeros(int(rows.max(initial=0)) + 1, np.uint64)
        self._clear()
        by_key = sorted_order(keys)
        num, first, count = _count(keys, rows, orders, by_key, self._by_document)
        first, count = first[:num], count[:num]
        row = rows[first]
        columns = {
            "key": keys[first],
            "count": count,
            "order": orders[row],
            "row": row,
            "start": starts[first],
        }
        self._writer.write(pa.table({name: columns[name] for name in self._schema.names}))


@njit(cache=True, nogil=True)
def _count(keys, rows, orders, by_key, by_document):
    """Entries that are the first of their key, and the key's count; returns how many keys there are."""
    first, count = np.empty(len(keys), np.int64), np.empty(len(keys), np.int32)
    num = 0
    for place in range(len(by_key)):
        entry = by_key[place]
        if not place or keys[entry] != keys[by_key[place - 1]]:
            first[num], count[num] = entry, 1
            num += 1
            continue
        # Entries of one key come in the order of rows and places.
        count[num - 1] += not by_document or rows[entry] != rows[by_key[place - 1]]
        if orders[rows[entry]] < orders[rows[first[num - 1]]]:
            first[num - 1] = entry
    return num, first, count


def orders(ids: pa.ChunkedArray) -> np.ndarray:
    """The place of documents in the order of all: a hash of their ids, (num_docs) uint64."""
    return content_hashes(TextBuffers.of(ids))[:, 0]


def find_recurrent(unit: Unit) -> Tally:
    """Split: counts of all shards in `settings["counts"]` → work/<stage>/part, keys with more than
    `settings["limit"]`, by shard."""
    assert unit.part is not None
    table = pa.concat_tables(list(_in_part(unit, unit.settings["counts"])))
    shard = table["shard"].to_numpy()
    keys, counts = table["key"].to_numpy(), table["count"].to_numpy()
    order, row, start = _places(table)
    by_key = sorted_order(keys)  # of one key, shards in their order
    limit = unit.settings["limit"]
    total, found, count, row, start = _recurrent(keys, counts, shard, order, row, start, by_key, limit)
    hashes = np.array([shard_hash(name) for name in unit.shards], np.uint64)
    own = hashes[shard[found]]
    by_shard = np.lexsort((keys[found], own))
    columns = {"shard": own, "key": keys[found], "count": count, "row": row, "start": start}
    answer = pa.table({name: column[by_shard] for name, column in columns.items()})
    path = unit.path(f"work/{unit.stage}", unit.part.name)
    return Tally(
        [shards.write_shard(unit.root, path, [answer], RECURRENT, key="shard")], {"recurrent": total}
    )


def _places(table: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First occurrences: orders, rows and places; where none were asked for, one that is nowhere."""
    if "order" in table.column_names:
        return table["order"].to_numpy(), table["row"].to_numpy(), table["start"].to_numpy()
    num = table.num_rows
    return np.zeros(num, np.uint64), np.full(num, -1, np.int32), np.full(num, -1, np.int32)


def _in_part(unit: Unit, folder: str) -> Iterator[pa.Table]:
    assert unit.part is not None
    for number, shard in enumerate(unit.shards):
        table = shards.rows_between(unit.url(f"work/{folder}", shard), "key", *unit.part.bounds)
        yield table.append_column("shard", pa.repeat(pa.scalar(number, pa.int32()), len(table)))


@njit(cache=True, nogil=True)
def _recurrent(keys, counts, shard, order, row, start, by_key, limit):
    """How many keys recur; one entry a shard and key, with the key's count, and its first occurrence there or -1."""
    found, every = np.empty(len(keys), np.int64), np.empty(len(keys), np.int32)
    first_row, first_start = np.empty(len(keys), np.int32), np.empty(len(keys), np.int32)
    begin, num, total = 0, 0, 0
    while begin < len(by_key):
        end, count, best = begin, np.int64(0), by_key[begin]
        while end < len(by_key) and keys[by_key[end]] == keys[best]:
            entry = by_key[end]
            count += counts[entry]
            if order[entry] < order[best]:
                best = entry
            end += 1
        if count > limit:
            total += 1
            for place in range(begin, end):
                entry = by_key[place]
                if place > begin and shard[entry] == shard[by_key[place - 1]]:
                    continue
                here = shard[entry] == shard[best]
                found[num], every[num] = entry, min(count, _MOST)
                first_row[num] = row[best] if here else -1
                first_start[num] = start[best] if here else -1
                num += 1
        begin = end
    return total, found[:num], every[:num], first_row[:num], first_start[:num]


@dataclass(frozen=True)
class Recurrent:
    """Keys of one shard that recur: `keys` (num) uint64, sorted, `count` (num) int32 over all shards, `row` and `start`
    (num) int32 of the first occurrence or -1, and `directory`, where the keys of each range of leading bits begin."""

    keys: np.ndarray
    count: np.ndarray
    row: np.ndarray
    start: np.ndarray
    directory: np.ndarray

    @classmethod
    def of(cls, unit: Unit, stage: str) -> Recurrent:
        """What a split stage found for a map's shard."""
        own = shard_hash(unit.shard)
        tables = [shards.rows_between(url, "shard", own, own) for url in unit.part_urls(stage)]
        table = pa.concat_tables(tables)  # parts are ranges of keys, so they come sorted
        return cls.at(*(table[name].to_numpy() for name in ("key", "count", "row", "start")))

    @classmethod
    def at(cls, keys: np.ndarray, count: np.ndarray, row: np.ndarray, start: np.ndarray) -> Recurrent:
        """With its directory, of about as many ranges as there are keys."""
        bits = max(1, len(keys).bit_length())
        ranges = np.arange((1 << bits) + 1, dtype=np.uint64) << np.uint64(64 - bits)
        directory = np.searchsorted(keys, ranges[:-1]).astype(np.int64)
        return cls(keys, count, row, start, np.append(directory, len(keys)))


@njit(cache=True, nogil=True)
def find_key(keys, directory, shift, key):
    """Index of a key, or -1; `shift` is `shift_of(directory)`."""
    bucket = np.int64(key >> shift)
    for place in range(directory[bucket], directory[bucket + 1]):
        if keys[place] == key:
            return place
    return np.int64(-1)


def shift_of(directory: np.ndarray) -> np.uint64:
    """Bits of a key that follow those which number its range."""
    return np.uint64(65 - len(directory).bit_length())
