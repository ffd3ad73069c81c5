"""Who beats whom among the proxies that were trained, on the objective's value, by language, and for arms by domain.

The recommended mixture was not trained, so nothing here is about it. Compared are: the best measured mixture and
natural, natural and worst, every pair of mixtures with several seeds; of arms every pair. The best of N mixtures was
picked by the numbers that then judge it: by luck alone the best of 24 is 1.9 deviations good. So its p is multiplied
by N - 1 (Bonferroni), and where that is above 0.05 the verdict is to train it again with fresh seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from chejil.errors import ChejilError
from chejil.eval.ablating.decision import LEVEL, Decision, decide
from chejil.eval.ablating.objective import Objective
from chejil.eval.ablation_reports.measured import Measured, measures
from chejil.eval.ablation_reports.sweep_file import Sweep
from chejil.eval.ablation_reports.text_noise import HeldOutText

BEST = "best measured against natural"
CHECK = "natural against worst"
REPLICATED = "both have several seeds"
ARMS = "arms"


@dataclass(frozen=True)
class Compared:
    """A pair on one measure (`(value)`, `(ko)`, `(en)`, or a domain), why it is there, and the verdict.

    picked_of: mixtures among which the first was picked by these numbers, 1 if it was not. text_deviation is None
    where the held-out sequences are not there: the interval is then of seeds alone.
    """

    why: str
    measure: str
    first_mean: float
    second_mean: float
    decision: Decision
    text_deviation: float | None
    picked_of: int
    p: float
    verdict: str
    folders: list[str]


@dataclass(frozen=True)
class DecisionSection:
    """All comparisons; `refused` says by pair why there is none."""

    compared: list[Compared]
    refused: Mapping[str, str]


def section(sweep: Sweep, found: Measured, goal: Objective, text: HeldOutText) -> DecisionSection:
    """Compare all pairs."""
    compared, refused = [], {}
    for why, first, second, picked in pairs(sweep, found, goal):
        for measure, weights in _measures(sweep, found, goal).items():
            try:
                compared.append(_compared(why, measure, first, second, picked, found, weights, text))
            except ChejilError as error:
                refused[f"{first} against {second}"] = f"{error.what}; {error.mend}"
    return DecisionSection(compared, refused)


def pairs(sweep: Sweep, found: Measured, goal: Objective) -> Iterator[tuple[str, str, str, int]]:
    """Why, first, second, and among how many the first was picked: those that keep the bound on English."""
    names = found.proposals
    if sweep.arms is not None:
        given = [name for name in sweep.arms.names if name in names]
        yield from ((ARMS, first, second, 1) for first, second in combinations(given, 2))
        return
    seen = set()
    natural, worst = sweep.of_kind("natural"), sweep.of_kind("worst")
    most = float("inf") if goal.english_high is None else goal.english_high
    others = [name for name in names if name != natural and found.mean(name, goal.en) <= most]
    if natural in names and others:
        best = min(others, key=lambda name: (found.mean(name, goal.weights), name))
        seen.add(frozenset((best, natural)))
        yield BEST, best, str(natural), len(others)
    if natural in names and worst in names and frozenset((natural, worst)) not in seen:
        seen.add(frozenset((natural, worst)))
        yield CHECK, str(natural), str(worst), 1
    for first, second in combinations([name for name in names if len(found.of(name)) > 1], 2):
        if frozenset((first, second)) not in seen:
            yield REPLICATED, first, second, 1


def _measures(sweep: Sweep, found: Measured, goal: Objective) -> dict[str, np.ndarray]:
    given = measures(goal)
    if sweep.arms is not None:
        given |= dict(zip(found.domains, np.eye(len(found.domains)), strict=True))
    return given


def _compared(
    why: str, measure: str, first: str, second: str, picked: int, found: Measured, weights_M: np.ndarray,
    text: HeldOutText,
) -> Compared:  # fmt: skip
    left, right = ([found.proxies[row] for row in found.of(name)] for name in (first, second))
    deviation = text.deviation(left, right, found.domains, weights_M)
    mine, theirs = ((name, found.by_seed(name, weights_M)) for name in (first, second))
    decision = decide(mine, theirs, found.noise(weights_M, but=(first, second)), deviation or 0.0)
    p = min(1.0, decision.p * picked)
    lucky = decision.better is not None and p > 1 - LEVEL
    return Compared(
        why, measure, found.mean(first, weights_M), found.mean(second, weights_M), decision, deviation, picked, p,
        f"not decided: picked of {picked}; train it with fresh seeds" if lucky else decision.verdict,
        found.folders(first, second),
    )  # fmt: skip
