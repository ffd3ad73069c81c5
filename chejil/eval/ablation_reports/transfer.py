"""Does the order of the small proxies hold at the next size: rank correlation, pairs, and which order changed.

A changed order says little where the small proxies did not tell the pair apart; so each pair says whether they did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from chejil.errors import ChejilError
from chejil.eval.ablating.decision import decide
from chejil.eval.ablation_reports.measured import VALUE, Measured, measured
from chejil.eval.ablation_reports.ranks import Ranks, ranks
from chejil.eval.ablation_reports.sweep_file import Sweep


@dataclass(frozen=True)
class SizePoint:
    """A mixture's weighted bits per byte at both sizes."""

    proposal: str
    small: float
    large: float
    folders: list[str]


@dataclass(frozen=True)
class SizePair:
    """A pair: first less second at both sizes; `decided` by the small proxies, None where no noise is known."""

    first: str
    second: str
    small: float
    large: float
    same_order: bool
    decided: bool | None


@dataclass(frozen=True)
class TransferSection:
    """The check at the next size; `excluded` by name, by_measure: of value, ko, en."""

    about: str
    points: list[SizePoint]
    by_measure: Mapping[str, Ranks]
    pairs: list[SizePair]
    excluded: Mapping[str, str]


def section(sweep: Sweep, small: Measured, measures: Mapping[str, np.ndarray]) -> TransferSection | None:
    """Compare the sizes; None where there is no next one, or nothing of it counts."""
    if sweep.transfer is None or not sweep.transfer.proxies:
        return None
    try:
        large = measured(sweep, sweep.transfer.proxies)
    except ChejilError as error:
        return TransferSection(sweep.transfer.about, [], {}, [], {"all": error.what})
    common = [name for name in small.proposals if name in large.proposals]
    both = {
        key: [np.array([one.mean(name, weights) for name in common]) for one in (small, large)]
        for key, weights in measures.items()
    }
    points = [
        SizePoint(name, float(mine), float(theirs), small.folders(name) + large.folders(name))
        for name, mine, theirs in zip(common, *both[VALUE], strict=True)
    ]
    pairs = [_pair(one, two, small, measures[VALUE]) for one, two in combinations(points, 2)]
    return TransferSection(
        sweep.transfer.about, points, {key: ranks(*pair) for key, pair in both.items()}, pairs, large.excluded
    )


def _pair(first: SizePoint, second: SizePoint, small: Measured, weights_M: np.ndarray) -> SizePair:
    apart = first.small - second.small, first.large - second.large
    mine, theirs = ((one.proposal, small.by_seed(one.proposal, weights_M)) for one in (first, second))
    try:
        decided: bool | None = decide(mine, theirs, small.noise(weights_M)).better is not None
    except ChejilError:  # one seed each and no replicates anywhere
        decided = None
    return SizePair(
        first.proposal, second.proposal, *apart, bool(np.sign(apart[0]) == np.sign(apart[1])), decided
    )
