"""Tables of keys: which documents of a shard have which 64-bit key, sorted, so that a part reads its range alone.

A shard's keys are written in sorted runs of at most four million, in row groups of 65,536 that say their smallest and
largest key: memory follows the run and not the shard, and the number of parts need not be known when they are written.
A key costs 9 bytes on disk (sorted neighbours are stored as differences).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

import numpy as np
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.shards import FileRecord, ShardWriter
from chejil.curation.stage import Part, Unit

SCHEMA = pa.schema([("key", pa.uint64()), ("row", pa.int32())])

_RUN_KEYS = 1 << 22


class KeyWriter:
    """Writes a shard's table of keys; a context manager. `record` is there when the block has ended."""

    def __init__(self, unit: Unit, folder: str) -> None:
        self._writer = ShardWriter(unit.root, unit.path(folder), SCHEMA, key="key")
        self._keys: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []
        self._num = 0

    @property
    def record(self) -> FileRecord:
        """The file that was written."""
        assert self._writer.record is not None
        return self._writer.record

    def __enter__(self) -> KeyWriter:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_run()
        self._writer.__exit__(kind, error, trace)

    def add(self, keys: np.ndarray, rows: np.ndarray) -> None:
        """Keys of documents, (num_docs, keys) uint64, and the documents' rows in their shard."""
        self._keys.append(keys.ravel())
        self._rows.append(np.repeat(rows.astype(np.int32), keys.shape[1]))
        self._num += keys.size
        if self._num >= _RUN_KEYS:
            self._write_run()

    def _write_run(self) -> None:
        keys = np.concatenate([*self._keys, np.zeros(0, np.uint64)])
        rows = np.concatenate([*self._rows, np.zeros(0, np.int32)])
        order = np.argsort(keys, kind="stable")
        self._writer.write(pa.table({"key": keys[order], "row": rows[order]}))
        self._keys, self._rows, self._num = [], [], 0


def read_part(urls: Sequence[str], part: Part, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys of all shards in the range of a part, and their documents: index over all shards.

    Args:
        starts: index of the first document of each shard.

    Returns:
        Both sorted by key, then document; (num_keys) uint64 and uint32.
    """
    keys, docs = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint32)]
    for url, start in zip(urls, starts, strict=True):
        table = shards.rows_between(url, "key", *part.bounds)
        keys.append(table["key"].to_numpy())
        docs.append((table["row"].to_numpy().astype(np.int64) + start).astype(np.uint32))
    whole_keys, whole_docs = np.concatenate(keys), np.concatenate(docs)
    del keys, docs
    order = np.argsort(whole_keys, kind="stable")  # runs and shards come in the order of documents
    return whole_keys[order], whole_docs[order]


def sizes(unit: Unit, folder: str) -> list[int]:
    """Documents of each shard, from the footers of their signatures."""
    return [shards.num_rows(unit.url(folder, shard)) for shard in unit.shards]


def starts_of(sizes: Sequence[int]) -> np.ndarray:
    """Index of the first document of each shard, and behind the last one the number of all; (num_shards + 1) int64."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def by_shard(docs: np.ndarray, starts: np.ndarray) -> Iterator[tuple[int, slice, np.ndarray]]:
    """Sorted indices of documents, cut by shard: number of the shard, where its documents stand, and their rows."""
    cuts = np.searchsorted(docs, starts)
    for number in range(len(starts) - 1):
        here = slice(int(cuts[number]), int(cuts[number + 1]))
        if here.stop > here.start:
            yield number, here, docs[here].astype(np.int64) - starts[number]
