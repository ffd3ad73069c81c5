"""Clusters: edges of all parts → which documents are connected, by union-find over integers.

What all documents together cost is 5 bytes each, whether they have duplicates or not: the parent of every one, and
whether it has an edge. A document that has duplicates costs about 40 more while clusters are named and written: of
10 million documents of which a third have some 190 MB, of two billion 37 GB.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numba import njit

from chejil.curation import shards
from chejil.curation.dedup.edges import find_root
from chejil.curation.dedup.hash_mixing import GOLDEN
from chejil.curation.dedup.index import Index
from chejil.curation.side_tables import fixed_bytes
from chejil.curation.stage import Tally, Unit

SCHEMA = pa.schema([("row", pa.int32()), ("cluster", pa.uint64()), ("cluster_size", pa.int32())])
"""A row a document that shares its cluster with another."""

EARLIER = "earlier"
"""Name of the file with the members that earlier runs have; shards have a folder before theirs."""


def find_clusters(unit: Unit) -> Tally:
    """Gather: edges of all parts → work/<stage>/clusters/, the clustered documents of each shard, and those of earlier
    runs in one file."""
    index, words = Index.of(unit), unit.settings["sketch_words"]
    docs, roots = joined(int(index.starts[-1]), _edges(unit, f"{unit.stage.split('/')[0]}/edges"))
    cluster, size = named(roots, index.names(docs))
    places = {number: (here, rows) for number, here, rows in index.by_table(docs)}
    files = []
    for number, shard in enumerate(unit.shards):
        here, rows = places.get(number, (slice(0, 0), np.zeros(0, np.int64)))
        table = pa.table({"row": rows.astype(np.int32), "cluster": cluster[here], "cluster_size": size[here]})
        files.append(shards.write_shard(unit.root, unit.path(f"work/{unit.stage}", shard), [table], SCHEMA))
    if unit.settings.get("earlier"):
        own = int(np.searchsorted(docs, index.num_own))
        _, sketches = index.measured(docs[own:], words)
        table = earlier_members(index, docs[own:], cluster[own:], size[own:], sketches)
        path = unit.path(f"work/{unit.stage}", EARLIER)
        files.append(shards.write_shard(unit.root, path, [table], table.schema, key="cluster"))
    return Tally(files, {"members": len(docs), "clusters": len(np.unique(cluster))})


def earlier_members(
    index: Index, docs: np.ndarray, cluster: np.ndarray, size: np.ndarray, sketches: np.ndarray
) -> pa.Table:
    """Documents of earlier runs that share a cluster, sorted by it: what `choices` must know of them."""
    numbers = np.searchsorted(index.starts, docs, side="right") - 1
    table = pa.table(
        {
            "cluster": cluster,
            "cluster_size": size,
            "id": pa.array(index.ids(docs), pa.string()),
            "origin": pa.array([index.tables[number].origin for number in numbers], pa.string()),
            "sketch": fixed_bytes(sketches),
        }
    )
    return table.sort_by([("cluster", "ascending"), ("origin", "ascending"), ("id", "ascending")])


def _edges(unit: Unit, stage: str) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    for url in unit.part_urls(stage):
        for table in shards.row_groups(url):
            yield table["one"].to_numpy(), table["other"].to_numpy()


def joined(num_docs: int, edges: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Documents that have an edge, sorted, and the smallest document that each is connected with."""
    parent = np.arange(num_docs, dtype=np.uint32)
    touched = np.zeros(num_docs, bool)
    for one, other in edges:
        touched[one] = touched[other] = True
        _unite(one, other, parent)
    docs = np.flatnonzero(touched)
    return docs, _roots(parent, docs)


@njit(cache=True, nogil=True)
def _unite(one, other, parent):
    for edge in range(len(one)):
        one_root, other_root = find_root(parent, one[edge]), find_root(parent, other[edge])
        if one_root != other_root:
            parent[max(one_root, other_root)] = min(one_root, other_root)


@njit(cache=True, nogil=True)
def _roots(parent, docs):
    roots = np.empty(len(docs), parent.dtype)
    for place in range(len(docs)):
        roots[place] = find_root(parent, docs[place])
    return roots


def named(roots: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cluster and its size for each document: a cluster is called after the smallest name of its documents, so that
    its name does not depend on the order of the files, and stirred, so that names are spread over the parts."""
    _, cluster_of, counts = np.unique(roots, return_inverse=True, return_counts=True)
    smallest = np.full(len(counts), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, cluster_of, names)
    stirred = (smallest ^ smallest >> np.uint64(32)) * GOLDEN
    stirred ^= stirred >> np.uint64(29)
    return stirred[cluster_of], counts[cluster_of].astype(np.int32)
