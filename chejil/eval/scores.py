"""Scores of answers: macro-F1, accuracy, what is predicted how often.

Macro-F1 is scikit-learn's `f1_score(average="macro", zero_division=0)`: the unweighted mean of the classes' F1 over the
classes that occur in gold or predicted answers. It is computed from counts of (gold, predicted), many resamples at
once: bootstrap and permutation need it thousands of times (4,000 resamples of 1,404 items take 0.3 ms once drawn;
through scikit-learn 8 s). A constant answer scores 0.333 where two classes are balanced, which looks like a weak model
and is none.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

CONSTANT_SHARE = 0.95
"""Share of one predicted class from which a model is said to answer nearly that alone."""


def codes(labels: Sequence[Hashable], known: Sequence[Hashable]) -> np.ndarray:
    """Places of `labels` among `known`, (num_items,) int64.

    >>> codes(["예", "아니오", "예"], ["아니오", "예"]).tolist()
    [1, 0, 1]
    """
    place = {label: number for number, label in enumerate(known)}
    return np.array([place[label] for label in labels], np.int64)


def macro_f1(gold: np.ndarray, predicted: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
    """Macro-F1 of cells that stand for several items each.

    Args:
        gold: (num_cells,), codes of classes.
        predicted: (num_cells,).
        weights: (num_samples, num_cells), items of each cell in each resample.
        classes: how many there are.

    Returns:
        (num_samples,), shares of 1.
    """
    total, found = np.zeros(len(weights)), np.zeros(len(weights))
    for code in range(classes):
        is_gold, is_predicted = gold == code, predicted == code
        both = weights[:, is_gold & is_predicted].sum(axis=1)
        either = weights[:, is_gold].sum(axis=1) + weights[:, is_predicted].sum(axis=1)
        total += np.divide(2.0 * both, either, out=np.zeros(len(weights)), where=either > 0)
        found += either > 0
    return np.divide(total, found, out=np.zeros(len(weights)), where=found > 0)


def macro_f1_of(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> float:
    """Macro-F1 of answers, an item an element.

    >>> macro_f1_of([0, 1, 1, 0], [1, 1, 0, 0])
    0.5
    >>> round(macro_f1_of(["a", "b"] * 50, ["a"] * 100), 3)
    0.333
    """
    known = list(dict.fromkeys([*gold, *predicted]))
    ones = np.ones((1, len(gold)))
    return float(macro_f1(codes(gold, known), codes(predicted, known), ones, len(known))[0])


def shares(labels: Sequence[Hashable]) -> dict[str, float]:
    """How often each class occurs, as a share, by its name; the most frequent first, equals by name.

    >>> shares([1, 0, 1, 1])
    {'1': 0.75, '0': 0.25}
    """
    counts: dict[str, int] = {}
    for label in labels:
        counts[str(label)] = counts.get(str(label), 0) + 1
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return {label: count / len(labels) for label, count in ordered}


def constant_answer(predicted: Sequence[Hashable], gold: Sequence[Hashable]) -> str | None:
    """`one class` where one alone is predicted, `nearly one class` from CONSTANT_SHARE of the answers on, else None.

    Where the gold answers are no more mixed, nothing is wrong.

    >>> (
    ...     constant_answer([1, 1, 1], [0, 1, 1]),
    ...     constant_answer([1, 0], [0, 1]),
    ...     constant_answer([1, 1], [1, 1]),
    ... )
    ('one class', None, None)
    """
    if not predicted:
        return None
    top, gold_top = max(shares(predicted).values()), max(shares(gold).values())
    if top <= gold_top or top < CONSTANT_SHARE:
        return None
    return "one class" if top == 1.0 else "nearly one class"
