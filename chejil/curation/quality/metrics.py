"""How well scores tell two sides apart: ranks, thresholds, calibration. Plain NumPy, no scikit-learn.

The area under the ROC curve is the chance that a good document scores above a bad one, ties counting half
(Hanley and McNeil 1982): the sum of the good ones' ranks, less what they would have if all stood last.
"""

from __future__ import annotations

import numpy as np

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
BINS = 10


def roc_auc(scores: np.ndarray, is_high: np.ndarray) -> float:
    """Area under the ROC curve.

    Args:
        scores: (num_docs) float64.
        is_high: (num_docs) bool, with both values in it.

    >>> roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # from 1; equal scores share their mean rank
    num_high = int(is_high.sum())
    num_low = len(scores) - num_high
    return float((ranks[is_high].sum() - num_high * (num_high + 1) / 2) / (num_high * num_low))


def roc_curve(scores: np.ndarray, is_high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates, falling threshold, from (0, 0) to (1, 1); one point a different score."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    true = np.cumsum(is_high[order])[last]
    false = last + 1 - true
    rates = (false / max(int((~is_high).sum()), 1), true / max(int(is_high.sum()), 1))
    return np.append(0.0, rates[0]), np.append(0.0, rates[1])


def at_thresholds(scores: np.ndarray, is_high: np.ndarray) -> list[dict[str, float | None]]:
    """Precision, recall and what would be kept, at each of THRESHOLDS; precision is None where nothing is kept."""
    rows: list[dict[str, float | None]] = []
    for threshold in THRESHOLDS:
        kept = scores >= threshold
        true = int((kept & is_high).sum())
        rows.append(
            {
                "threshold": threshold,
                "precision": true / int(kept.sum()) if kept.any() else None,
                "recall": true / int(is_high.sum()),
                "kept": float(kept.mean()),
            }
        )
    return rows


def reliability(scores: np.ndarray, is_high: np.ndarray) -> list[dict[str, float]]:
    """Mean score and share of good documents in each tenth of the scale that has any."""
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        {
            "low": number / BINS,
            "documents": int((bins == number).sum()),
            "score": float(scores[bins == number].mean()),
            "share_high": float(is_high[bins == number].mean()),
        }
        for number in range(BINS)
        if (bins == number).any()
    ]


def calibration_error(rows: list[dict[str, float]]) -> float:
    """Mean distance of score and share over the documents (expected calibration error), from `reliability`."""
    documents = sum(row["documents"] for row in rows)
    return float(sum(row["documents"] * abs(row["score"] - row["share_high"]) for row in rows) / documents)
