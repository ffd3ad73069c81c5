"""The report of a sweep: everything that it says, as one object, and the files made of it.

`report.json` holds every number of the page and of the terminal, with the folders that it comes from, the hash of
the sweep.json that it was made of and the objective that was asked for; so `chejil verify` can make it again. The
page names report.json's hash. Equal sweeps give equal bytes: nothing here reads a clock or knows where the folder is.
A report of 32 proxies takes 6 s of one core, half of it the second fit for the held-out check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from chejil.curation import shards
from chejil.curation.progress import Progress, Silent
from chejil.errors import ChejilError
from chejil.eval.ablating.decision import few_seeds
from chejil.eval.ablating.objective import Objective, ObjectiveSettings, objective
from chejil.eval.ablating.prediction import Fit, fit
from chejil.eval.ablation_reports import decisions, fit_section, item_scores, measured, recommended, transfer
from chejil.eval.ablation_reports.decisions import DecisionSection
from chejil.eval.ablation_reports.fit_section import FitSection
from chejil.eval.ablation_reports.item_scores import ItemScore
from chejil.eval.ablation_reports.measured import Measured, Signal, signal
from chejil.eval.ablation_reports.recommended import RecommendedSection
from chejil.eval.ablation_reports.sweep_file import NAME, Sweep
from chejil.eval.ablation_reports.text_noise import HeldOutText
from chejil.eval.ablation_reports.transfer import TransferSection

FORMAT = "chejil ablation report 1"
JSON, PAGE, MIXTURE, CANDIDATE = "report.json", "report.html", "mixture.yaml", "candidate.yaml"
LEAST_POOL = 100
"""Sequences of a source in the pool below which a report warns of it: all seeds share them."""


@dataclass(frozen=True)
class ProxyRow:
    """A proxy that counts: bits per byte by domain, and value, ko, en as the objective weighs them."""

    name: str
    proposal: str
    kind: str
    seed: int
    tokens: int
    bits_per_byte: Mapping[str, float]
    value: float
    ko: float
    en: float
    folder: str


@dataclass(frozen=True)
class MeasureRow:
    """A domain, or value, ko, en: noise by seed beside the spread over mixtures; folders of the replicates."""

    measure: str
    signal: Signal
    folders: list[str]


@dataclass(frozen=True)
class Report:
    """All that is said of a sweep. no_fit: why there is none; None if there is one, and for arms.

    arm_text: what each arm holds (sweep_file.ArmText).
    """

    name: str
    about: str
    complete: bool
    arms: list[str] | None
    arm_text: list[dict[str, Any]]
    sweep_hash: str
    objective: dict[str, Any]
    objective_weights: dict[str, float]
    max_epochs: float | None
    horizon_tokens: float | None
    patterns: dict[str, dict[str, float]]
    cost: dict[str, Any]
    trained: int
    excluded: dict[str, str]
    proxies: list[ProxyRow]
    noise: list[MeasureRow]
    fit: FitSection | None
    no_fit: str | None
    recommended: RecommendedSection | None
    decisions: DecisionSection
    transfer: TransferSection | None
    scores: list[ItemScore]
    warnings: list[str] = field(default_factory=list)
    format: str = FORMAT

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def stated(sweep: Sweep, **overruled: Any) -> ObjectiveSettings:
    """The sweep's objective, with what is overruled: `weights`, `english_worse_percent`, `tether`.

    Weights that are given take the place of a bound on English, and the other way round.
    """
    given = {key: value for key, value in overruled.items() if value is not None}
    said = sweep.objective.model_dump()
    if "weights" in given:
        said["english_worse_percent"] = None
    if "english_worse_percent" in given:
        said["weights"] = {}
    return ObjectiveSettings(languages=sweep.languages, **said | given)


def report(root: str, sweep: Sweep, settings: ObjectiveSettings, bars: Progress | None = None) -> Report:
    """Make the report.

    Raises:
        ChejilError: no proxy that counts, an objective that does not fit the domains.
    """
    bars = bars or Silent()
    bars.start("report", 4, 0)
    found = measured.measured(sweep, sweep.proxies)
    goal = objective(settings, found.domains, np.zeros(len(sweep.sources)), _natural(sweep, found))
    fitted, no_fit = _fitted(sweep, found)
    bars.advance("report", "fit")
    fit_part = fit_section.section(sweep, found, fitted, goal.weights) if fitted else None
    bars.advance("report", "held-out check")
    best = _recommended(sweep, found, fitted, settings, fit_part)
    bars.advance("report", "search")
    text = HeldOutText(root)
    decided = decisions.section(sweep, found, goal, text)
    bars.advance("report", "decisions")
    bars.finish("report")
    return Report(
        sweep.name, sweep.about, sweep.complete, sweep.arms.names if sweep.arms else None,
        [one.model_dump() for one in sweep.arms.text] if sweep.arms else [],
        shards.file_hash(shards.join(root, NAME)), settings.model_dump(), _named(found, goal.weights),
        sweep.limits.max_epochs if sweep.limits.horizon_tokens else None, sweep.limits.horizon_tokens,
        {one.name: one.shares() for one in sweep.sources}, sweep.cost, len(sweep.proxies), found.excluded,
        _proxies(sweep, found, goal), _noise(found, goal), fit_part, no_fit, best, decided,
        transfer.section(sweep, found, measured.measures(goal)),
        item_scores.section(found), [*_chance(fit_part), *_warnings(sweep, found, text)],
    )  # fmt: skip


def _natural(sweep: Sweep, found: Measured) -> np.ndarray:
    """What the natural mixture measured, (num_domains,), to which a bound on English refers.

    Zeros where it was not: nothing is then compared with it.
    """
    rows = found.of(sweep.of_kind("natural") or "")
    return found.values[rows].mean(axis=0) if rows else np.zeros(len(found.domains))


def _fitted(sweep: Sweep, found: Measured) -> tuple[Fit | None, str | None]:
    if sweep.arms is not None:
        return None, None
    try:
        return fit(measured.panel(sweep, found)), None
    except ChejilError as error:
        return None, f"{error.what}; {error.mend}"


def _recommended(
    sweep: Sweep, found: Measured, fitted: Fit | None, settings: ObjectiveSettings, part: FitSection | None
) -> RecommendedSection | None:
    if fitted is None or part is None:
        return None
    horizon = sweep.limits.horizon_tokens
    return recommended.section(found, fitted, sweep.bounds(), settings, horizon, part.chance)


def _named(found: Measured, weights_M: np.ndarray) -> dict[str, float]:
    return dict(zip(found.domains, map(float, weights_M), strict=True))


def _proxies(sweep: Sweep, found: Measured, goal: Objective) -> list[ProxyRow]:
    return [
        ProxyRow(
            one.name, one.proposal, sweep.proposal(one.proposal).kind, one.seed, one.tokens, _named(found, row),
            float(row @ goal.weights), float(row @ goal.ko), float(row @ goal.en), one.folder,
        )
        for one, row in zip(found.proxies, found.values, strict=True)
    ]  # fmt: skip


def _noise(found: Measured, goal: Objective) -> list[MeasureRow]:
    several = [name for name in found.proposals if len(found.of(name)) > 1]
    folders = found.folders(*several) if several else []
    columns = dict(zip(found.domains, found.values.T, strict=True))
    columns |= {name: found.values @ weights for name, weights in measured.measures(goal).items()}
    return [MeasureRow(name, signal(values, found.group), folders) for name, values in columns.items()]


def _chance(part: FitSection | None) -> list[str]:
    if part is None or not part.chance:
        return []
    rho, p = (("?" if one is None else f"{one:.3f}") for one in (part.value.spearman, part.value.p))
    return [
        f"this fit ranks no better than chance: rank correlation {rho} of the objective on outer folds (p {p}), error "
        f"{part.error:.4f} beside a spread over mixtures of {part.spread:.4f}; its predictions say nothing"
    ]


def _warnings(sweep: Sweep, found: Measured, text: HeldOutText) -> list[str]:
    said = [] if sweep.complete else ["the sweep is not complete: this is what there is of it"]
    said += sweep.warnings
    had = {(one.proposal, one.seed) for one in sweep.proxies}
    if gone := [
        f"{one.name}-{seed}" for one in sweep.proposals for seed in one.seeds if (one.name, seed) not in had
    ]:
        said.append(f"{len(gone)} proxies are not there: {_listed(gone)}")
    if empty := [one.name for one in sweep.proposals if one.name not in found.proposals]:
        said.append(f"no proxy that counts: {_listed(empty)}")
    if not any(len(found.of(name)) > 1 for name in found.proposals):
        said.append("no mixture has several seeds: nobody knows the noise, and nothing can be decided")
    if sweep.arms is not None:
        said += few_seeds(min((len(found.of(name)) for name in sweep.arms.names), default=0))
    said += [
        f"the pool of {name} has {count} sequences, fewer than {LEAST_POOL}: what it owes to the choice of them is in "
        "no interval; give it no verdict"
        for name, count in sweep.pool_sequences().items()
        if count < LEAST_POOL
    ]
    for name, why in sorted(text.missing.items()):
        said.append(f"held-out sequences of {name}: {why}; intervals with it are of seeds alone")
    return said


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
