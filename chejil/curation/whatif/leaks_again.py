"""Contamination, judged again: a short text is a common sentence if many kept documents have it, so kept ones count.

The hits stand in the run's work/ (a row each); which of them are leaks is decided over all shards by the run's own
functions, in memory. What does not depend on the filter, the search for hits, is not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from chejil.curation import shards
from chejil.curation.decontamination.decontaminate import (
    FOUND_HITS,
    HITS,
    Decontaminate,
    dropping,
    told_apart,
)
from chejil.curation.whatif.known_rows import KnownRows

_NOT_NEEDED = ("text",)


@dataclass
class LeaksAgain:
    """The decontamination of a run; `hits` of all shards with `shard` and `doc`, the number among the known rows."""

    settings: Decontaminate
    tasks: Sequence[str]
    hits: pl.DataFrame
    num: int
    alive: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    bits: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons that it gives, sorted as a decision lists them."""
        return tuple(f"contaminated:{task}" for task in self.tasks)

    @classmethod
    def of(cls, root: str, settings: Decontaminate, tasks: Sequence[str], known: KnownRows) -> LeaksAgain:
        """Read the hits of all shards; `tasks` sorted, as a decision lists them."""
        columns = [name for name in FOUND_HITS.names if name not in _NOT_NEEDED]
        parts = []
        for shard in known.shards:
            rows = pl.DataFrame(
                pl.from_arrow(shards.read_shard(shards.join(root, f"work/{HITS}/{shard}.parquet"), columns))
            )
            doc = pl.Series(known.places(shard, rows["row"].to_numpy()), dtype=pl.Int64)
            parts.append(rows.with_columns(shard=pl.lit(shard), doc=doc))
        return cls(settings, tasks, pl.concat(parts), known.num)

    def begin(self, alive: np.ndarray) -> np.ndarray:
        """Judge with these rows kept so far; returns the bits of the known rows."""
        self.alive, self.bits = alive, self._judged(alive)
        return self.bits

    def prepare(self, touched: np.ndarray) -> np.ndarray:
        """The rows that may change: one document more or less can make a sentence common for all that hold it."""
        docs = self.hits["doc"].to_numpy()
        wider = touched.copy()
        wider[docs] |= bool(touched[docs].any())
        return wider

    def answer(self, alive: np.ndarray, keep: bool = False) -> np.ndarray:
        """What it would say with these rows kept so far, as bits; `keep`: later answers start from this one."""
        docs = self.hits["doc"].to_numpy()
        same = bool((alive[docs] == self.alive[docs]).all())
        bits = self.bits if same else self._judged(alive)
        if keep:
            self.alive, self.bits = alive, bits
        return bits

    def _judged(self, alive: np.ndarray) -> np.ndarray:
        bits = np.zeros(self.num, np.uint64)
        lives = pl.Series("alive", alive[self.hits["doc"].to_numpy()], dtype=pl.Boolean)
        hits = told_apart(self.hits.with_columns(lives), self.settings.evidence)
        cut_share = self.settings.cut_share if self.settings.action == "cut" else None
        for _, here in hits.group_by("shard"):
            found = dropping(here, cut_share)
            for bit, task in enumerate(self.tasks):
                bits[found.filter(pl.col("task") == task)["doc"].to_numpy()] |= np.uint64(1 << bit)
        return bits
