"""The recommended mixture as a report tells it: shares, epochs, predictions beside natural's, front, what it rests on.

It was not trained. The nearest mixture that was is named with its distance, so that one sees how far the fit was
followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chejil.eval.ablating import mixtures
from chejil.eval.ablating.limits import Limits
from chejil.eval.ablating.objective import ObjectiveSettings
from chejil.eval.ablating.pareto import Exchange
from chejil.eval.ablating.prediction import Fit
from chejil.eval.ablating.recommendation import FrontPoint, Predicted, recommend
from chejil.eval.ablation_reports.measured import Measured


@dataclass(frozen=True)
class SourceShare:
    """A source in the natural and in the recommended mixture. epochs: at the horizon, None without one.

    limit: the setting that holds it at its limit (`low`, `least_sequences`, `high`, `max_epochs`), or None.
    """

    source: str
    language: str
    natural_bytes: float
    bytes: float
    tokens: float
    natural_epochs: float | None
    epochs: float | None
    at_limit: bool
    limit: str | None


@dataclass(frozen=True)
class DomainPrediction:
    """Bits per byte of a domain (or `ko`, `en`) predicted for both mixtures, with 90 % ends."""

    domain: str
    natural: Predicted
    recommended: Predicted


@dataclass(frozen=True)
class RecommendedSection:
    """See recommendation.Recommendation; gain is of weighted bits per byte over natural, with 90 % ends."""

    sources: list[SourceShare]
    domains: list[DomainPrediction]
    gain: Predicted
    leave_natural: bool
    kl: float
    total_variation: float
    at_limit: list[str]
    nearest: str
    nearest_distance: float
    natural_point: tuple[float, float]
    recommended_point: tuple[float, float]
    front: list[FrontPoint]
    exchange: Exchange | None
    warnings: list[str]
    folders: list[str]


def section(
    found: Measured,
    fitted: Fit,
    bounds: Limits,
    settings: ObjectiveSettings,
    horizon_tokens: float | None,
    chance: bool = False,
) -> RecommendedSection:
    """Search, and say what the mixture is worth.

    Args:
        horizon_tokens: of the large run, for epochs.
        chance: the fit predicts no better than luck: natural is advised, and nothing is said of front and exchange.

    Raises:
        ChejilError: an objective that does not fit the domains, limits that no mixture keeps.
    """
    best = recommend(fitted, bounds, settings)
    both = np.stack([best.natural.vector, best.mixture.vector])
    distances = mixtures.total_variation(fitted.panel.weights, both[1])
    nearest = int(np.argmin(distances))
    points = _points(fitted, settings, both)
    return RecommendedSection(
        sources=_shares(bounds, both, best.at_limit, horizon_tokens),
        domains=_predictions(fitted, both),
        gain=best.gain,
        leave_natural=best.gain.low > 0 and not chance,
        kl=best.kl,
        total_variation=best.total_variation,
        at_limit=list(best.at_limit),
        nearest=found.proxies[nearest].proposal,
        nearest_distance=float(distances[nearest]),
        natural_point=points[0],
        recommended_point=points[1],
        front=[] if chance else list(best.front),
        exchange=None if chance else best.exchange,
        warnings=list(best.warnings),
        folders=found.folders(),
    )


def _shares(
    bounds: Limits, both_2K: np.ndarray, at_limit: Mapping[str, str], horizon: float | None
) -> list[SourceShare]:
    tokens = mixtures.token_shares(both_2K[1], bounds.sources)
    epochs = mixtures.epochs(both_2K, bounds.sources, horizon).tolist() if horizon else None
    return [
        SourceShare(
            one.name, one.language, float(both_2K[0, at]), float(both_2K[1, at]), float(tokens[at]),
            epochs[0][at] if epochs else None, epochs[1][at] if epochs else None, one.name in at_limit,
            at_limit.get(one.name),
        )
        for at, one in enumerate(bounds.sources)
    ]  # fmt: skip


def _predictions(fitted: Fit, both_2K: np.ndarray) -> list[DomainPrediction]:
    values, (low, high) = fitted.predict(both_2K), fitted.intervals(both_2K)
    ends = [
        [Predicted(*map(float, one)) for one in zip(*rows, strict=True)]
        for rows in zip(values, low, high, strict=True)
    ]
    return [DomainPrediction(*one) for one in zip(fitted.domains, *ends, strict=True)]


def _points(fitted: Fit, settings: ObjectiveSettings, both_2K: np.ndarray) -> list[tuple[float, float]]:
    """Korean and English bits per byte of both, plain means over the domains of a language."""
    values = fitted.predict(both_2K)
    columns = [[settings.languages[name] == language for name in fitted.domains] for language in ("ko", "en")]
    return [(float(row[columns[0]].mean()), float(row[columns[1]].mean())) for row in values]
