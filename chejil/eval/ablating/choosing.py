"""Which regression: nested cross-validation, so that the score of the choice is no flattery.

Inner folds choose a regression for each domain by squared error; outer folds score *choosing and fitting
together* on mixtures that took part in neither. Replicates of a mixture are in one fold, else a fold would be
predicted from its own noise. Mixtures set aside for a test are never handed to this module. RegMix's notebook
stops its trees early on the test set; at 512 proxies that flatters by 0.0005 of rank correlation, at 32 by much
more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chejil.eval.ablating.panel import Panel
from chejil.eval.ablating.ranking import decision_accuracy, spearman
from chejil.eval.ablating.regressions import KINDS

OUTER, INNER = 6, 4


@dataclass(frozen=True)
class Choice:
    """What was chosen for each domain and how well choosing and fitting predicts unseen mixtures.

    errors: root mean square by kind and domain over the inner folds of the whole panel. predicted: (num_runs,
    num_domains), each run by a fit that saw neither it nor its replicates. spearman, decisions, rmse: by domain,
    of `predicted`.
    """

    kinds: tuple[str, ...]
    errors: dict[str, dict[str, float]]
    predicted: np.ndarray
    spearman: dict[str, float]
    decisions: dict[str, float]
    rmse: dict[str, float]


def folds(group_N: np.ndarray, count: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit and rows to predict, by whole groups, in a shuffled order that the seed sets."""
    groups = np.random.default_rng(seed).permutation(np.unique(group_N))
    for part in np.array_split(groups, min(count, len(groups))):
        held = np.isin(group_N, part)
        yield np.flatnonzero(~held), np.flatnonzero(held)


def choose(found: Panel, kinds: Sequence[str] = tuple(KINDS), seed: int = 1) -> Choice:
    """Choose a regression for each domain; the choice is scored by outer folds."""
    predicted = np.full(found.values.shape, np.nan)
    for train, held in folds(found.group, OUTER, seed):
        inner = found.rows(train)
        for domain, best in enumerate(np.argmin(inner_errors(inner, kinds, seed), axis=0)):
            fitted = KINDS[kinds[int(best)]]().fit(inner.weights, inner.values[:, domain])
            predicted[held, domain] = fitted.predict(found.weights[held])
    errors = inner_errors(found, kinds, seed)
    by_kind = {
        kind: dict(zip(found.domains, map(float, row), strict=True))
        for kind, row in zip(kinds, errors, strict=True)
    }
    means, told = mean_by_group(found.group, found.values), mean_by_group(found.group, predicted)
    columns = list(zip(found.domains, told.T, means.T, strict=True))
    return Choice(
        tuple(kinds[int(best)] for best in np.argmin(errors, axis=0)),
        by_kind,
        predicted,
        {name: spearman(mine, true) for name, mine, true in columns},
        {name: decision_accuracy(mine, true) for name, mine, true in columns},
        {name: float(np.sqrt(np.mean((mine - true) ** 2))) for name, mine, true in columns},
    )


def inner_errors(found: Panel, kinds: Sequence[str], seed: int) -> np.ndarray:
    """Root mean square error of each kind on each domain by plain cross-validation, (num_kinds, num_domains)."""
    squares = np.zeros((len(kinds), len(found.domains)))
    for train, held in folds(found.group, INNER, seed + 1):
        for row, kind in enumerate(kinds):
            for domain in range(len(found.domains)):
                fitted = KINDS[kind]().fit(found.weights[train], found.values[train, domain])
                missed = fitted.predict(found.weights[held]) - found.values[held, domain]
                squares[row, domain] += float(missed @ missed)
    return np.sqrt(squares / len(found.values))


def mean_by_group(group_N: np.ndarray, values_NM: np.ndarray) -> np.ndarray:
    """Means over the replicates of each mixture, (num_mixtures, num_domains)."""
    return np.stack([values_NM[group_N == one].mean(axis=0) for one in np.unique(group_N)])
