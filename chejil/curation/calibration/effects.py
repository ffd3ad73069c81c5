"""What bounds do to documents: how many pass, fall and rise, together and by signal, and the histograms beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from chejil.curation.calibration.samples import Column, Documents, Group
from chejil.filters.catalogue import Bound, Signal

NUM_BINS = 40


@dataclass
class Effect:
    """What bounds do to a group's documents: shares of all of them, NaN without any."""

    documents: int
    passes: float
    passes_present: float | None
    falls: float
    rises: float
    alone: dict[str, float]
    falls_alone: dict[str, float]
    rises_alone: dict[str, float]
    histograms: dict[str, np.ndarray] = field(default_factory=dict)


def counted(
    documents: Documents,
    group: Group,
    proposed: Mapping[str, Bound],
    present: Mapping[str, Bound] | None,
    bins: Mapping[str, np.ndarray] | None = None,
) -> Effect:
    """Judge a group by the proposed and the present bounds, a row group at a time.

    The proposal takes the place of the present bounds of its own signals; others are not looked at.
    """
    total: Counter[str] = Counter()
    histograms = {name: np.zeros(NUM_BINS, np.int64) for name in bins or ()}
    now = {name: (present or {}).get(name, None) for name in proposed}
    for batch in documents.batches(list(proposed), group):
        size = len(next(iter(batch.values())))
        every_then, every_now = np.ones(size, bool), np.ones(size, bool)
        for name, bound in proposed.items():
            then, before = _passes(batch[name], bound), _passes(batch[name], now[name])
            every_then &= then
            every_now &= before
            total[f"alone {name}"] += int(then.sum())
            total[f"falls {name}"] += int((before & ~then).sum())
            total[f"rises {name}"] += int((then & ~before).sum())
            if name in histograms:
                histograms[name] += histogram(batch[name], (bins or {})[name])
        total["documents"] += size
        total["passes"] += int(every_then.sum())
        total["present"] += int(every_now.sum())
        total["falls"] += int((every_now & ~every_then).sum())
        total["rises"] += int((every_then & ~every_now).sum())
    return _effect(total, list(proposed), present is not None, histograms)


def _effect(
    total: Counter[str], names: list[str], has_present: bool, histograms: dict[str, np.ndarray]
) -> Effect:
    documents = total["documents"]

    def share(key: str) -> float:
        return round(total[key] / documents, 6) if documents else 0.0

    def by_signal(key: str) -> dict[str, float]:
        return {name: share(f"{key} {name}") for name in names} if documents else {}

    return Effect(
        documents=documents,
        passes=share("passes"),
        passes_present=share("present") if has_present else None,
        falls=share("falls"),
        rises=share("rises"),
        alone=by_signal("alone"),
        falls_alone=by_signal("falls"),
        rises_alone=by_signal("rises"),
        histograms=histograms,
    )


def _passes(column: Column, bound: Bound | None) -> np.ndarray:
    if bound is None:
        return np.ones(len(column), bool)
    low = -np.inf if bound.low is None else bound.low
    high = np.inf if bound.high is None else bound.high
    return (column >= low) & (column <= high)  # false for NaN


def bins_of(signal: Signal, column: Column, bound: Bound) -> np.ndarray:
    """Edges of NUM_BINS bins, (NUM_BINS + 1): the middle 99 % and the bound; by ratio for what spans two decades."""
    values = column[~np.isnan(column)]
    edges = [edge for edge in (bound.low, bound.high) if edge is not None]
    first = min(float(np.quantile(values, 0.005)), *edges)
    last = max(float(np.quantile(values, 0.995)), *edges)
    if last <= first:
        first, last = first - 0.5, last + 0.5
    margin = (last - first) / 20
    if signal.kind in ("count", "mean") and first > 0 and last / first > 100:
        return np.geomspace(first / 1.3, last * 1.3, NUM_BINS + 1)
    return np.linspace(
        max(0.0, first - margin) if first >= 0 else first - margin, last + margin, NUM_BINS + 1
    )


def histogram(column: Column, edges: np.ndarray) -> np.ndarray:
    """Documents by bin; what lies beyond the edges is counted in the first or the last."""
    values = column[~np.isnan(column)]
    places = np.clip(np.searchsorted(edges, values, "right") - 1, 0, len(edges) - 2)
    return np.bincount(places, minlength=len(edges) - 1)
