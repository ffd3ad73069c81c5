"""The next size: does it rank mixtures as the proxies do. The best, natural and the worst are trained again, larger.

DataDecide (Magnusson et al. 2025) finds that a ranking at one size predicts 80 % of the pairs at 1 B; nobody should
take that on trust for another corpus. A transfer is a sweep of its own in `transfer/` of the sweep's folder, on the
same held-out text; with more tokens a proxy, its pool is larger by as much.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chejil.errors import ChejilError
from chejil.eval.ablating.objective import ObjectiveSettings, objective
from chejil.eval.ablating.proposals import Proposal
from chejil.eval.ablation_reports import measured
from chejil.eval.ablation_reports.sweep_file import Sweep
from chejil.eval.sweeping import sweep_plan, sweep_settings
from chejil.eval.sweeping.sweep_plan import SweepPlan
from chejil.eval.sweeping.sweep_settings import SweepSettings, Transfer


def of(settings: SweepSettings) -> Transfer:
    """The next size that the settings ask for: looked at before the first size is trained, which may take a day.

    Raises:
        ChejilError: they ask for none, or for one that no proxy can have.
    """
    if settings.transfer is None:
        mend = "add what is larger: transfer: {settings: [model.layers=8, total_tokens=8_000_000]}"
        raise ChejilError("--transfer, and no `transfer` in the settings", where="transfer", mend=mend)
    sweep_settings.proxy_config(settings.proxy, settings.transfer.settings)
    return settings.transfer


def plan(found: SweepPlan, swept: Sweep) -> SweepPlan:
    """The sweep of the next size.

    Args:
        swept: what the proxies measured.

    Raises:
        ChejilError: no `transfer` in the settings, or no proxy that counts.
    """
    asked = of(found.settings)
    base = sweep_settings.proxy_config(found.settings.proxy, asked.settings)
    tokens = base.steps * base.batch_tokens
    about = f"{base.model.resolved().parameters:,} parameters, {tokens:,} tokens"
    part = tokens / found.settings.target.total_tokens if found.settings.target else None
    return replace(
        found,
        settings=found.settings.model_copy(update={"about": about}),
        base=base,
        proposals=tuple(replace(one, seeds=(0,)) for one in chosen(found, swept, asked.top)),
        part=part,
        asked=found.asked.model_copy(update={"proxy_tokens": tokens, "sequence_tokens": base.row_tokens}),
        warnings=tuple(sweep_plan.repetition(found.text, part)),
    )


def chosen(found: SweepPlan, swept: Sweep, top: int) -> list[Proposal]:
    """The best measured mixtures by the objective, natural, and the worst measured one.

    Raises:
        ChejilError: no proxy counts.
    """
    counted, aim = measured.measured(swept, swept.proxies), found.settings.objective
    settings = ObjectiveSettings(languages=swept.languages, **aim.model_dump())
    goal = objective(settings, swept.domain_names, np.ones(1), np.ones(len(swept.domains)))
    values, english = (
        {name: counted.mean(name, weights) for name in counted.proposals}
        for weights in (goal.weights, goal.en)
    )
    order = sorted(values, key=lambda name: (values[name], name))
    worse = aim.english_worse_percent
    most = np.inf if worse is None or "natural" not in english else english["natural"] * (1 + worse / 100)
    names = [*[name for name in order if english[name] <= most][:top], "natural", order[-1]]
    known = {one.name: one for one in found.proposals}
    return [known[name] for name in dict.fromkeys(names) if name in known]
