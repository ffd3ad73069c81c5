"""Edges: pairs of documents that share a key and are similar; of every group so connected, just enough to connect it.

A part of the keys is sorted; documents with one key are a bucket. Inside it each is compared with the bucket's first
and with the `WINDOW` before it, so that a bucket of 100,000 copies of one footer costs 3 million comparisons and not 5
billion, and a pair that is connected already is not compared at all: a part writes fewer edges than it has documents.
Sketches are fetched for documents in buckets of two and more only, shard by shard. Buckets are walked in the order of
the content: the result knows neither the order of the files nor the number of workers.

Leskovec, Rajaraman and Ullman, "Mining of massive datasets", chapter 3.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit

from chejil.curation import key_tables, shards
from chejil.curation.key_tables import by_shard, starts_of
from chejil.curation.side_tables import matrix_of
from chejil.curation.sketches import equal_lanes
from chejil.curation.stage import Tally, Unit
from chejil.errors import RunError

SCHEMA = pa.schema([("one", pa.uint32()), ("other", pa.uint32())])
"""Indices of documents over all shards, in the order of the shards' names."""

WINDOW = 32
"""Neighbours in a bucket that a document is compared with."""

MAX_DOCUMENTS = (1 << 32) - 1


def find_edges(unit: Unit) -> Tally:
    """Split: keys of all shards → work/<stage>/edges/part, the edges of this part's buckets."""
    assert unit.part is not None
    name = unit.stage.split("/")[0]
    measured = f"work/{name}/{unit.settings['measured']}"
    starts = starts_of(key_tables.sizes(unit, measured))
    if starts[-1] > MAX_DOCUMENTS:
        raise RunError(f"{starts[-1]:,} documents: more than 32 bits count", mend="split the recipe")
    urls = [unit.url(f"work/{name}/keys", shard) for shard in unit.shards]
    keys, docs = key_tables.read_part(urls, unit.part, starts[:-1])
    edges = edges_of(unit, measured, keys, docs, starts)
    table = pa.table({"one": edges[:, 0], "other": edges[:, 1]})
    file = shards.write_shard(unit.root, unit.path(f"work/{unit.stage}", unit.part.name), [table], SCHEMA)
    return Tally([file], {"edges": len(edges)})


def edges_of(unit: Unit, measured: str, keys: np.ndarray, docs: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Edges among documents by their sorted keys, (num_edges, 2) uint32."""
    same = keys[1:] == keys[:-1]
    shared = np.zeros(len(keys), bool)
    shared[1:] |= same
    shared[:-1] |= same
    keys, docs = keys[shared], docs[shared]
    candidates, place = np.unique(docs, return_inverse=True)
    names, sketches = _fetched(unit, measured, candidates, starts)
    order = np.lexsort((docs, names[place], keys))
    found = connected(keys[order], place[order], sketches, unit.settings["min_equal_lanes"])
    return candidates[found]


def _fetched(
    unit: Unit, measured: str, docs: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Names (num_docs) uint64 and sketches (num_docs, words) uint64 of sorted documents."""
    names = np.zeros(len(docs), np.uint64)
    sketches = np.zeros((len(docs), unit.settings["sketch_words"]), np.uint64)
    for number, here, rows in by_shard(docs, starts):
        first, at = 0, here.start
        for table in shards.row_groups(unit.url(measured, unit.shards[number]), ["name", "sketch"]):
            low, high = np.searchsorted(rows, [first, first + table.num_rows])
            inside, to = rows[low:high] - first, slice(at + low, at + high)
            names[to] = table["name"].to_numpy()[inside]
            sketches[to] = matrix_of(table["sketch"], np.uint64)[inside]
            first += table.num_rows
    return names, sketches


def connected(keys: np.ndarray, docs: np.ndarray, sketches: np.ndarray, min_equal_lanes: int) -> np.ndarray:
    """Edges of the buckets of equal keys, (num_edges, 2) indices into `sketches`; fewer than documents.

    Args:
        keys: (num_entries) uint64, equal ones together.
        docs: (num_entries) indices into `sketches`, (num_docs, words) uint64.
        min_equal_lanes: lanes that a pair must share.
    """
    edges = np.zeros((max(len(sketches) - 1, 0), 2), np.int64)
    num = _connect(keys, docs, sketches, min_equal_lanes, np.arange(len(sketches)), edges)
    return edges[:num]


@njit(cache=True, nogil=True)
def _connect(keys, docs, sketches, min_equal_lanes, parent, edges):
    start, num = 0, 0
    for here in range(1, len(keys)):
        if keys[here] != keys[here - 1]:
            start = here
            continue
        for there in range(max(start, here - WINDOW), here):
            num = _join(docs[there], docs[here], sketches, min_equal_lanes, parent, edges, num)
        num = _join(docs[start], docs[here], sketches, min_equal_lanes, parent, edges, num)
    return num


@njit(cache=True, nogil=True)
def _join(one, other, sketches, min_equal_lanes, parent, edges, num):
    """Join two documents where they are similar and not yet connected; returns the number of edges."""
    one_root, other_root = find_root(parent, one), find_root(parent, other)
    if one_root == other_root or equal_lanes(sketches[one], sketches[other]) < min_equal_lanes:
        return num
    parent[max(one_root, other_root)] = min(one_root, other_root)
    edges[num, 0], edges[num, 1] = min(one, other), max(one, other)
    return num + 1


@njit(cache=True, nogil=True)
def find_root(parent, node):
    """The node that stands for a group, by halving the paths to it."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node
