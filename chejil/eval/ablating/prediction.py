"""The fitted panel: bits per byte of any mixture on every domain, with intervals.

Each domain's regression is fitted again to bootstrap samples of the panel: mixtures are drawn with replacement,
then a seed for each of a mixture's runs. What the samples disagree about is what the panel cannot tell. That is
not all: a regression of the wrong shape is wrong in every sample alike. So the variance of a prediction is the
bootstrap's at that mixture plus what the bootstrap does not explain of the errors on outer folds (choosing.py),
and the interval is Student's, with as many degrees of freedom as mixtures beyond sources. `chejil ablate
selftest` prints its coverage.

The prediction is the mean over the bootstrap samples (bagging): smoother than one fit, which matters where a search
looks for a minimum and finds the fit's luckiest mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chejil.eval.ablating.choosing import Choice, choose
from chejil.eval.ablating.panel import Panel, noise, require
from chejil.eval.ablating.regressions import KINDS, Regression, again

SAMPLES = 40


@dataclass(frozen=True)
class Fit:
    """Regressions by domain over bootstrap samples: members[domain][sample]. unexplained: variance by domain."""

    panel: Panel
    choice: Choice
    members: tuple[tuple[Regression, ...], ...]
    unexplained: np.ndarray
    noise: np.ndarray
    noise_freedom: int

    @property
    def domains(self) -> tuple[str, ...]:
        """The held-out domains, in order."""
        return self.panel.domains

    def samples(self, weights_NK: np.ndarray) -> np.ndarray:
        """Bits per byte by bootstrap sample, (num_samples, N, num_domains)."""
        columns = [np.stack([one.predict(weights_NK) for one in own]) for own in self.members]
        return np.stack(columns, axis=-1)

    def predict(self, weights_NK: np.ndarray) -> np.ndarray:
        """Bits per byte, (N, num_domains)."""
        return self.samples(weights_NK).mean(axis=0)

    def intervals(
        self, weights_NK: np.ndarray, level: float = 0.9, of_run: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Low and high ends, (N, num_domains) each, of a mixture's mean over seeds, or of one run."""
        drawn = self.samples(weights_NK)
        variance = drawn.var(axis=0, ddof=1) + self.unexplained
        if of_run:
            variance = variance + np.nan_to_num(self.noise) ** 2
        half = self.quantile(level) * np.sqrt(variance)
        middle = drawn.mean(axis=0)
        return middle - half, middle + half

    def quantile(self, level: float) -> float:
        """Student's, two-sided, with mixtures less sources degrees of freedom."""
        from scipy.stats import t  # type: ignore[import-untyped]

        freedom = max(3, self.panel.mixtures - len(self.panel.sources))
        return float(t.ppf((1 + level) / 2, freedom))


def fit(found: Panel, kinds: Sequence[str] = tuple(KINDS), seed: int = 1, samples: int = SAMPLES) -> Fit:
    """Choose, fit, and fit again to bootstrap samples.

    Raises:
        ChejilError: too few mixtures.
    """
    require(found)
    choice = choose(found, kinds, seed)
    own = [
        KINDS[kind]().fit(found.weights, found.values[:, domain]) for domain, kind in enumerate(choice.kinds)
    ]
    rng = np.random.default_rng(seed)
    rows = [resampled(found.group, rng) for _ in range(samples)]
    members = tuple(
        tuple(again(first).fit(found.weights[chosen], found.values[chosen, domain]) for chosen in rows)
        for domain, first in enumerate(own)
    )
    scatter, freedom = noise(found)
    return Fit(found, choice, members, _unexplained(found, choice, members, scatter), scatter, freedom)


def resampled(group_N: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of mixtures drawn with replacement, and within each as many runs as it has, drawn too.

    A sample has at least half as many mixtures as the panel, and more than a handful: a fit to three would be noise.
    """
    groups = np.unique(group_N)
    while True:
        drawn = rng.choice(groups, len(groups))
        if len(np.unique(drawn)) >= len(groups) / 2:
            break
    rows = [np.flatnonzero(group_N == one) for one in drawn]
    return np.concatenate([rng.choice(own, len(own)) for own in rows])


def _unexplained(
    found: Panel, choice: Choice, members: Sequence[Sequence[Regression]], scatter_M: np.ndarray
) -> np.ndarray:
    """Variance of errors on outer folds, less noise by seed and less the bootstrap's: the wrong shape's part."""
    errors = ((choice.predicted - found.values) ** 2).mean(axis=0)
    inside = np.array(
        [np.stack([one.predict(found.weights) for one in own]).var(axis=0, ddof=1).mean() for own in members]
    )
    return np.maximum(errors - np.nan_to_num(scatter_M) ** 2 - inside, 0.0)
