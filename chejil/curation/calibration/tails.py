"""Tails: how many documents of a reference may be cut from each side of every signal, and which bound does it.

A document's depth is the smallest rank that it has on any side of any signal, counted from that side's end; a tail of
k documents drops exactly those of depth k or less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from chejil.curation.calibration.samples import Documents, Group
from chejil.filters import preset_bounds
from chejil.filters.catalogue import SIGNALS, Bound

_DIGITS = 3


def sides(name: str) -> tuple[bool, bool]:
    """Whether a signal has a low and a high side: those that any preset bounds; both where none does.

    >>> sides("mean_word_chars"), sides("digit_share")
    ((True, True), (False, True))
    """
    every = [bound for limits in preset_bounds.by_preset(name).values() for bound in limits.values()]
    low, high = any(bound.low is not None for bound in every), any(bound.high is not None for bound in every)
    return (low, high) if low or high else (True, True)


def depths(group: Group, trusted: Documents, names: Iterable[str]) -> np.ndarray:
    """Smallest rank of each document on any side of any signal, 0 where one is undefined; (num_docs) int64."""
    depth = np.full(trusted.count(group), np.iinfo(np.int64).max)
    for name in names:
        column = trusted.column(name, group)
        ordered = np.sort(column)  # NaN last
        ordered = ordered[: np.count_nonzero(~np.isnan(column))]
        low, high = sides(name)
        if low:
            np.minimum(depth, np.searchsorted(ordered, column, "right"), out=depth)
        if high:
            np.minimum(depth, len(ordered) - np.searchsorted(ordered, column, "left"), out=depth)
        depth[np.isnan(column)] = 0
    return depth


def tail_of(depths: np.ndarray, share: float) -> int:
    """The largest number of documents to cut from each side so that at least `share` of all remain."""
    may_fall = math.floor(len(depths) * (1 - share) + 1e-9)
    # Those of depth <= tail fall: the tail stays below the depth of the first that may not.
    return max(0, int(np.sort(depths)[min(may_fall, len(depths) - 1)]) - 1)


def bound_of(name: str, column: np.ndarray, tail: int, before: Bound) -> Bound:
    """What is left when `tail` documents are cut from each side; an edge that no value can pass is open.

    Where half of the reference lies on the edge there is no tail to cut: it has no repeated line at all, say, which
    does not make one repeated line bad. There the bound that was before stands, if the edge lies within it.
    """
    ordered = np.sort(column[~np.isnan(column)])
    tail = min(tail, len(ordered) - 1)
    low_side, high_side = sides(name)
    median = ordered[len(ordered) // 2]
    low, high = float(ordered[tail]), float(ordered[-1 - tail])
    looser_low = outward(low, down=True) if low < median else before.low if (before.low or 0) <= low else None
    looser_high = (
        outward(high, down=False) if high > median else before.high if (before.high or 0) >= high else None
    )
    return _of_kind(name, looser_low if low_side else None, looser_high if high_side else None)


def _of_kind(name: str, low: float | None, high: float | None) -> Bound:
    """No value lies below 0, and no share above 1."""
    is_share = SIGNALS[name].kind in ("share", "score")
    return Bound(None if (low or 0) <= 0 else low, None if is_share and (high or 0) >= 1 else high)


def outward(value: float, *, down: bool) -> float:
    """Rounded to three digits, away from what passes.

    >>> outward(0.123456, down=True), outward(0.123456, down=False), outward(1234567.0, down=False)
    (0.123, 0.124, 1240000.0)
    """
    if value == 0:
        return 0.0
    exponent = math.floor(math.log10(abs(value))) - _DIGITS + 1
    scaled = value / 10.0**exponent
    nearest = round(scaled)
    whole = (
        nearest
        if math.isclose(scaled, nearest, rel_tol=1e-12)
        else (math.floor if down else math.ceil)(scaled)
    )
    rounded = float(f"{whole}e{exponent}")
    # What is close to a round number may lie on its other side by the last bit.
    return value if (rounded > value if down else rounded < value) else rounded
