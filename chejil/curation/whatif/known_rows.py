"""The documents that a stage behind the filter knows of: in a cluster, or with a hit of an evaluation set.

What becomes of any other document is decided by the filter alone. These wait until the later stages have been asked
again; they are numbered through, shard by shard: 4 bytes each.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chejil.curation import shards


@dataclass(frozen=True)
class KnownRows:
    """Sorted rows by shard; `files` are those of the run, by path."""

    rows: Mapping[str, np.ndarray]
    first: Mapping[str, int]
    files: Container[str]

    @classmethod
    def of(cls, root: str, names: Sequence[str], folders: Iterable[str], files: Container[str]) -> KnownRows:
        """The rows that side tables of these folders hold, for every shard of a run."""
        folders, rows, first, num = list(folders), {}, {}, 0
        for shard in names:
            found = [_rows(shards.join(root, f"{folder}/{shard}.parquet")) for folder in folders]
            rows[shard] = np.unique(np.concatenate(found)) if found else np.zeros(0, np.int32)
            first[shard] = num
            num += len(rows[shard])
        return cls(rows, first, files)

    @property
    def shards(self) -> list[str]:
        """Every shard of the run."""
        return list(self.rows)

    @property
    def num(self) -> int:
        """How many there are."""
        return sum(map(len, self.rows.values()))

    def places(self, shard: str, rows: np.ndarray) -> np.ndarray:
        """Numbers of some rows of a shard, all of which are known."""
        return np.searchsorted(self.rows[shard], rows) + self.first[shard]

    def of_shard(self, shard: str) -> slice:
        """Numbers of a shard's rows."""
        return slice(self.first[shard], self.first[shard] + len(self.rows[shard]))

    def has(self, path: str) -> bool:
        """Whether the run wrote such a file."""
        return path in self.files


def _rows(url: str) -> np.ndarray:
    return shards.read_shard(url, ["row"])["row"].to_numpy()
