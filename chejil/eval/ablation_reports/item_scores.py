"""Likelihood-scored items by mixture: can they decide anything at this size?

A score of small models is mostly luck. What can be decided shows in the spread over mixtures beside the noise by seed;
p is of no difference between any two mixtures, multiplied by the number of scores (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chejil.eval.ablation_reports.measured import Measured, Signal, signal


@dataclass(frozen=True)
class ItemScore:
    """A score: its mean by proposal, signal beside noise, and whether it tells mixtures apart (None: not known)."""

    score: str
    means: Mapping[str, float]
    signal: Signal
    tells: bool | None
    proxies: int
    folders: list[str]


def section(found: Measured) -> list[ItemScore]:
    """All scores that a proxy has, by name; proxies without one are left out of it."""
    names = sorted({name for one in found.proxies for name, value in one.scores.items() if _is_number(value)})
    return [_score(found, name, len(names)) for name in names]


def _is_number(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))


def _score(found: Measured, name: str, scores: int) -> ItemScore:
    rows = [row for row, one in enumerate(found.proxies) if _is_number(one.scores.get(name))]
    values = np.array([found.proxies[row].scores[name] for row in rows], np.float64)
    group = found.group[rows]
    means = {found.proposals[one]: float(values[group == one].mean()) for one in np.unique(group)}
    seen = signal(values, group)
    tells = None if seen.p is None else seen.p * scores < 0.05
    return ItemScore(name, means, seen, tells, len(rows), [found.proxies[row].folder for row in rows])
