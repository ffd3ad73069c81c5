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
from chejil.eval.sweeping import sweep_settings
from chejil.eval.sweeping.sweep_plan import SweepPlan


def plan(found: SweepPlan, measured: dict[str, Any]) -> SweepPlan:
    """The sweep of the next size.

    Args:
        measured: sweep.json of the proxies.

    Raises:
        ChejilError: no `transfer` in the settings, or proxies that are not all done.
    """
    asked = found.settings.transfer
    if asked is None:
        raise ChejilError("no `transfer` in the settings", mend="transfer: {settings: [model.layers=8, …]}")
    if not measured["complete"]:
        raise ChejilError("the proxies are not all done", mend="`chejil ablate run` without --transfer first")
    proxy = found.settings.proxy
    base = sweep_settings.proxy_config(proxy, asked.settings)
    tokens = base.steps * base.batch_tokens
    about = f"{base.model.resolved().parameters:,} parameters, {tokens:,} tokens"
    target = found.settings.target
    return replace(
        found,
        settings=found.settings.model_copy(update={"about": about}),
        base=base,
        proposals=tuple(replace(one, seeds=(0,)) for one in chosen(found, measured, asked.top)),
        part=tokens / target.total_tokens if target else None,
        asked=found.asked.model_copy(update={"proxy_tokens": tokens, "sequence_tokens": base.row_tokens}),
        warnings=(),
    )


def chosen(found: SweepPlan, measured: dict[str, Any], top: int) -> list[Proposal]:
    """The best measured mixtures by the objective, natural, and the worst measured one."""
    values = values_by_proposal(measured, found.settings.objective)
    order = sorted(values, key=lambda name: (values[name], name))
    names = [*order[:top], "natural", order[-1]]
    known = {one.name: one for one in found.proposals}
    return [known[name] for name in dict.fromkeys(names) if name in known]


def values_by_proposal(measured: dict[str, Any], aim: AimSettings) -> dict[str, float]:
    """Weighted bits per byte of each proposal, mean over its seeds, without those that diverged."""
    domains = [one["name"] for one in measured["domains"]]
    languages = {one["name"]: one["language"] for one in measured["domains"]}
    settings = ObjectiveSettings(languages=languages, weights=aim.weights)
    goal = objective(settings, domains, np.ones(1), np.ones(len(domains)))
    values: dict[str, list[float]] = {}
    for row in measured["proxies"]:
        if row["error"] is None:
            bits = np.array([row["bits_per_byte"][name] for name in domains])
            values.setdefault(row["proposal"], []).append(float(goal.bits(bits)))
    return {name: float(np.mean(some)) for name, some in values.items()}
