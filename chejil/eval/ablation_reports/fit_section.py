"""How well the fit predicts: nested cross-validation by domain, and mixtures that it never saw.

The outer folds' score is of choosing and fitting together, yet the same folds are seen by whoever looks at the
report twice. So every fourth random mixture is also held out wholly, where there are at least twenty mixtures: a fit
that is made without them predicts them. The recommendation uses all.

A fit whose outer folds rank the objective no better than luck does (p above 0.05), or miss it by no less than mixtures
differ, says nothing about mixtures: then natural is advised, and no front is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chejil.errors import ChejilError
from chejil.eval.ablating.choosing import mean_by_group
from chejil.eval.ablating.panel import Panel
from chejil.eval.ablating.prediction import Fit, fit
from chejil.eval.ablation_reports.measured import VALUE, Measured, Signal, signal
from chejil.eval.ablation_reports.ranks import Ranks, ranks
from chejil.eval.ablation_reports.sweep_file import Sweep

EVERY = 4
LEAST_MIXTURES = 20
LUCK = 0.05
"""One-sided p of the objective's rank correlation on outer folds from which on the order may be luck."""


@dataclass(frozen=True)
class DomainFit:
    """A domain: regression chosen, errors of all kinds (inner folds), ranks and root mean square error on outer folds.

    Noise and spread stand beside the error: what is below the noise cannot be predicted.
    """

    domain: str
    language: str
    kind: str
    errors: Mapping[str, float]
    nested: Ranks
    rmse: float
    signal: Signal


@dataclass(frozen=True)
class HeldOutCheck:
    """Mixtures that a fit to the others predicted. by_domain has the objective's value, too, as `(value)`."""

    proposals: list[str]
    folders: list[str]
    fitted_to: int
    by_domain: Mapping[str, Ranks]


@dataclass(frozen=True)
class FitSection:
    """The fit. predicted: by proxy and domain, each by folds that saw neither it nor its replicates.

    error and spread: of the objective, root mean square on outer folds and standard deviation over mixtures. chance:
    the fit ranks no better than luck does, or predicts no better than the mean of all mixtures.
    """

    mixtures: int
    domains: list[DomainFit]
    value: Ranks
    error: float
    spread: float
    chance: bool
    predicted: Mapping[str, Mapping[str, float]]
    held_out: HeldOutCheck | None
    folders: list[str]


def section(sweep: Sweep, found: Measured, fitted: Fit, weights_M: np.ndarray) -> FitSection:
    """Everything about the fit. weights_M: of domains in the value."""
    choice, group = fitted.choice, fitted.panel.group
    means, told = mean_by_group(group, found.values), mean_by_group(group, choice.predicted)
    domains = [
        DomainFit(
            name, sweep.languages[name], choice.kinds[at], {kind: row[name] for kind, row in choice.errors.items()},
            ranks(told[:, at], means[:, at]), choice.rmse[name], signal(found.values[:, at], found.group),
        )
        for at, name in enumerate(found.domains)
    ]  # fmt: skip
    predicted = {
        one.name: dict(zip(found.domains, map(float, row), strict=True))
        for one, row in zip(found.proxies, choice.predicted, strict=True)
    }
    value = ranks(told @ weights_M, means @ weights_M)
    error = float(np.sqrt((((told - means) @ weights_M) ** 2).mean()))
    spread = float((means @ weights_M).std(ddof=1))
    chance = value.p is None or value.p > LUCK or error >= spread
    return FitSection(
        fitted.panel.mixtures, domains, value, error, spread, chance, predicted,
        held_out(sweep, found, fitted.panel, weights_M), found.folders(),
    )  # fmt: skip


def held_out(sweep: Sweep, found: Measured, whole: Panel, weights_M: np.ndarray) -> HeldOutCheck | None:
    """Predict every fourth random mixture by a fit to the rest; None where there are too few."""
    random = [name for name in found.proposals if sweep.proposal(name).kind == "random"]
    names = random[EVERY - 1 :: EVERY]
    if whole.mixtures < LEAST_MIXTURES or not names:
        return None
    apart = np.isin(whole.group, whole.group[[found.of(name)[0] for name in names]])
    try:
        fitted = fit(whole.rows(~apart))
    except ChejilError:  # sources so many that the rest is too small for a fit
        return None
    rest = whole.rows(apart)
    told = mean_by_group(rest.group, fitted.predict(rest.weights))
    means = mean_by_group(rest.group, rest.values)
    columns = dict(zip(found.domains, zip(told.T, means.T, strict=True), strict=True))
    columns[VALUE] = (told @ weights_M, means @ weights_M)
    return HeldOutCheck(
        names,
        found.folders(*names),
        fitted.panel.mixtures,
        {name: ranks(*pair) for name, pair in columns.items()},
    )
