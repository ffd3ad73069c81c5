"""Tables of keys: which documents of a shard have which 64-bit key, sorted, so that a part reads its range alone.

A shard's keys are written in sorted runs of at most four million, in row groups of 65,536 that say their smallest and
largest key: memory follows the run and not the shard, and the number of parts need not be known when they are written.
A key costs 9 bytes on disk (sorted neighbours are stored as differences).
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.dedup.hash_order import sorted_order
from chejil.curation.shards import FileRecord, ShardWriter
from chejil.curation.stage import Unit

SCHEMA = pa.schema([("key", pa.uint64()), ("row", pa.int32())])

_RUN_KEYS = 1 << 22


class RunWriter:
    """Writes a table that is sorted by `key` in runs of at most `_RUN_KEYS` keys; a context manager.

    `record` is there when the block has ended.
    """

    def __init__(self, unit: Unit, folder: str, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = ShardWriter(unit.root, unit.path(folder), schema, key="key")
        self._num = 0

    @property
    def record(self) -> FileRecord:
        """The file that was written."""
        assert self._writer.record is not None
        return self._writer.record

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_run()
        self._writer.__exit__(kind, error, trace)

    def _added(self, num: int) -> None:
        """Note that so many keys are held; enough of them are written."""
        self._num += num
        if self._num >= _RUN_KEYS:
            self._write_run()
            self._num = 0

    def _write_run(self) -> None:
        """Write what is held, sorted, and hold nothing."""
        raise NotImplementedError


class KeyWriter(RunWriter):
    """Writes a shard's table of keys."""

    def __init__(self, unit: Unit, folder: str) -> None:
        super().__init__(unit, folder, SCHEMA)
        self._keys: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []

    def add(self, keys: np.ndarray, rows: np.ndarray) -> None:
        """Keys of documents, (num_docs, keys) uint64, and the documents' rows in their shard."""
        self._keys.append(keys.ravel())
        self._rows.append(np.repeat(rows.astype(np.int32), keys.shape[1]))
        self._added(keys.size)

    def _write_run(self) -> None:
        keys = np.concatenate([*self._keys, np.zeros(0, np.uint64)])
        rows = np.concatenate([*self._rows, np.zeros(0, np.int32)])
        order = sorted_order(keys)
        self._writer.write(pa.table({"key": keys[order], "row": rows[order]}))
        self._keys, self._rows = [], []


def rows_with(url: str, keys: np.ndarray) -> np.ndarray:
    """Rows that have one of some sorted keys, in the order of the table; of it only row groups that may hold one are
    read."""
    with shards.opened(url) as parquet:
        wanted = []
        for group in range(parquet.num_row_groups):
            bounds = parquet.metadata.row_group(group).column(0).statistics
            first = np.searchsorted(keys, np.uint64(bounds.min))
            if first < len(keys) and keys[first] <= np.uint64(bounds.max):
                wanted.append(group)
        with shards.reading(url):
            table = parquet.read_row_groups(wanted, use_threads=False)
    rows: np.ndarray = table["row"].to_numpy()[np.isin(table["key"].to_numpy(), keys)]
    return rows
