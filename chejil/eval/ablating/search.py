"""The best mixture within limits: many candidates, then moves of mass between two sources, smaller and smaller.

No gradient: a fit by trees has none, and six sources need none. 4,096 candidates around the prior and around the
mixtures that were trained find the valley; moving from the mean of the best eight, every pair of sources
exchanges a step of mass until no exchange helps at 0.1 %. The mean of the best is RegMix's answer to a flat
valley; it is kept where it is better. Fits are trusted only near what was trained: a candidate is at most `REACH`
(total variation) from its nearest proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chejil.eval.ablating import mixtures
from chejil.eval.ablating.limits import Limits

CANDIDATES = 4096
BEST = 8
REACH = 0.35
LEAST_STEP = 0.001

Value = Callable[[np.ndarray], np.ndarray]
"""Mixtures (N, num_sources) to what shall be small, (N,)."""


@dataclass(frozen=True)
class Found:
    """The best mixture, its value, and how many were evaluated."""

    weights: np.ndarray
    value: float
    evaluated: int


def candidates(
    bounds: Limits, prior_K: np.ndarray, trained_NK: np.ndarray, count: int = CANDIDATES, seed: int = 1
) -> np.ndarray:
    """Mixtures within the limits: half around the prior, half around those trained, and those themselves."""
    rng = np.random.default_rng(seed)
    centres = np.vstack(
        [np.tile(prior_K, (count // 2, 1)), trained_NK[rng.integers(0, len(trained_NK), count // 2)]]
    )
    strengths = np.exp(rng.uniform(np.log(2), np.log(200), len(centres)))
    gammas = rng.standard_gamma(strengths[:, None] * centres + 0.05)
    drawn = gammas / gammas.sum(axis=1, keepdims=True)
    return _reached(np.vstack([bounds.moved_in(trained_NK), bounds.moved_in(drawn)]), trained_NK)


def _reached(weights_NK: np.ndarray, trained_NK: np.ndarray) -> np.ndarray:
    apart = mixtures.total_variation(weights_NK[:, None], trained_NK[None]).min(axis=1)
    return weights_NK[apart <= REACH]


def search(value: Value, bounds: Limits, drawn_NK: np.ndarray, trained_NK: np.ndarray) -> Found:
    """The best of the candidates, refined."""
    values = value(drawn_NK)
    order = np.argsort(values, kind="stable")
    middle = bounds.moved_in(drawn_NK[order[:BEST]].mean(axis=0)[None])
    starts = np.vstack([drawn_NK[order[:1]], middle])
    best = starts[int(np.argmin(value(starts)))]
    return refined(value, bounds, best, trained_NK, len(drawn_NK))


def refined(
    value: Value, bounds: Limits, start_K: np.ndarray, trained_NK: np.ndarray, evaluated: int = 0
) -> Found:
    """Exchange mass between pairs of sources, the best exchange first, until none helps at the least step."""
    best, lowest, step = start_K, float(value(start_K[None])[0]), 0.08
    while step >= LEAST_STEP:
        moved = _reached(bounds.moved_in(_exchanges(best, step)), trained_NK)
        values = value(moved) if len(moved) else np.array([np.inf])
        evaluated += len(moved)
        place = int(np.argmin(values))
        if values[place] < lowest - 1e-9:
            best, lowest = moved[place], float(values[place])
        else:
            step /= 2
    return Found(best, lowest, evaluated)


def _exchanges(weights_K: np.ndarray, step: float) -> np.ndarray:
    """Each ordered pair: `step` of mass, or what there is, from the first to the second."""
    rows = []
    for giver in range(len(weights_K)):
        mass = min(step, float(weights_K[giver]))
        for taker in range(len(weights_K)):
            if giver != taker and mass > 0:
                moved = weights_K.copy()
                moved[giver] -= mass
                moved[taker] += mass
                rows.append(moved)
    return np.array(rows).reshape(-1, len(weights_K))
