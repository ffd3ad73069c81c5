"""Agreement of two judges on the same answers: weighted kappa, Spearman's rank correlation, equal scores.

Cohen's kappa with quadratic weights (Cohen 1968) asks how much better than by chance two judges agree, and counts a
score that is off by two four times: of whole numbers it is scikit-learn's `cohen_kappa_score(weights="quadratic")`.
Spearman's rho asks for the same order alone: a judge that is one point stricter throughout has rho 1 and a lower kappa.
Both are undefined where both judges (rho: one of them) give one score to everything, and then None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chejil.errors import ChejilError
from chejil.eval.judging.means import SAMPLES

_PLACES = {"first": 0, "tie": 1, "second": 2}


@dataclass(frozen=True)
class Agreement:
    """Of one criterion; the interval is kappa's, 95 % by bootstrap over answers."""

    criterion: str
    answers: int
    equal_share: float
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    spearman: float | None
    first_mean: float
    second_mean: float


def agreement(criterion: str, first: Sequence[int], second: Sequence[int]) -> Agreement:
    """Of two judges' scores of the same answers."""
    one, two = np.array(first, np.int64), np.array(second, np.int64)
    low, high = _interval(one, two)
    return Agreement(
        criterion, len(one), float((one == two).mean()), kappa(one, two), low, high, spearman(one, two),
        float(one.mean()), float(two.mean()),
    )  # fmt: skip


def kappa(first: np.ndarray, second: np.ndarray) -> float | None:
    """Cohen's kappa with quadratic weights, of (num_answers,) integers.

    >>> kappa(np.array([1, 2, 3, 4, 5]), np.array([1, 2, 3, 4, 5]))
    1.0
    >>> kappa(np.array([3, 3]), np.array([3, 3])) is None
    True
    """
    # The mean squared difference, by what it is when the second judge's scores are dealt out at random.
    chance = float(first.var() + second.var() + (first.mean() - second.mean()) ** 2)
    return None if chance <= 0 else 1 - float(((first - second) ** 2).mean()) / chance


def spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    """Spearman's rho, equal scores at their mean rank.

    >>> spearman(np.array([1, 2, 3]), np.array([2, 3, 5])), spearman(np.array([1, 2]), np.array([4, 4]))
    (1.0, None)
    """
    one, two = (_ranks(scores) for scores in (first, second))
    spread = float(one.std() * two.std())
    if not spread:
        return None
    return round(float(((one - one.mean()) * (two - two.mean())).mean()) / spread, 12)


def _ranks(scores: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _interval(first: np.ndarray, second: np.ndarray) -> tuple[float | None, float | None]:
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    rng = np.random.Generator(np.random.PCG64(1968))
    chosen = rng.integers(0, len(first), (SAMPLES, len(first)))
    one, two = first[chosen], second[chosen]
    chance = one.var(axis=1) + two.var(axis=1) + (one.mean(axis=1) - two.mean(axis=1)) ** 2
    apart = ((one - two) ** 2).mean(axis=1)
    known = chance > 0
    if not known.any():
        return None, None
    low, high = np.quantile(1 - apart[known] / chance[known], (0.025, 0.975)).tolist()
    return low, high


Rows = Sequence[Mapping[str, Any]]


def of_rows(first: Rows, second: Rows) -> list[Agreement]:
    """Agreement of two runs' score rows, by criterion, on the answers that both judged.

    Raises:
        ChejilError: there are none, or they were judged by other criteria.
    """
    ones, twos = ({_key(row): row for row in rows if row["fault"] is None} for rows in (first, second))
    both = [key for key in ones if key in twos]
    if not both:
        raise ChejilError("the two have judged no answer in common", mend="the same answers, two judges")
    if {*ones[both[0]]["scores"]} != {*twos[both[0]]["scores"]}:
        raise ChejilError("the two have judged by other criteria", mend="score both with the same --rubric")
    if not ones[both[0]]["scores"]:
        pairs = [(_PLACES[_side(ones[key])], _PLACES[_side(twos[key])]) for key in both]
        return [agreement("better", *zip(*pairs, strict=True))]
    return [
        agreement(name, [ones[key]["scores"][name] for key in both], [twos[key]["scores"][name] for key in both])
        for name in ones[both[0]]["scores"]
    ]  # fmt: skip


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["prompt"], tuple(row["models"]), row["answers_hash"]


def _side(row: Mapping[str, Any]) -> str:
    return {"A": "first", "B": "second"}.get(row["better"], "tie")
