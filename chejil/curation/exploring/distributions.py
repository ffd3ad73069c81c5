"""How a signal's values lie: the stops of its slider, and the bars of its histogram.

A slider's stops are quantiles, so that each step moves about as many documents as the next, however long the tail.
Above two million documents every so-manieth row group is read: stops are places to stand on, counts come from
`whatif`, which reads all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from chejil.curation import shards
from chejil.curation.exploring.moved_bounds import Scope, plain
from chejil.curation.manifest import Manifest
from chejil.filters.catalogue import SIGNALS

MAX_DOCUMENTS = 2_000_000
_LEVELS = np.array([0, 0.1, 0.2, 0.5, *np.arange(1, 100), 99.5, 99.8, 99.9, 100]) / 100
_BARS = 60
_LONG_TAIL = 20  # of values whose 99th percentile is so many times their median, bars are of equal ratio


@dataclass(frozen=True)
class Distribution:
    """Values of one signal in one scope, sorted, undefined ones left out; `undefined` counts those."""

    signal: str
    values: np.ndarray
    undefined: int

    def stops(self, *own: float | None) -> list[float]:
        """Places for a slider: minus and plus infinity (no bound), quantiles, and `own` values exactly."""
        found = np.quantile(self.values, _LEVELS, method="nearest").tolist() if len(self.values) else []
        rounded = {self._rounded(value) for value in found}
        exact = {plain(value) for value in own if value is not None and math.isfinite(value)}
        return [-math.inf, *sorted(rounded | exact), math.inf]

    def _rounded(self, value: float) -> float:
        return plain(value if SIGNALS[self.signal].kind == "count" else float(f"{value:.3g}"))

    def bars(self) -> pl.DataFrame:
        """Histogram: `low`, `high`, `documents`; what lies beyond the outer half percent is in the outer bars."""
        if not len(self.values):
            return pl.DataFrame(schema={"low": pl.Float64, "high": pl.Float64, "documents": pl.Int64})
        first, median, most = np.quantile(self.values, [0.005, 0.5, 0.995]).tolist()
        if first == most:
            first, most = first - 0.5, most + 0.5
        if first > 0 and most > _LONG_TAIL * median:
            edges = np.geomspace(first, most, _BARS + 1)
        else:
            edges = np.linspace(first, most, _BARS + 1)
        counts, _ = np.histogram(np.clip(self.values, edges[0], edges[-1]), edges)
        return pl.DataFrame({"low": edges[:-1], "high": edges[1:], "documents": counts})


def distribution(root: str, content: Manifest, scope: Scope, signal: str) -> Distribution:
    """Read one column of the run's signals."""
    skip = max(1, -(-content.documents // MAX_DOCUMENTS))
    parts = [
        _values(shards.join(root, f"signals/{shard}.parquet"), scope.lang, signal, skip)
        for shard in _shards(content, scope)
    ]
    values = np.concatenate(parts) if parts else np.zeros(0)
    is_defined = ~np.isnan(values)
    return Distribution(signal, np.sort(values[is_defined]), int((~is_defined).sum()))


def _shards(content: Manifest, scope: Scope) -> Sequence[str]:
    names = [entry["shard"] for entry in content.inputs if entry["documents"]]
    return [name for name in names if not scope.source or name.split("/")[0] == scope.source]


def _values(url: str, lang: str, signal: str, skip: int) -> np.ndarray:
    found = [np.zeros(0)]
    for number, table in enumerate(shards.row_groups(url, ["lang", signal])):
        if number % skip == 0:
            rows = pl.DataFrame(pl.from_arrow(table))
            own = rows.filter(pl.col("lang").fill_null("unknown") == lang)
            found.append(own[signal].cast(pl.Float64).to_numpy())
    return np.concatenate(found)


def signals_of(root: str, content: Manifest) -> list[str]:
    """Signals with numbers that the run has measured, in the order of the catalogue."""
    names = [entry["shard"] for entry in content.inputs if entry["documents"]]
    if not names:
        return []
    first = next(shards.row_groups(shards.join(root, f"signals/{names[0]}.parquet"), None))
    return [name for name, signal in SIGNALS.items() if name in first.column_names and signal.kind != "label"]
