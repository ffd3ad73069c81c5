"""Which mixtures the proxies train on: random ones around the natural prior, written ones, a best and a worst guess.

Random mixtures are drawn as RegMix draws them (arXiv 2407.01492, section 3.1): the natural shares to the power of
a temperature are a prior, a strength is drawn from 0.1 to 5 on a log scale, and a Dirichlet of strength times
prior gives the mixture. Low strengths give corners, high ones the neighbourhood of the prior. We multiply by the
number of sources, so that at strength 1 the mean Dirichlet parameter is 1. RegMix throws away what breaks a
limit; we move it in, since with six sources nearly every draw has one below 100 sequences.

A mixture that differs by less than `nearest` (total variation) from an earlier one teaches nothing new and is
drawn again. What is proposed is a function of the settings alone, the seed among them. Seeds that a verdict asks for
(`seeds`) come on top of the proxies: they change no mixture, so what is trained stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from chejil.errors import ChejilError, did_you_mean
from chejil.eval.ablating import mixtures
from chejil.eval.ablating.limits import TOLERANCE, Limits, limits
from chejil.eval.ablating.mixtures import Mixture, Source

TRIES = 2000
"""Draws in a row that may be too near to earlier ones before the proposals are given up."""


class DrawSettings(BaseModel):
    """How mixtures are drawn."""

    model_config = ConfigDict(extra="forbid")

    proxies: int = Field(ge=4, default=48, description="runs in all, replicates among them")
    seed: int = Field(ge=0, default=1, description="of the draws")
    temperature: float = Field(
        gt=0, le=1, default=0.5, description="power of the natural shares; lower is flatter"
    )
    low_strength: float = Field(gt=0, default=0.1, description="least strength of the Dirichlet")
    high_strength: float = Field(gt=0, default=5.0, description="greatest strength of the Dirichlet")
    low: dict[str, float] = Field(default={}, description="least share of bytes by source")
    high: dict[str, float] = Field(default={}, description="greatest share of bytes by source")
    max_epochs: float = Field(
        gt=0, default=4.0, description="of a source at the horizon; 4 cost 7 % of its value"
    )
    least_sequences: int = Field(
        ge=0, default=100, description="of each source in a proxy's budget; RegMix's rule"
    )
    nearest: float = Field(
        ge=0, lt=1, default=0.03, description="total variation below which two are duplicates"
    )
    written: dict[str, dict[str, float]] = Field(
        default={}, description="mixtures by hand, shares of bytes by source"
    )
    replicated: int = Field(ge=0, default=4, description="mixtures that are trained with several seeds")
    replicate_seeds: int = Field(ge=2, default=3, description="seeds at each of those")
    seeds: dict[str, PositiveInt] = Field(
        default={},
        description="seeds of single mixtures by name, at least those above; they come on top of `proxies`",
    )


class ProposalSettings(DrawSettings):
    """What to propose: of which sources, for which budgets."""

    sources: list[Source] = Field(min_length=2, description="the sources of the mixtures")
    horizon_tokens: float | None = Field(
        gt=0, default=None, description="tokens of the large run; sets the caps on epochs"
    )
    proxy_tokens: float = Field(gt=0, default=20e6, description="tokens that a proxy trains on")
    sequence_tokens: int = Field(gt=0, default=512, description="tokens of a sequence")


@dataclass(frozen=True)
class Proposal:
    """A mixture, why it is there (`natural`, `worst`, `written`, `random`), and the seeds to train it with."""

    name: str
    kind: str
    mixture: Mixture
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Proposals:
    """All of them, in the order in which they are worth training, and what the user should know."""

    proposals: tuple[Proposal, ...]
    warnings: tuple[str, ...] = ()

    @property
    def runs(self) -> int:
        """Proxies to train: a mixture with three seeds is three."""
        return sum(len(one.seeds) for one in self.proposals)


def limits_of(settings: ProposalSettings) -> Limits:
    """The limits that the settings state.

    Raises:
        ChejilError: as `limits`.
    """
    return limits(
        settings.sources, settings.low, settings.high, settings.horizon_tokens, settings.max_epochs,
        settings.proxy_tokens, settings.least_sequences * settings.sequence_tokens,
    )  # fmt: skip


def propose(settings: ProposalSettings) -> Proposals:
    """The mixtures to train.

    Raises:
        ChejilError: limits that cannot be kept, a written mixture that is none or breaks them, too few proxies
        for what is written and replicated, too few mixtures that differ, seeds of a mixture that is not proposed.
    """
    bounds, warnings = limits_of(settings), []
    prior = mixtures.natural(settings.sources).vector
    fixed = _fixed(settings, bounds, prior)
    inside = fixed[0].mixture.vector
    if mixtures.total_variation(inside, prior) > settings.nearest:
        warnings.append(
            f"the natural mixture breaks the limits: {mixtures.total_variation(inside, prior):.0%} "
            "of its bytes were moved"
        )
    warnings += _unnatural(settings, bounds, prior, inside)
    wanted = settings.proxies - settings.replicated * (settings.replicate_seeds - 1)
    if wanted < max(len(fixed), settings.replicated):
        raise ChejilError(
            f"{settings.proxies} proxies leave {wanted} mixtures beside the replicates",
            mend=f"give {settings.proxies - wanted + max(len(fixed), settings.replicated)} or more, or replicate fewer",
        )
    fixed += _random(settings, bounds, prior, [one.mixture.vector for one in fixed], wanted - len(fixed))
    return Proposals(tuple(_with_seeds(settings, fixed)), tuple(warnings))


def _unnatural(
    settings: ProposalSettings, bounds: Limits, prior_K: np.ndarray, inside_K: np.ndarray
) -> Iterator[str]:
    """A warning for each source of which the natural mixture has more or less than there is, and why."""
    (low, high), held = bounds.box(inside_K[None]), bounds.held(inside_K)
    why = {
        "least_sequences": f"a proxy has {settings.least_sequences} sequences of each source (`least_sequences`)",
        "max_epochs": f"at the horizon it is read {settings.max_epochs:g} times at most (`max_epochs`)",
        "low": "its least share is set (`low`)",
        "high": "its greatest share is set (`high`)",
    }
    for at, name in enumerate(bounds.names):
        if name in held and not low[0, at] - TOLERANCE <= prior_K[at] <= high[0, at] + TOLERANCE:
            yield (
                f"natural gives {name} {inside_K[at]:.2%} of the bytes; of the text it is {prior_K[at]:.2%}: "
                f"{why[held[name]]}"
            )


def _fixed(settings: ProposalSettings, bounds: Limits, prior: np.ndarray) -> list[Proposal]:
    found = [Proposal("natural", "natural", mixtures.named(bounds.moved_in(prior[None])[0], bounds.names))]
    found += _written(settings, bounds)
    worst = worst_guess(bounds, prior)
    if all(mixtures.total_variation(worst.vector, one.mixture.vector) >= settings.nearest for one in found):
        found.append(Proposal("worst", "worst", worst))
    return found


def _written(settings: ProposalSettings, bounds: Limits) -> Iterator[Proposal]:
    for name, weights in settings.written.items():
        mixture = mixtures.mixture(weights, bounds.names, f"written.{name}")
        if not bounds.keep(mixture.vector[None])[0]:
            raise ChejilError(
                _broken(mixture, bounds), where=f"written.{name}", mend="change it or the limits"
            )
        yield Proposal(name, "written", mixture)


def _broken(mixture: Mixture, bounds: Limits) -> str:
    low, high = bounds.box(mixture.vector[None])
    for name, weight, least, most in zip(mixture.names, mixture.weights, low[0], high[0], strict=True):
        if not least - 1e-9 <= weight <= most + 1e-9:
            return f"{name} has {weight:.4%} of the bytes; {least:.4%} to {most:.4%} keep the limits"
    raise AssertionError("the mixture keeps its limits")


def worst_guess(bounds: Limits, prior_K: np.ndarray) -> Mixture:
    """As much as the limits allow of the smallest source, then of the next: if a fit ranks this well, mistrust it."""
    order = np.argsort(np.argsort(prior_K, kind="stable"), kind="stable")
    steep = 1e-3 ** order.astype(np.float64)
    found = bounds.moved_in((steep / steep.sum())[None])
    return mixtures.named(found[0] if len(found) else bounds.moved_in(prior_K[None])[0], bounds.names)


def draws(
    settings: ProposalSettings, bounds: Limits, prior_K: np.ndarray, rng: np.random.Generator, count: int
) -> np.ndarray:
    """Random mixtures that keep the limits, (≤ count, num_sources)."""
    flattened = prior_K**settings.temperature
    strengths = np.exp(rng.uniform(np.log(settings.low_strength), np.log(settings.high_strength), count))
    alphas = strengths[:, None] * (len(prior_K) * flattened / flattened.sum())
    return bounds.moved_in(np.stack([rng.dirichlet(alpha) for alpha in alphas]))


def _random(
    settings: ProposalSettings, bounds: Limits, prior_K: np.ndarray, taken: list[np.ndarray], count: int
) -> list[Proposal]:
    rng, found, refused = np.random.default_rng(settings.seed), list(taken), 0
    while len(found) < len(taken) + count:
        for drawn in draws(settings, bounds, prior_K, rng, 64):
            near = mixtures.total_variation(np.stack(found), drawn).min() < settings.nearest
            refused = refused + 1 if near else 0
            if not near and len(found) < len(taken) + count:
                found.append(drawn)
        if refused > TRIES:
            raise ChejilError(
                f"only {len(found)} mixtures differ by {settings.nearest:.0%}; {len(taken) + count} are wanted",
                mend="loosen the limits, lower `nearest`, or ask for fewer proxies",
            )
    return [
        Proposal(f"random-{number:03}", "random", mixtures.named(weights, bounds.names))
        for number, weights in enumerate(found[len(taken) :], 1)
    ]


def _with_seeds(settings: ProposalSettings, found: list[Proposal]) -> Iterator[Proposal]:
    """Seeds spread over the list, the natural mixture first: noise may differ from corner to corner."""
    _refuse_unknown(settings, [one.name for one in found])
    places = set(np.linspace(0, len(found) - 1, settings.replicated).round().astype(int).tolist())
    for place, one in enumerate(found):
        planned = settings.replicate_seeds if place in places else 1
        count = max(planned, settings.seeds.get(one.name, 0))
        yield Proposal(one.name, one.kind, one.mixture, tuple(range(count)))


def _refuse_unknown(settings: ProposalSettings, known: list[str]) -> None:
    for name in settings.seeds:
        if name not in known:
            raise ChejilError(
                f"seeds of an unknown mixture '{name}'",
                where="proposals.seeds",
                mend=did_you_mean(name, known),
            )
