"""A sweep on a terminal: what is going to be trained and what it costs; then what each proxy measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import RenderableType

from chejil.curation.progress_display import duration
from chejil.eval.ablating import mixtures
from chejil.eval.ablating.decision import few_seeds
from chejil.eval.ablating.objective import ObjectiveSettings, objective
from chejil.eval.sweeping import sweep_plan
from chejil.eval.sweeping.arms import ArmsPlan
from chejil.eval.sweeping.sweep_folder import LEAST_EXCERPTS
from chejil.eval.sweeping.sweep_plan import SweepPlan
from chejil.terminal import table
from chejil.training.config import PretrainConfig

MOST_ROWS = 40


def content(found: SweepPlan, workers: int) -> dict[str, Any]:
    """For JSON and for tables.

    Returns:
        sources (name, language, tokens, bytes, pool_tokens, epochs), not_mixed (tokens by stream), domains, objective
        (weight by domain), proposals (name, kind, seeds, weights), model, cost, warnings.

    Raises:
        ChejilError: an objective that does not fit the domains: said before anything is trained.
    """
    shares = found.text.pool_shares(found.part).values()
    natural = found.proposals[0].mixture
    times = mixtures.epochs(
        natural.vector, found.text.sources, found.asked.horizon_tokens or found.proxy_tokens
    )
    domains = [one.as_dict() for one in found.text.domains]
    rows = zip(found.text.sources, found.text.here, shares, natural.weights, times, strict=True)
    return {
        "name": found.settings.name,
        "sources": [
            {
                "name": source.name, "pattern": here.pattern, "language": source.language, "bytes": source.unique_bytes,
                "bytes_per_token": source.bytes_per_token, "tokens": here.size.tokens,
                "pool_tokens": round(here.size.tokens * share), "natural": weight, "natural_epochs": float(epochs),
            }
            for source, here, share, weight, epochs in rows
        ],
        "not_mixed": dict(found.text.not_mixed),
        "domains": domains,
        "objective": objective_weights(domains, found.settings.objective.model_dump()),
        "proposals": [
            {"name": one.name, "kind": one.kind, "seeds": list(one.seeds), "weights": one.mixture.by_name()}
            for one in found.proposals
        ],
        "model": _model(found.base, found.proxy_tokens),
        "cost": sweep_plan.cost(found.settings, found.base, found.num_proxies, workers),
        "warnings": list(found.warnings),
    }  # fmt: skip


def plan(said: dict[str, Any]) -> Iterator[RenderableType]:
    """Tables and lines."""
    yield table(
        ("source", "language", "text of>", "bytes/token>", "pool tokens>", "natural>", "its epochs>"),
        [
            (
                one["name"], one["language"], f"{one['bytes'] / 1e6:,.1f} MB", f"{one['bytes_per_token']:.2f}",
                one["pool_tokens"], f"{one['natural']:.1%}", f"{one['natural_epochs']:.2f}",
            )
            for one in said["sources"]
        ],
    )  # fmt: skip
    if said["not_mixed"]:
        yield "in no source: " + ", ".join(
            f"{name} ({num:,} tokens)" for name, num in said["not_mixed"].items()
        )
    names = [one["name"] for one in said["sources"]]
    shown = said["proposals"][:MOST_ROWS]
    yield table(
        ("mixture", "kind", "seeds>", *(f"{name} %>" for name in names)),
        [
            (
                one["name"],
                one["kind"],
                len(one["seeds"]),
                *(f"{100 * one['weights'][name]:.1f}" for name in names),
            )
            for one in shown
        ],
    )
    if len(said["proposals"]) > MOST_ROWS:
        yield f"… and {len(said['proposals']) - MOST_ROWS} more (--json has all)"
    yield "measured on: " + ", ".join(f"{one['name']} ({one['language']})" for one in said["domains"])
    yield from _cost(said)
    yield from (f"warning: {warning}" for warning in said["warnings"])


def _cost(said: dict[str, Any]) -> Iterator[str]:
    cost, model = said["cost"], said["model"]
    if (done := said.get("trained")) is not None:
        left = max(0, cost["proxies"] - done)
        yield f"{done} of {cost['proxies']} proxies are trained already, {left} would be trained now"
    yield (
        f"{cost['proxies']} proxies of {model['parameters']:,} parameters, {model['tokens']:,} tokens each: "
        f"{cost['flops']:.3g} FLOPs, {cost['a100_hours']:.3g} A100 hours at 20 % of its peak"
    )
    if cost["share_of_target"] is not None:
        yield f"that is {cost['share_of_target']:.2g} of the large run's FLOPs"
    if cost["seconds"] is not None:
        yield f"about {duration(cost['seconds'])} on {cost['workers']} processes of this machine"


def arms_content(found: ArmsPlan, workers: int) -> dict[str, Any]:
    """For JSON and for lines: arms (name, folder, documents), seeds, domains (patterns), model, cost, warnings."""
    num = found.seeds * len(found.folders)
    return {
        "name": found.settings.name,
        "arms": [
            {"name": name, "folder": folder, "documents": found.documents[name]}
            for name, folder in found.folders.items()
        ],
        "seeds": found.seeds,
        "domains": found.settings.domains,
        "model": _model(found.base, found.proxy_tokens),
        "cost": sweep_plan.cost(found.settings, found.base, num, workers),
        "warnings": few_seeds(found.seeds),
    }


def arms(said: dict[str, Any]) -> Iterator[RenderableType]:
    """Tables and lines."""
    yield table(
        ("arm", "documents>", "folder"),
        [(one["name"], one["documents"], one["folder"]) for one in said["arms"]],
    )
    yield f"{said['seeds']} seeds each"
    every = f"every source and language of which all arms hold out {LEAST_EXCERPTS} documents or more"
    yield f"measured on: {', '.join(said['domains']) or every}"
    yield from _cost(said)
    yield from (f"warning: {warning}" for warning in said["warnings"])


def _model(base: PretrainConfig, tokens: int) -> dict[str, int]:
    return {
        "parameters": base.model.resolved().parameters, "tokens": tokens, "steps": base.steps,
        "row_tokens": base.row_tokens,
    }  # fmt: skip


def done(said: dict[str, Any]) -> Iterator[RenderableType]:
    """What the proxies measured, the best by the objective first: the order that the report has."""
    weights = objective_weights(said["domains"], said["objective"])
    values = {one["name"]: _value(one["bits_per_byte"], weights) for one in said["proxies"]}
    rows = sorted(said["proxies"], key=lambda one: values[one["name"]])
    yield table(
        ("proxy", "objective>", *(f"{name}>" for name in weights), ""),
        [
            (
                one["name"], _number(values[one["name"]]),
                *(_number(one["bits_per_byte"].get(name)) for name in weights), one["error"],
            )
            for one in rows
        ],
    )  # fmt: skip
    yield f"{len(rows)} proxies, bits per byte on held-out text; {said['folder']}"
    yield "objective: " + ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())
    yield f"`chejil ablate report {said['folder']}` fits and decides"


def objective_weights(domains: Sequence[Mapping[str, str]], aim: Mapping[str, Any]) -> dict[str, float]:
    """Weight of each domain in the value that the report makes small.

    Raises:
        ChejilError: an objective that does not fit the domains.
    """
    languages = {one["name"]: one["language"] for one in domains}
    names = list(languages)
    # Prior and bound on English move the recommendation, not what a proxy's numbers weigh.
    nothing = np.zeros(len(names))
    goal = objective(ObjectiveSettings(languages=languages, **aim), names, nothing, nothing)
    return dict(zip(names, map(float, goal.weights), strict=True))


def _value(values: Mapping[str, float | None], weights: Mapping[str, float]) -> float:
    """Infinite without a number of every domain: such a proxy does not count."""
    known = [(values.get(name), weight) for name, weight in weights.items()]
    return sum(
        value * weight if value is not None and math.isfinite(value) else math.inf for value, weight in known
    )


def _number(value: float | None) -> str:
    return f"{value:.4f}" if value is not None and math.isfinite(value) else "?"
