"""Rank correlations with the chance of such a one by luck: of six points, 0.77 is luck in one case of twenty.

p is one-sided, by permutation: all orders of up to seven points, 20,000 drawn ones of more.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from chejil.eval.ablating.ranking import decision_accuracy, spearman

EXACT = 7
DRAWN = 20_000


@dataclass(frozen=True)
class Ranks:
    """Spearman's correlation over `points`, its one-sided p, and the share of pairs ordered rightly.

    None where it is not defined: fewer than three points, or all equal.
    """

    spearman: float | None
    p: float | None
    decisions: float | None
    points: int


def ranks(predicted_N: np.ndarray, measured_N: np.ndarray) -> Ranks:
    """Of one measure.

    >>> ranks(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0, 4.0])).p == 1 / 24
    True
    """
    rho, right = spearman(predicted_N, measured_N), decision_accuracy(predicted_N, measured_N)
    p = None if np.isnan(rho) else _p(predicted_N, measured_N, rho)
    return Ranks(
        None if np.isnan(rho) else rho, p, None if np.isnan(right) else right, len(measured_N)
    )  # fmt: skip


def _p(predicted_N: np.ndarray, measured_N: np.ndarray, rho: float) -> float:
    from scipy.stats import rankdata  # type: ignore[import-untyped]

    first, second = rankdata(predicted_N), rankdata(measured_N)
    first, second = first - first.mean(), second - second.mean()
    count = len(first)
    if count <= EXACT:
        orders = np.array(list(itertools.permutations(range(count))))
    else:
        rng = np.random.default_rng(1)
        orders = rng.permuted(np.tile(np.arange(count), (DRAWN, 1)), axis=1)
    drawn = second[orders] @ first / np.sqrt((first @ first) * (second @ second))
    as_good = int((drawn >= rho - 1e-9).sum())
    return as_good / len(orders) if count <= EXACT else (as_good + 1) / (DRAWN + 1)
