"""A sweep before it is begun: which proxies, on how much of each source, what that costs, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chejil.curation.executors.settings import Local
from chejil.errors import ChejilError
from chejil.eval.ablating import mixtures
from chejil.eval.ablating.proposals import Proposal, ProposalSettings, propose
from chejil.eval.sweeping import sweep_settings, sweep_sources
from chejil.eval.sweeping.sequence_pool import EXCERPTS, POOL
from chejil.eval.sweeping.sweep_settings import SweepSettings
from chejil.eval.sweeping.sweep_sources import SweepText
from chejil.training.config import PretrainConfig
from chejil.training.data.mixture import MixtureStages
from chejil.training.planning.compute_plan import gpu_hours
from chejil.training.planning.devices import device

SUITE = "suite.jsonl"
"""The suite's file within the sweep's folder."""

CPU_FLOPS = 6e10
"""FLOP/s of a core on a proxy of a million weights in bf16, as measured (docs/log.md): what a time is estimated by."""

GPU_MFU = 0.2
"""Of a model too small to fill a GPU."""

FEW_DOMAINS = 6
"""Held-out domains below which a mixture can win by one of them (RegMix and olmix use 17 and 52)."""


@dataclass(frozen=True)
class Proxy:
    """A training of the sweep; `name` is its folder."""

    name: str
    proposal: str
    seed: int
    config: PretrainConfig


@dataclass(frozen=True)
class SweepPlan:
    """What is going to be done.

    part: share of the large run's text of a source that a proxy's pool holds; None without a large run.
    """

    settings: SweepSettings
    text: SweepText
    asked: ProposalSettings
    proposals: tuple[Proposal, ...]
    base: PretrainConfig
    part: float | None
    warnings: tuple[str, ...]

    @property
    def proxy_tokens(self) -> int:
        """Tokens that a proxy trains on: whole steps."""
        return self.base.steps * self.base.batch_tokens

    @property
    def num_proxies(self) -> int:
        """Trainings."""
        return sum(len(one.seeds) for one in self.proposals)


def cost(settings: SweepSettings, base: PretrainConfig, num: int, workers: int) -> dict[str, Any]:
    """FLOPs of so many proxies, as a share of the large run, and seconds on this machine (None elsewhere)."""
    flops, target = num * flops_of(base), settings.target
    whole = target.model.resolved().flops_per_token("6n") * target.total_tokens if target else None
    local = isinstance(settings.executor, Local) and base.device != "cuda"
    rate = workers * settings.proxy.threads * CPU_FLOPS
    return {
        "proxies": num,
        "tokens": num * base.steps * base.batch_tokens,
        "flops": flops,
        "share_of_target": flops / whole if whole else None,
        "a100_hours": gpu_hours(flops, device("a100-80g").peak_flops, GPU_MFU),
        "seconds": flops / rate if local else None,
        "workers": workers,
    }


def flops_of(config: PretrainConfig) -> float:
    """FLOPs of a whole training, 6 a weight that multiplies and token."""
    return config.model.resolved().flops_per_token("6n") * config.steps * config.batch_tokens


def plan(settings: SweepSettings) -> SweepPlan:
    """The proxies that settings ask for.

    Raises:
        ChejilError: no text, limits that no mixture keeps, a source with too little text for a proxy.
    """
    text, base = sweep_sources.of(settings), sweep_settings.proxy_config(settings.proxy)
    tokens = base.steps * base.batch_tokens
    horizon = settings.target.total_tokens if settings.target else None
    if horizon is not None and tokens > horizon:
        what = f"a proxy of {tokens:,} tokens is longer than the large run of {horizon:,}"
        raise ChejilError(what, where="target.total_tokens", mend="give proxies fewer tokens")
    asked = ProposalSettings(
        **settings.proposals.model_dump(), sources=list(text.sources), horizon_tokens=horizon or tokens,
        proxy_tokens=tokens, sequence_tokens=base.row_tokens,
    )  # fmt: skip
    found = propose(asked)
    part = tokens / horizon if horizon else None
    _refuse_little(text, part, base.row_tokens)
    warnings = (*found.warnings, *_warnings(text, part))
    return SweepPlan(settings, text, asked, tuple(found.proposals), base, part, warnings)


def _refuse_little(text: SweepText, part: float | None, row_tokens: int) -> None:
    for here, share in zip(text.here, text.pool_shares(part).values(), strict=True):
        if here.size.tokens * share < 8 * row_tokens:
            what = (
                f"{here.name} has {here.size.tokens:,} tokens, of which a proxy would see "
                f"{here.size.tokens * share:,.0f}: fewer than 8 rows of {row_tokens:,}"
            )
            mend = "leave it out of `sources`, join it with another by a pattern, or give proxies more tokens"
            raise ChejilError(what, where=f"sources.{here.name}", mend=mend)


def repetition(text: SweepText, part: float | None) -> Iterator[str]:
    """A warning for each source of which a pool that repeats as the large run does would hold more than there is."""
    for source, here in zip(text.sources, text.here, strict=True):
        wanted = (part or 0) * source.unique_tokens
        if wanted > here.size.tokens:
            yield (
                f"{here.name}: a pool that repeats as the large run does would hold {wanted:,.0f} tokens, there are "
                f"{here.size.tokens:,}: proxies repeat it {wanted / here.size.tokens:.1f} times more often"
            )


def _warnings(text: SweepText, part: float | None) -> Iterator[str]:
    yield from repetition(text, part)
    if len(text.domains) < FEW_DOMAINS:
        few = f"{len(text.domains)} held-out domains are few"
        yield f"{few}: a mixture may win by one of them; {FEW_DOMAINS} are better"


def proxies(found: SweepPlan) -> Iterator[Proxy]:
    """The trainings, each with its own mixture and seed; their folders of tokens are named within the sweep's."""
    for one in found.proposals:
        for seed in one.seeds:
            yield Proxy(f"{one.name}-{seed}", one.name, seed, trained_on(found, one.mixture, seed))


def trained_on(found: SweepPlan, mixture: mixtures.Mixture, seed: int) -> PretrainConfig:
    """The config of a proxy: the plan's, on a mixture of the pool, with a seed."""
    patterns = {one.name: one.pattern for one in found.text.here}
    weights = {patterns[name]: weight for name, weight in mixture.by_name().items() if weight > 0}
    suite = SUITE if found.settings.proxy.suite else None
    return on_pool(found.base, POOL, MixtureStages.of([(0, weights)], {}), seed, suite)


def on_pool(
    base: PretrainConfig, pool: str, mixture: MixtureStages, seed: int, suite: str | None
) -> PretrainConfig:
    """A proxy's config on a pool; folders of tokens are named within the sweep's."""
    changes: dict[str, Any] = {
        "name": "proxy",
        "tokens": [pool],
        "tokenizer": None,
        "mixture": mixture,
        "held_out": base.held_out.model_copy(update={"share": 0.0, "shares": {}, "eval_tokens": 1 << 40}),
        "evaluation": base.evaluation.model_copy(
            update={"tokens": EXCERPTS, "every_steps": base.steps, "suite": suite, "suite_every_steps": None}
        ),
        "checkpoints": base.checkpoints.model_copy(update={"in_background": False, "keep_last": 1}),
        "logging": base.logging.model_copy(update={"tensorboard": False}),
        "seed": base.seed + seed,
    }
    return base.model_copy(update=changes)
