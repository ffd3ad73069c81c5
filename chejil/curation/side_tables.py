"""Integers beside the documents: hashes and signatures as fixed-size bytes, and clusters of rows.

A signature of 120 lanes is one 480-byte value in Arrow: no list offsets, no dictionary, and NumPy sees the column
as a matrix without a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.stage import Tally, Unit

CLUSTERED = pa.schema([("row", pa.int32()), ("cluster", pa.string()), ("cluster_size", pa.int32())])
"""A row a document that shares its cluster with another."""


@dataclass(frozen=True)
class Members:
    """Clustered documents of all shards: index of the shard, row in it, cluster and its size, equally long."""

    names: tuple[str, ...]
    shard: np.ndarray
    row: np.ndarray
    cluster: np.ndarray
    cluster_size: np.ndarray

    @classmethod
    def of_roots(
        cls, names: tuple[str, ...], sizes: list[int], roots: np.ndarray, hashes: np.ndarray
    ) -> Members:
        """Those whose root is shared.

        Args:
            sizes: documents of each shard; `roots` and `hashes` run over all of them in this order.
            hashes: content hash of each document; the smallest of a cluster names it, so that its name does not
                depend on the order of the files.
        """
        _, cluster_of, counts = np.unique(roots, return_inverse=True, return_counts=True)
        smallest = np.full(len(counts), np.iinfo(np.uint64).max, np.uint64)
        np.minimum.at(smallest, cluster_of, hashes)
        shared = np.flatnonzero(counts[cluster_of] > 1)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        shard = np.searchsorted(starts, shared, side="right") - 1
        cluster = cluster_of[shared]
        return cls(names, shard, shared - starts[shard], smallest[cluster], counts[cluster])


def write_members(unit: Unit, members: Members) -> Tally:
    """Write `work/<stage>/<shard>` for every shard, also where a shard has none."""
    files = []
    for number, shard in enumerate(unit.shards):
        here = np.flatnonzero(members.shard == number)
        table = pa.table(
            {
                "row": members.row[here].astype(np.int32),
                "cluster": pa.array([f"{name:016x}" for name in members.cluster[here].tolist()], pa.string()),
                "cluster_size": members.cluster_size[here].astype(np.int32),
            }
        )
        files.append(
            shards.write_shard(unit.root, unit.path(f"work/{unit.stage}", shard), [table], CLUSTERED)
        )
    return Tally(files, {"members": len(members.row), "clusters": len(np.unique(members.cluster))})


def read_members(unit: Unit, folder: str) -> pl.DataFrame:
    """Clustered documents of all shards: shard, row, cluster, cluster_size; in the order of shards and rows."""
    schema = {"shard": pl.String, "row": pl.Int32, "cluster": pl.String, "cluster_size": pl.Int32}
    parts = [pl.DataFrame(schema=schema)]
    for shard in unit.shards:
        table = pl.DataFrame(pl.from_arrow(shards.read_shard(unit.url(folder, shard))))
        parts.append(table.select(pl.lit(shard).alias("shard"), pl.all()))
    return pl.concat(parts)


def fixed_bytes(matrix: np.ndarray) -> pa.Array:
    """A matrix as one fixed-size binary value a row."""
    matrix = np.ascontiguousarray(matrix)
    width = matrix.shape[1] * matrix.itemsize
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(matrix), [None, pa.py_buffer(matrix)])


def matrix_of(column: pa.ChunkedArray, dtype: type) -> np.ndarray:
    """The matrix that `fixed_bytes` stored, without a copy where the column is one chunk."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], column.type)
    width = column.type.byte_width // np.dtype(dtype).itemsize
    values = array.buffers()[1]
    whole: np.ndarray = np.frombuffer(values, dtype) if values is not None else np.zeros(0, dtype)
    return whole.reshape(-1, width)[array.offset : array.offset + len(array)]
