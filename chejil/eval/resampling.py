"""Errors and differences by resampling items: bootstrap and permutation over cells of equal items.

Items that are alike (same gold answer, same predicted answer, same scores) are one cell with a count, and a resample of
n items is a multinomial draw over the cells: exactly the bootstrap (Efron and Tibshirani 1993, chapter 6), without
gathering n items 4,000 times. Two runs are compared on the items that both have (chapter 15; Koehn 2004 for
systems on one test set): cells hold both answers, so a hard item is hard for both.

A difference has two numbers: its 95 % interval by paired bootstrap, and a p-value by permutation (Noreen 1989): each
item's two answers are swapped by a coin, and p is how often that gives a difference as large, (1 + k)/(1 + n). With
4,000 resamples a standard error is known to about 1 %, and p is no smaller than 1/4,001. Draws are seeded by the task's
name, so neither the order of items nor that of tasks changes a digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xxhash

from chejil.eval import scores
from chejil.eval.results import BITS, BYTES, NATS, Item, TaskResult

SAMPLES = 4000
_CELLS = 1 << 22
"""Numbers of a draw that are held at once: 34 MB."""


@dataclass(frozen=True)
class Side:
    """A run's answers by cell: codes of predicted classes, and scores by metric, each (num_cells,)."""

    predicted: np.ndarray
    scores: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Cells:
    """Equal items together: `counts` and `gold` are (num_cells,), `sides` the answers of one run or two."""

    counts: np.ndarray
    gold: np.ndarray
    classes: int
    sides: tuple[Side, ...]

    @property
    def items(self) -> int:
        """All of them."""
        return int(self.counts.sum())


def cells(metrics: Sequence[str], runs: Sequence[Sequence[Item]]) -> Cells:
    """Cells of one run's items, or of two runs' in the same order of ids."""
    known = _classes(runs) if "macro_f1" in metrics else []
    rows = [_codes(runs[0], known, "gold")]
    for items in runs:
        rows.append(_codes(items, known, "predicted"))
        rows += [_scores(items, name) for name in _columns(metrics)]
    unique, counts = np.unique(np.stack(rows, axis=1), axis=0, return_counts=True)
    columns = iter(unique.T)
    gold = next(columns).astype(np.int64)
    sides = tuple(_side(metrics, columns) for _ in runs)
    return Cells(counts, gold, len(known), sides)


def _columns(metrics: Sequence[str]) -> list[str]:
    """Scores of an item that metrics are made of."""
    found: list[str] = []
    for metric in metrics:
        found += [] if metric == "macro_f1" else [NATS, BYTES] if metric == BITS else [metric]
    return found


def _classes(runs: Sequence[Sequence[Item]]) -> list[str]:
    found = {str(label) for items in runs for item in items for label in (item.gold, item.predicted)}
    return sorted(found)


def _codes(items: Sequence[Item], known: Sequence[str], field: str) -> np.ndarray:
    if not known:
        return np.zeros(len(items))
    return scores.codes([str(getattr(item, field)) for item in items], known).astype(np.float64)


def _scores(items: Sequence[Item], metric: str) -> np.ndarray:
    own = [item.scores.get(metric, item.correct) for item in items]
    return np.array(own, np.float64)


def _side(metrics: Sequence[str], columns: Iterator[np.ndarray]) -> Side:
    predicted = next(columns).astype(np.int64)
    return Side(predicted, {name: next(columns) for name in _columns(metrics)})


def values(metrics: Sequence[str], found: Cells, side: Side, weights: np.ndarray) -> np.ndarray:
    """Metrics under weights (num_samples, num_cells), (num_metrics, num_samples)."""
    return np.stack([_value(metric, found, side, weights) for metric in metrics])


def _value(metric: str, found: Cells, side: Side, weights: np.ndarray) -> np.ndarray:
    if metric == "macro_f1":
        return scores.macro_f1(found.gold, side.predicted, weights, found.classes)
    if metric == BITS:
        nats, num_bytes = weights @ side.scores[NATS], weights @ side.scores[BYTES]
        return np.divide(nats, num_bytes * math.log(2), out=np.zeros(len(weights)), where=num_bytes > 0)
    return weights @ side.scores[metric] / found.items


def point(metrics: Sequence[str], found: Cells, side: int = 0) -> np.ndarray:
    """The metrics themselves, (num_metrics,)."""
    return values(metrics, found, found.sides[side], found.counts[None].astype(np.float64))[:, 0]


def bootstrap(task: str, metrics: Sequence[str], found: Cells, samples: int = SAMPLES) -> np.ndarray:
    """Metrics of each side under the same resamples, (num_sides, num_metrics, num_samples)."""
    rng, parts = _generator("bootstrap", task), []
    shares = found.counts / found.items
    for size in _sizes(samples, len(shares)):
        weights = rng.multinomial(found.items, shares, size).astype(np.float64)
        parts.append(np.stack([values(metrics, found, side, weights) for side in found.sides]))
    return np.concatenate(parts, axis=2)


def permuted(task: str, metrics: Sequence[str], found: Cells, samples: int = SAMPLES) -> np.ndarray:
    """Differences, second side less first, with answers swapped by a coin, (num_metrics, num_samples)."""
    rng, parts = _generator("permutation", task), []
    both = _doubled(found)
    for size in _sizes(samples, 2 * len(found.counts)):
        swapped = rng.binomial(found.counts, 0.5, (size, len(found.counts)))
        stay = found.counts - swapped
        # A swapped item has the other side's answer: it stands among the doubled cells behind those that stay.
        first, second = (np.hstack(pair).astype(np.float64) for pair in ((stay, swapped), (swapped, stay)))
        parts.append(
            values(metrics, both, both.sides[0], second) - values(metrics, both, both.sides[0], first)
        )
    return np.concatenate(parts, axis=1)


def _doubled(found: Cells) -> Cells:
    first, second = found.sides
    answers = np.hstack([first.predicted, second.predicted])
    joined = {name: np.hstack([first.scores[name], second.scores[name]]) for name in first.scores}
    return Cells(found.counts, np.hstack([found.gold, found.gold]), found.classes, (Side(answers, joined),))


def p_value(observed: float, null: np.ndarray) -> float:
    """Share of a null distribution, (num_samples,), that is as far from 0; never 0.

    >>> p_value(0.5, np.array([0.0, 0.5, -0.5, 0.1]))
    0.6
    """
    beyond = int((np.abs(null) >= abs(observed) - 1e-12).sum())
    return (1 + beyond) / (1 + len(null))


def holm(ps: Sequence[float]) -> list[float]:
    """p-values adjusted for being several (Holm 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda one: ps[one])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted


def common(first: TaskResult, second: TaskResult) -> tuple[list[Item], list[Item]]:
    """The items that both have, in the order of ids; gold answers are the first's."""
    others = {item.id: item for item in second.items}
    mine = sorted((item for item in first.items if item.id in others), key=lambda item: item.id)
    return mine, [others[item.id] for item in mine]


def _generator(kind: str, task: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(xxhash.xxh3_64_intdigest(f"{kind} {task}".encode())))


def _sizes(samples: int, width: int) -> Iterator[int]:
    step = max(1, _CELLS // max(1, width))
    for start in range(0, samples, step):
        yield min(step, samples - start)
