"""From a fitted panel to a mixture to train on, with what it is worth and what it costs.

The gain over the natural mixture is a paired difference: every bootstrap sample of the fit predicts both. A gain
whose interval holds 0 is no reason to leave the natural mixture, and the recommendation says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chejil.eval.ablating import mixtures, pareto
from chejil.eval.ablating.limits import Limits
from chejil.eval.ablating.mixtures import Mixture
from chejil.eval.ablating.objective import Objective, ObjectiveSettings, objective
from chejil.eval.ablating.pareto import Exchange
from chejil.eval.ablating.prediction import Fit
from chejil.eval.ablating.search import candidates, search

BEYOND = 1.05
"""Times the highest bits per byte that a proxy measured on a domain: predictions above it are not on the front."""


@dataclass(frozen=True)
class Predicted:
    """Bits per byte of a domain with its 90 % ends, of the mean over seeds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class FrontPoint:
    """A mixture on the front, with predicted bits per byte of both languages."""

    mixture: Mixture
    korean_share: float
    ko: float
    en: float


@dataclass(frozen=True)
class Recommendation:
    """The mixture, what is predicted for it, its distance from natural, and the front around it.

    gain: weighted bits per byte better than natural, with 90 % ends. total_variation and kl: from natural.
    at_limit: sources that a limit holds back or up, each with the setting of it (`Limits.held`).
    """

    mixture: Mixture
    natural: Mixture
    predicted: Mapping[str, Predicted]
    gain: Predicted
    total_variation: float
    kl: float
    at_limit: Mapping[str, str]
    exchange: Exchange | None
    front: tuple[FrontPoint, ...]
    warnings: tuple[str, ...] = ()


def recommend(
    fitted: Fit, bounds: Limits, settings: ObjectiveSettings, prior: Mixture | None = None, seed: int = 1
) -> Recommendation:
    """The best mixture within the limits.

    Args:
        prior: what the mixture is tethered to [default: natural, moved into the limits].

    Raises:
        ChejilError: as `objective`.
    """
    start = prior or mixtures.natural(bounds.sources)
    natural = bounds.moved_in(start.vector[None])[0]
    goal = objective(settings, fitted.domains, natural, fitted.predict(natural[None])[0])
    trained = fitted.panel.weights
    drawn = candidates(bounds, natural, np.vstack([trained, natural]), seed=seed)
    reach = np.vstack([trained, natural])
    best = search(lambda w_NK: goal.value(w_NK, fitted.predict(w_NK)), bounds, drawn, reach)
    gain = _gain(fitted, goal, natural, best.weights)
    return Recommendation(
        mixtures.named(best.weights, bounds.names),
        mixtures.named(natural, bounds.names),
        _predicted(fitted, best.weights),
        gain,
        float(mixtures.total_variation(best.weights, natural)),
        float(mixtures.kl(best.weights, natural)),
        bounds.held(best.weights),
        pareto.exchange(fitted, goal, bounds, best.weights),
        _front(fitted, goal, bounds, np.vstack([drawn, best.weights, natural])),
        _warnings(gain),
    )


def _predicted(fitted: Fit, weights_K: np.ndarray) -> dict[str, Predicted]:
    low, high = fitted.intervals(weights_K[None])
    rows = zip(fitted.domains, fitted.predict(weights_K[None])[0], low[0], high[0], strict=True)
    return {name: Predicted(float(value), float(least), float(most)) for name, value, least, most in rows}


def _gain(fitted: Fit, goal: Objective, natural_K: np.ndarray, best_K: np.ndarray) -> Predicted:
    drawn = fitted.samples(np.stack([natural_K, best_K])) @ goal.weights
    gained = drawn[:, 0] - drawn[:, 1]
    # Both ends are predicted by one shape of curve, which is wrong at both: half of either's part is left.
    rest = float(fitted.unexplained @ goal.weights**2)
    half = fitted.quantile(0.9) * float(np.sqrt(gained.var(ddof=1) + rest))
    return Predicted(float(gained.mean()), float(gained.mean()) - half, float(gained.mean()) + half)


def _warnings(gain: Predicted) -> tuple[str, ...]:
    if gain.low > 0:
        return ()
    return (
        f"a gain of {gain.value:.4f} bits per byte over natural may be none ({gain.low:.4f} to {gain.high:.4f}): "
        "train more proxies, or keep the natural mixture",
    )


def _front(fitted: Fit, goal: Objective, bounds: Limits, weights_NK: np.ndarray) -> tuple[FrontPoint, ...]:
    values = fitted.predict(weights_NK)
    # A law that is exponential in the shares says 80 bits per byte where it was never tried: that is no exchange.
    known = (values <= BEYOND * fitted.panel.values.max(axis=0)).all(axis=1)
    weights_NK, values = weights_NK[known], values[known]
    ko, en = values @ goal.ko, values @ goal.en
    chosen = pareto.spread(pareto.front(ko, en), ko)
    shares = pareto.korean_share(weights_NK, bounds)
    return tuple(
        FrontPoint(
            mixtures.named(weights_NK[one], bounds.names), float(shares[one]), float(ko[one]), float(en[one])
        )
        for one in chosen
    )
