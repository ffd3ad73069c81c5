"""What is known of one column of numbers: counts, extremes, mean, and a sketch that answers quantiles and histograms.

Summaries add up: the sum of two is that of both their rows, whatever the order. The mean does not depend on it for
that reason: the sums of batches, float64 each, are added as fractions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from chejil.curation.statistics.buckets import lower_edges, upper_edges

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Those that JSON and pages give."""

BINS = 24
_LOG_SPREAD = 20.0  # a 99 % quantile that many times the median is drawn on a logarithmic scale
_HALF_WAY = 0.5
_ONE_BY_ONE = 2.0**53  # beyond, the next integer is no float


@dataclass(frozen=True)
class Histogram:
    """Counts between edges (one more than counts); the outer bins hold the tails.

    `scale` is linear, log, or integer: a bin for each integer from the first edge on.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    scale: str = "linear"


@dataclass(frozen=True)
class Summary:
    """Of one column of one group, or of several.

    Args:
        count: finite values; nulls and NaN are in `nulls`, infinities in `infinite`, and in nothing else.
        missing: rows of files that have no such column.
        low, high: smallest and largest finite value; None where there is none.
        keys, counts: the buckets that hold anything (buckets.py), sorted.
        whole: all values are integers.
    """

    count: int
    nulls: int
    infinite: int
    missing: int
    low: float | None
    high: float | None
    total: Fraction
    whole: bool
    keys: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)

    @property
    def mean(self) -> float | None:
        """Exactly rounded, of the float64 sums of the batches."""
        return float(self.total / self.count) if self.count else None

    def quantile(self, share: float) -> float | None:
        """The value of rank floor(share * (count - 1)), from 0: `numpy.quantile(…, method="lower")`.

        Exact for integers to 256 and for both ends, else at most 0.39 % off (buckets.RELATIVE_ERROR); what is nearer
        to 0 than 2^-40 is 0, and ranks beyond 2^64 are the largest value.
        """
        return self._at(math.floor(share * (self.count - 1))) if self.count else None

    def _at(self, rank: int) -> float | None:
        if rank <= 0:
            return self.low
        if rank >= self.count - 1:
            return self.high
        place = int(np.searchsorted(self._cumulated, rank, "right"))
        return float(self._middles[place])

    @cached_property
    def _cumulated(self) -> np.ndarray:
        return np.cumsum(self.counts)

    @cached_property
    def _middles(self) -> np.ndarray:
        """A value for each bucket."""
        near, far = lower_edges(self.keys), upper_edges(self.keys)
        middles = (near + far) * _HALF_WAY
        if self.whole:  # the only integer of a narrow bucket is its edge
            middles = np.where(np.abs(far - near) <= 1, near, np.round(middles))
        return np.clip(middles, self.low, self.high)

    def below(self, bound: float) -> int:
        """Values below a bound, those of its own bucket by the bucket's middle: an estimate, rows are not judged."""
        return int(self.counts[self._middles < bound].sum())

    def histogram(self, edges: tuple[float, ...], scale: str = "linear") -> Histogram:
        """Values between edges, the tails in the outer bins; a bucket stands in the bin of its middle."""
        inner = np.searchsorted(np.array(edges[1:-1]), self._middles, "right")
        counts = np.bincount(inner, self.counts, len(edges) - 1).astype(np.int64)
        return Histogram(tuple(edges), tuple(counts.tolist()), scale)

    def drawn(self, bins: int = BINS) -> Histogram:
        """A histogram as one would draw it: an integer a bin, equal bins from 1 % to 99 %, or logarithmic ones."""
        edges, scale = self.edges(bins)
        return self.histogram(edges, scale) if edges else Histogram((), ())

    def edges(self, bins: int = BINS) -> tuple[tuple[float, ...], str]:
        """Edges for `histogram`, and their scale; from the smallest value to the largest."""
        if not self.count:
            return (), "linear"
        low, high = self._middle_range()
        if self.whole and high - low < bins and max(-low, high) < _ONE_BY_ONE:
            return tuple(np.arange(low, high + 2).tolist()), "integer"
        if low == high:
            return (low, math.nextafter(high, math.inf)), "linear"
        positive = self._least_positive()
        if low >= 0 and positive is not None and high / max(self._typical(), positive) > _LOG_SPREAD:
            edges = np.geomspace(max(low, positive), high, bins + 1)
            return (low, *edges[1:].tolist()), "log"  # zeros stand in the first bin
        # In halves: between the largest floats of both signs there is more than a float can hold.
        return tuple((2 * np.linspace(low / 2, high / 2, bins + 1)).tolist()), "linear"

    def _middle_range(self) -> tuple[float, float]:
        low, high = self.quantile(0.01), self._at(math.ceil(0.99 * (self.count - 1)))
        if low == high:  # nearly all values are one: what else there is decides
            low, high = self.low, self.high
        assert low is not None
        assert high is not None
        return low, high

    def _least_positive(self) -> float | None:
        positive = self._middles[self._middles > 0]
        return float(positive[0]) if len(positive) else None

    def _typical(self) -> float:
        return self.quantile(0.5) or 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "count": self.count,
            "nulls": self.nulls,
            "infinite": self.infinite,
            "missing": self.missing,
            "min": self.low,
            "max": self.high,
            "mean": self.mean,
            "quantiles": {str(share): self.quantile(share) for share in QUANTILES},
        }
