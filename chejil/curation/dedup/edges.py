"""Edges: pairs of documents that share a key and are similar; of every group so connected, just enough to connect it.

A part of the keys is sorted; documents with one key are a bucket. Inside it each is compared with the bucket's first
and with the `WINDOW` before it, so that a bucket of 100,000 copies of one footer costs 3 million comparisons and not 5
billion, and a pair that is connected already is not compared at all: a part writes fewer edges than it has documents.
Sketches are fetched for documents in buckets of two and more only, shard by shard. Buckets are walked in the order of
the content: the result knows neither the order of the files nor the number of workers.

Leskovec, Rajaraman and Ullman, "Mining of massive datasets", chapter 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

from chejil.curation import shards
from chejil.curation.dedup.index import Index
from chejil.curation.dedup.sketches import equal_lanes
from chejil.curation.stage import Tally, Unit

SCHEMA = pa.schema([("one", pa.uint32()), ("other", pa.uint32())])
"""Indices of documents over all shards, in the order of the shards' names."""

WINDOW = 32
"""Neighbours in a bucket that a document is compared with."""


def find_edges(unit: Unit) -> Tally:
    """Split: keys of all shards → work/<stage>/edges/part, the edges of this part's buckets."""
    assert unit.part is not None
    index = Index.of(unit)
    edges = edges_of(index, *index.part(unit.part), unit.settings)
    table = pa.table({"one": edges[:, 0], "other": edges[:, 1]})
    file = shards.write_shard(unit.root, unit.path(f"work/{unit.stage}", unit.part.name), [table], SCHEMA)
    return Tally([file], {"edges": len(edges)})


def edges_of(index: Index, keys: np.ndarray, docs: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """Edges among documents by their sorted keys, (num_edges, 2) uint32."""
    same = keys[1:] == keys[:-1]
    shared = np.zeros(len(keys), bool)
    shared[1:] |= same
    shared[:-1] |= same
    keys, docs = keys[shared], docs[shared]
    candidates, place = np.unique(docs, return_inverse=True)
    names, sketches = index.measured(candidates, settings["sketch_words"])
    order = np.lexsort((docs, names[place], keys))
    num_own = int(np.searchsorted(candidates, index.num_own))
    found = connected(keys[order], place[order], sketches, settings["min_equal_lanes"], num_own)
    return candidates[found]


def connected(
    keys: np.ndarray, docs: np.ndarray, sketches: np.ndarray, min_equal_lanes: int, num_own: int | None = None
) -> np.ndarray:
    """Edges of the buckets of equal keys, (num_edges, 2) indices into `sketches`; fewer than documents.

    Args:
        keys: (num_entries) uint64, equal ones together.
        docs: (num_entries) indices into `sketches`, (num_docs, words) uint64.
        min_equal_lanes: lanes that a pair must share.
        num_own: documents from this one on are of earlier runs, and not compared with one another.
    """
    num_own = len(sketches) if num_own is None else num_own
    edges = np.zeros((max(len(sketches) - 1, 0), 2), np.int64)
    num = _connect(keys, docs, sketches, min_equal_lanes, num_own, np.arange(len(sketches)), edges)
    return edges[:num]


@njit(cache=True, nogil=True)
def _connect(keys, docs, sketches, min_equal_lanes, num_own, parent, edges):
    start, num = 0, 0
    for here in range(1, len(keys)):
        if keys[here] != keys[here - 1]:
            start = here
            continue
        for there in range(max(start, here - WINDOW), here):
            if docs[there] < num_own or docs[here] < num_own:
                num = _join(docs[there], docs[here], sketches, min_equal_lanes, parent, edges, num)
        if docs[start] < num_own or docs[here] < num_own:
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
