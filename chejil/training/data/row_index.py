"""How many rows each window makes: known ahead by one pass over the lengths of documents, so that any row is found.

A row's number leads to its window by a sum over the windows before it, and the window is packed when it is needed. The
number of rows of a window does not depend on the order of its documents (see packing.py), so one index serves all
epochs, all mixtures and all batch sizes; it changes with the data, the row, the policy, the window, what is held out
and the seed. For 1.4 T tokens: 5 minutes of one core, 13 GB of offsets read, 21,000 windows, 0.6 MB
(benchmarks/packing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import orjson
import pyarrow as pa
import xxhash

from chejil.training.data import kept_tables
from chejil.training.data.packing import PackingSettings, num_cut, num_rows
from chejil.training.data.token_streams import Stream

SCHEMA = pa.schema(
    [
        ("stream", pa.int32()),
        ("rows", pa.int32()),
        ("tokens", pa.int64()),
        ("documents", pa.int32()),
        ("cut", pa.int32()),
    ]
)
"""A row a window, by stream and number. `cut`: documents that are in more than one row."""


@dataclass(frozen=True)
class Windows:
    """The windows of a stream: (num_windows) int64 each."""

    rows: np.ndarray
    tokens: np.ndarray
    documents: np.ndarray
    cut: np.ndarray

    @cached_property
    def num_rows(self) -> int:
        """Of an epoch."""
        return int(self.rows.sum())

    @cached_property
    def num_tokens(self) -> int:
        """Of an epoch, padding not counted; each is in one row."""
        return int(self.tokens.sum())

    def padded(self, row_tokens: int) -> float:
        """Share of an epoch's places that hold no token."""
        return 1 - self.num_tokens / (self.num_rows * row_tokens) if self.num_rows else 0.0


def windows_of(
    streams: Sequence[Stream], row_tokens: int, settings: PackingSettings, fingerprint: str, kept: str | None
) -> list[Windows]:
    """The windows of each stream.

    Args:
        fingerprint: of the data.
        kept: folder in which the index is looked up and kept; None to count anew.
    """
    held = [xxhash.xxh3_128_hexdigest(stream.held_out.tobytes()) for stream in streams]
    said = [fingerprint, row_tokens, settings.policy, settings.window_tokens, held, streams[0].seed]
    name = f"windows-{xxhash.xxh3_128_hexdigest(orjson.dumps(said))[:16]}"
    found = kept_tables.table(kept, name, SCHEMA, lambda: _counted(streams, row_tokens, settings))
    columns = [found[column].to_numpy().astype(np.int64) for column in SCHEMA.names]
    parts = [columns[0] == number for number in range(len(streams))]
    return [Windows(*(column[part] for column in columns[1:])) for part in parts]


def _counted(streams: Sequence[Stream], row_tokens: int, settings: PackingSettings) -> pa.Table:
    rows = []
    for number, stream in enumerate(streams):
        for window in range(stream.num_windows):
            lengths = stream.window(window).num_tokens
            packed = num_rows(lengths, row_tokens, settings.policy)
            cut = num_cut(lengths, row_tokens, settings.policy)
            rows.append((number, packed, int(lengths.sum()), len(lengths), cut))
    columns = zip(*rows, strict=True) if rows else [[]] * len(SCHEMA)
    return pa.table([list(column) for column in columns], schema=SCHEMA)
