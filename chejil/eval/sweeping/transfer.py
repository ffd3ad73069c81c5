"""The next size: does it rank mixtures as the proxies do. The best, natural and the worst are trained again, larger.

DataDecide (Magnusson et al. 2025) finds that a ranking at one size predicts 80 % of the pairs at 1 B; nobody should
take that on trust for another corpus. A transfer is a sweep of its own in `transfer/` of the sweep's folder, on the
same held-out text; with more tokens a proxy, its pool is larger by as much.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chejil.errors import ChejilError
from chejil.eval.ablating.objective import AimSettings, ObjectiveSettings, objective
from chejil.eval.ablating.proposals import Proposal
from chejil.eval.sweeping import sweep_plan, sweep_settings
from chejil.eval.sweeping.sweep_plan import SweepPlan


def plan(found: SweepPlan, measured: dict[str, Any]) -> SweepPlan:
    """The sweep of the next size.

    Args:
        measured: sweep.json of the proxies.

    Raises:
        ChejilError: no `transfer` in the settings, or no proxy that counts.
    """
    asked = found.settings.transfer
    if asked is None:
        raise ChejilError("no `transfer` in the settings", mend="transfer: {settings: [model.layers=8, …]}")
    proxy = found.settings.proxy
    base = sweep_settings.proxy_config(proxy, asked.settings)
    tokens = base.steps * base.batch_tokens
    about = f"{base.model.resolved().parameters:,} parameters, {tokens:,} tokens"
    part = tokens / found.settings.target.total_tokens if found.settings.target else None
    return replace(
        found,
        settings=found.settings.model_copy(update={"about": about}),
        base=base,
        proposals=tuple(replace(one, seeds=(0,)) for one in chosen(found, measured, asked.top)),
        part=part,
        asked=found.asked.model_copy(update={"proxy_tokens": tokens, "sequence_tokens": base.row_tokens}),
        warnings=tuple(sweep_plan.repetition(found.text, part)),
    )


def chosen(found: SweepPlan, measured: dict[str, Any], top: int) -> list[Proposal]:
    """The best measured mixtures by the objective, natural, and the worst measured one."""
    values, english = (
        of_proposals(measured, found.settings.objective, which) for which in ("value", "english")
    )
    if not values:
        raise ChejilError("no proxy that counts", mend="see the errors in sweep.json")
    order = sorted(values, key=lambda name: (values[name], name))
    worse = found.settings.objective.english_worse_percent
    most = np.inf if worse is None or "natural" not in english else english["natural"] * (1 + worse / 100)
    names = [*[name for name in order if english[name] <= most][:top], "natural", order[-1]]
    known = {one.name: one for one in found.proposals}
    return [known[name] for name in dict.fromkeys(names) if name in known]


def of_proposals(measured: dict[str, Any], aim: AimSettings, which: str) -> dict[str, float]:
    """The objective's `value` or `english` bits per byte of each proposal, mean over seeds, without what diverged."""
    domains = [one["name"] for one in measured["domains"]]
    languages = {one["name"]: one["language"] for one in measured["domains"]}
    settings = ObjectiveSettings(languages=languages, **aim.model_dump())
    goal = objective(settings, domains, np.ones(1), np.ones(len(domains)))
    weights = goal.weights if which == "value" else goal.en
    values: dict[str, list[float]] = {}
    for row in measured["proxies"]:
        if row["error"] is None:
            bits = np.array([row["bits_per_byte"][name] for name in domains])
            values.setdefault(row["proposal"], []).append(float(bits @ weights))
    return {name: float(np.mean(some)) for name, some in values.items()}
