"""Scores from counts, with their errors.

- bytes a token, characters a token: sums over documents, divided.
- tokens a word (*fertility*; Ács 2019, Rust et al. 2021, section 3): tokens by white-space separated words; in Korean
  these are eojeol. Blanks and marks are in the tokens, so no pattern gains by pushing them elsewhere.
- kept whole: words that one token holds (alignment.py); one less Rust et al.'s *proportion of continued words*.
- parity (Petrov et al. 2023, section 3, *premium*): tokens of the Korean side of parallel text by those of the English.
- Rényi efficiency (Zouhar et al. 2023, section 3): the Rényi entropy of order 2.5 of the tokens' frequencies, by the
  logarithm of the vocabulary. We divide by all ids that stand for a text, they by those that occur: else a
  vocabulary that is never used would cost nothing.

Errors are 95 % intervals of 1,000 bootstrap samples of documents (Efron and Tibshirani 1993, chapter 13): tokens of one
document are not independent, documents are nearly. Seeded, so the same every time.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

ALPHA = 2.5
SAMPLES = 1000
_SEED = 20231
_CELLS = 1 << 22


class Score(NamedTuple):
    """A value with the ends of its 95 % interval; None where nothing was counted, or of one document."""

    value: float | None
    low: float | None = None
    high: float | None = None


def ratio(parts: np.ndarray, wholes: np.ndarray) -> Score:
    """Sum of `parts` by sum of `wholes`, both (num_docs), resampled by document.

    >>> ratio(np.array([2, 4]), np.array([1, 2])), ratio(np.array([1]), np.array([0]))
    (Score(value=2.0, low=2.0, high=2.0), Score(value=None, low=None, high=None))
    """
    total = float(wholes.sum())
    if not total:
        return Score(None)
    value = float(parts.sum()) / total
    if len(parts) < 2:
        return Score(value)
    above, below = resampled(np.stack([parts, wholes]).astype(np.float64))
    found = above[below > 0] / below[below > 0]
    low, high = np.quantile(found, (0.025, 0.975)).tolist()
    return Score(value, low, high)


def resampled(columns: np.ndarray) -> np.ndarray:
    """Sums of (num_columns, num_docs) over SAMPLES draws of as many documents, (num_columns, SAMPLES).

    How often each document is drawn is what is drawn: Poisson(1) a document, which is the bootstrap when documents are
    many (Chamandy et al. 2012), in a matrix product instead of a gather.
    """
    size = columns.shape[1]
    rng = np.random.Generator(np.random.PCG64(_SEED))
    rows = max(1, _CELLS // max(1, size))
    sums = [
        rng.poisson(1.0, (min(rows, SAMPLES - first), size)).astype(np.float64) @ columns.T
        for first in range(0, SAMPLES, rows)
    ]
    return np.concatenate(sums).T


def renyi_efficiency(used: np.ndarray, num_tokens: int) -> float | None:
    """Of how often each id came; `num_tokens` are those of the vocabulary.

    >>> renyi_efficiency(np.array([5, 5, 5, 5]), 4), renyi_efficiency(np.array([7, 0]), 2)
    (1.0, 0.0)
    """
    total = used.sum()
    if not total or num_tokens < 2:
        return None
    shares = used[used > 0] / total
    entropy = math.log(math.fsum((shares**ALPHA).tolist())) / (1 - ALPHA)
    return abs(entropy) / math.log(num_tokens)


def precision_recall(right: int, found: int, gold: int) -> dict[str, Any]:
    """Precision, recall and F1 of `right` among `found` and `gold`.

    >>> precision_recall(1, 2, 4)
    {'precision': 0.5, 'recall': 0.25, 'f1': 0.3333333333333333}
    """
    both = found + gold
    return {
        "precision": right / found if found else None,
        "recall": right / gold if gold else None,
        "f1": 2 * right / both if both else None,
    }
