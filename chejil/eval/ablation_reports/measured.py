"""Bits per byte of the proxies that count, by mixture and seed; those that do not, with the reason.

Set aside are proxies that failed, that have no number for a domain, or that are far above all others on every domain
(ablating.panel). What is left feeds the fit (a `Panel`) and the comparisons (`by_seed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chejil.errors import ChejilError
from chejil.eval.ablating import mixtures
from chejil.eval.ablating import panel as panels
from chejil.eval.ablating.decision import Noise
from chejil.eval.ablating.objective import Objective
from chejil.eval.ablating.panel import Panel
from chejil.eval.ablation_reports.sweep_file import Proxy, Sweep

VALUE, KO, EN = "(value)", "(ko)", "(en)"
"""Names of the objective's weighted bits per byte and of the means of both languages, beside the domains' names."""


@dataclass(frozen=True)
class Measured:
    """Proxies that count, sorted by proposal and seed. values: (num_proxies, num_domains), bits per byte."""

    proxies: tuple[Proxy, ...]
    domains: tuple[str, ...]
    values: np.ndarray
    excluded: dict[str, str]

    @property
    def proposals(self) -> list[str]:
        """Those with a proxy that counts, in order."""
        return list(dict.fromkeys(one.proposal for one in self.proxies))

    @property
    def group(self) -> np.ndarray:
        """Number of each proxy's proposal, (num_proxies,)."""
        numbers = {name: number for number, name in enumerate(self.proposals)}
        return np.array([numbers[one.proposal] for one in self.proxies], np.int64)

    def of(self, proposal: str) -> list[int]:
        """Its rows."""
        return [row for row, one in enumerate(self.proxies) if one.proposal == proposal]

    def by_seed(self, proposal: str, weights_M: np.ndarray) -> dict[int, float]:
        """Weighted bits per byte by seed."""
        return {self.proxies[row].seed: float(self.values[row] @ weights_M) for row in self.of(proposal)}

    def mean(self, proposal: str, weights_M: np.ndarray) -> float:
        """Weighted bits per byte, mean over seeds."""
        return float(np.mean(list(self.by_seed(proposal, weights_M).values())))

    def noise(self, weights_M: np.ndarray, but: Sequence[str] = ()) -> Noise:
        """Of weighted bits per byte by seed, pooled over all proposals with several.

        Args:
            but: proposals that are left out: a pair that is compared shows its own noise already.
        """
        rows = np.array([one.proposal not in but for one in self.proxies])
        return pooled(self.values[rows] @ weights_M, self.group[rows])

    def folders(self, *proposals: str) -> list[str]:
        """Where numbers of some proposals come from; of all if none is named."""
        return [one.folder for one in self.proxies if not proposals or one.proposal in proposals]


def measured(sweep: Sweep, proxies: Sequence[Proxy]) -> Measured:
    """Sort out what counts.

    Raises:
        ChejilError: nothing does.
    """
    ordered = sorted(proxies, key=lambda one: (one.proposal, one.seed))
    excluded = {one.name: one.error for one in ordered if one.error is not None}
    whole = [one for one in ordered if one.error is None]
    domains = sweep.domain_names
    values = _values(whole, domains)
    gone = panels.diverged(values, domains) if whole else {}
    excluded |= {whole[row].name: why for row, why in sorted(gone.items())}
    kept = [row for row in range(len(whole)) if row not in gone]
    if not kept:
        told = "; ".join(f"{name}: {why}" for name, why in list(excluded.items())[:3]) or "none was trained"
        raise ChejilError(
            f"no proxy can be counted ({told})", mend="train the sweep's proxies; see their errors"
        )
    return Measured(tuple(whole[row] for row in kept), tuple(domains), values[kept], excluded)


def _values(proxies: Sequence[Proxy], domains: Sequence[str]) -> np.ndarray:
    found = [[_number(one.bits_per_byte.get(name)) for name in domains] for one in proxies]
    return np.array(found, np.float64).reshape(len(proxies), len(domains))


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def panel(sweep: Sweep, found: Measured) -> Panel:
    """The proxies as the fit wants them; its rows are those of `found`, in their order.

    Raises:
        ChejilError: too few mixtures.
    """
    weights = np.array([sweep.mixture(one.proposal).vector for one in found.proxies])
    group = np.unique(weights.round(12), axis=0, return_inverse=True)[1].reshape(-1)
    seeds = np.array([one.seed for one in found.proxies])
    made = Panel(
        mixtures.names(sweep.sources), found.domains, weights, found.values, group, seeds, found.excluded
    )
    panels.require(made)
    return made


def measures(goal: Objective) -> dict[str, np.ndarray]:
    """Weights of domains by measure, (num_domains,) each; a language that is the value itself is told once."""
    languages = {KO: goal.ko, EN: goal.en}
    return {VALUE: goal.weights} | {
        name: own for name, own in languages.items() if not np.array_equal(own, goal.weights)
    }


def pooled(values_N: np.ndarray, group_N: np.ndarray) -> Noise:
    """Standard deviation within groups, and its degrees of freedom; NaN with none."""
    squares, freedom = 0.0, 0
    for group in np.unique(group_N):
        own = values_N[group_N == group]
        squares += float(((own - own.mean()) ** 2).sum())
        freedom += len(own) - 1
    return Noise(float(np.sqrt(squares / freedom)) if freedom else float("nan"), freedom)


@dataclass(frozen=True)
class Signal:
    """Does a measure tell mixtures apart: noise by seed beside the spread of the mixtures' means.

    spread: standard deviation of the means over mixtures. p: of no difference at all (one-way analysis of variance);
    None without replicates.
    """

    noise: float | None
    freedom: int
    spread: float | None
    ratio: float | None
    p: float | None


def signal(values_N: np.ndarray, group_N: np.ndarray) -> Signal:
    """Of one measure; without replicates nobody knows."""
    from scipy.stats import f  # type: ignore[import-untyped]

    noise = pooled(values_N, group_N)
    groups, counts = np.unique(group_N, return_counts=True)
    means = np.array([values_N[group_N == one].mean() for one in groups])
    spread = float(means.std(ddof=1)) if len(means) > 1 else None
    if not noise.freedom or spread is None:
        return Signal(None, noise.freedom, spread, None, None)
    between = float(counts @ (means - values_N.mean()) ** 2) / (len(means) - 1)
    if noise.deviation == 0:
        return Signal(0.0, noise.freedom, spread, None, 0.0 if between > 0 else 1.0)
    p = float(f.sf(between / noise.deviation**2, len(means) - 1, noise.freedom))
    return Signal(noise.deviation, noise.freedom, spread, spread / noise.deviation, p)
