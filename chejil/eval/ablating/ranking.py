"""Do predictions order mixtures as training does: rank correlation, and pairs decided rightly.

Decision accuracy is DataDecide's measure (arXiv 2504.11393, section 3): the share of pairs of mixtures whose
better one the prediction names. Pairs that were measured to be equal are left out; a prediction that ties is half
right.
"""

from __future__ import annotations

import numpy as np


def spearman(predicted_N: np.ndarray, measured_N: np.ndarray) -> float:
    """Rank correlation with mean ranks for ties; NaN where one side is constant or there are fewer than three.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0]))
    0.5
    """
    if len(predicted_N) < 3:
        return float("nan")
    first, second = _ranks(predicted_N), _ranks(measured_N)
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale > 0 else float("nan")


def _ranks(values_N: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(values_N, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places.reshape(-1)]


def decision_accuracy(predicted_N: np.ndarray, measured_N: np.ndarray) -> float:
    """Share of pairs whose better one is predicted, 0.5 by chance; NaN without a pair.

    >>> decision_accuracy(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    0.6666666666666666
    """
    first, second = np.triu_indices(len(measured_N), 1)
    truth = np.sign(measured_N[first] - measured_N[second])
    told = np.sign(predicted_N[first] - predicted_N[second])
    counted = truth != 0
    if not counted.any():
        return float("nan")
    right = np.where(told == 0, 0.5, told == truth)
    return float(right[counted].mean())
