"""What the proxies measured: bits per byte by held-out domain, with those that diverged set aside by name.

A proxy has diverged if a value is missing, infinite or not positive, or if *every* domain is far above the
others': a mixture that starves one language is bad at that language and good at the other, so it stays. Far is
eight robust standard deviations of the logarithm (median absolute deviation), and at least 20 %. The field's
lesson is marin's issue 6608: what does not belong in the fit has to be taken out by rule and shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from chejil.errors import ChejilError, did_you_mean
from chejil.eval.ablating.mixtures import Mixture

FAR = 8.0
LEAST_FACTOR = 1.2
SMALLEST = 8
"""Mixtures below which no regression is fitted: with fewer, every inner fold of the cross-validation is a pair."""


@dataclass(frozen=True)
class ProxyRun:
    """A trained proxy: its mixture, its seed, and bits per byte by domain (NaN where it has none)."""

    name: str
    mixture: Mixture
    seed: int
    bits_per_byte: Mapping[str, float]


@dataclass(frozen=True)
class Panel:
    """Proxies as arrays; rows with one `group` are one mixture with several seeds.

    weights: (num_runs, num_sources), shares of bytes. values: (num_runs, num_domains), bits per byte.
    group, seed: (num_runs,).
    """

    sources: tuple[str, ...]
    domains: tuple[str, ...]
    weights: np.ndarray
    values: np.ndarray
    group: np.ndarray
    seed: np.ndarray
    excluded: Mapping[str, str] = field(default_factory=dict)

    @property
    def mixtures(self) -> int:
        """How many different ones there are."""
        return len(np.unique(self.group))

    def rows(self, chosen: np.ndarray) -> Panel:
        """Some of the runs, by index or mask."""
        return Panel(
            self.sources, self.domains, self.weights[chosen], self.values[chosen], self.group[chosen],
            self.seed[chosen], self.excluded,
        )  # fmt: skip


def panel(runs: Sequence[ProxyRun], domains: Sequence[str] | None = None) -> Panel:
    """Runs as arrays, in the order of their names; what diverged stands in `excluded` with its reason.

    Raises:
        ChejilError: mixtures of different sources, an unknown domain, too few mixtures for a fit.
    """
    if not runs:
        raise ChejilError("no proxies", mend="train them first")
    runs = sorted(runs, key=lambda run: (run.name, run.seed))
    sources = runs[0].mixture.names
    named = _domains(runs, domains)
    for run in runs:
        if run.mixture.names != sources:
            raise ChejilError(
                f"{run.name} mixes {', '.join(run.mixture.names)}; the others {', '.join(sources)}",
                mend="fit proxies of one set of sources",
            )
    values = np.array([[run.bits_per_byte.get(name, np.nan) for name in named] for run in runs], np.float64)
    excluded = diverged(values, named)
    kept = [place for place in range(len(runs)) if place not in excluded]
    weights = np.array([runs[place].mixture.vector for place in kept]).reshape(len(kept), len(sources))
    group = np.unique(weights.round(12), axis=0, return_inverse=True)[1].reshape(-1)
    found = Panel(
        sources, tuple(named), weights, values[kept], group, np.array([runs[place].seed for place in kept]),
        {f"{runs[place].name}, seed {runs[place].seed}": why for place, why in excluded.items()},
    )  # fmt: skip
    require(found)
    return found


def require(found: Panel) -> None:
    """Refuse a panel that is too small.

    Raises:
        ChejilError: fewer than SMALLEST mixtures, or than sources plus two.
    """
    needed = max(SMALLEST, len(found.sources) + 2)
    if found.mixtures < needed:
        gone = f" ({len(found.excluded)} proxies were excluded)" if found.excluded else ""
        raise ChejilError(
            f"{found.mixtures} mixtures are too few to fit {len(found.sources)} sources{gone}",
            mend=f"train at least {needed}; for a ranking that holds about {8 * len(found.sources)}",
        )


def _domains(runs: Sequence[ProxyRun], domains: Sequence[str] | None) -> list[str]:
    known = sorted({name for run in runs for name in run.bits_per_byte})
    for name in domains or ():
        if name not in known:
            raise ChejilError(f"no proxy was measured on '{name}'", mend=did_you_mean(name, known))
    return list(domains or known)


def diverged(values_NM: np.ndarray, domains: Sequence[str]) -> dict[int, str]:
    """Rows to set aside, with the reason."""
    good = np.isfinite(values_NM) & (values_NM > 0)
    found = {
        int(
            row
        ): f"{domains[int(np.argmin(good[row]))]} is {values_NM[row, np.argmin(good[row])]:g} bits per byte"
        for row in np.flatnonzero(~good.all(axis=1))
    }
    rest = np.flatnonzero(good.all(axis=1))
    if len(rest) < 4:
        return found
    logs = np.log(values_NM[rest])
    above = logs - np.median(logs, axis=0)
    spread = 1.4826 * np.median(np.abs(above), axis=0)
    far = (above > np.maximum(FAR * spread, np.log(LEAST_FACTOR))).all(axis=1)
    for row, least in zip(rest[far], above[far].min(axis=1), strict=True):
        found[int(row)] = f"at least {np.exp(least):.2f} times the median on every domain"
    return found


def noise(found: Panel) -> tuple[np.ndarray, int]:
    """Standard deviation by seed, (num_domains,), pooled over replicated mixtures, and its degrees of freedom.

    Without replicates it is NaN with none.
    """
    squares, freedom = np.zeros(len(found.domains)), 0
    for group in np.unique(found.group):
        rows = found.values[found.group == group]
        squares += ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)
        freedom += len(rows) - 1
    if not freedom:
        return np.full(len(found.domains), np.nan), 0
    return np.sqrt(squares / freedom), freedom
