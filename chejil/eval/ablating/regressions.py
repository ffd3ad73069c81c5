"""Bits per byte of one domain from a mixture: three regressions, none of which is best everywhere.

- **ridge** on [w, √w]: a root is steep at 0, as loss is in the first bytes of a source. On RegMix's published
  runs (17 sources) it ranks best at 24 to 64 proxies: Spearman 0.947 at 32, against 0.889 and 0.887.
- **log-linear**: c + exp(t·w), the data mixing law (Ye et al. 2024, arXiv 2403.16952), fitted with Huber's loss;
  k of the paper is in t, since weights add up to 1. It extrapolates best: at 1 B parameters 0.988 against 0.963
  (512 proxies).
- **lightgbm**: small trees with leaves of two. LightGBM's own leaves of twenty give a constant below 40 proxies
  and say nothing; here that is a warning. From 512 proxies it leads (0.992).

Which one is taken is decided by cross-validation (choosing.py), a domain at a time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

HUBER = 0.02
"""Bits per byte beyond which a residual counts linearly (marin's value)."""

ALPHAS = np.logspace(-6, 1, 15)
STARTS = 3
STEPS = 60
MIN_CHILD_SAMPLES = 2


class Regression(Protocol):
    """A regression of one domain."""

    def fit(self, weights_NK: np.ndarray, values_N: np.ndarray) -> Regression:
        """Fit to mixtures and their bits per byte; return itself."""
        ...

    def predict(self, weights_NK: np.ndarray) -> np.ndarray:
        """Bits per byte, (N,)."""
        ...


@dataclass
class RootRidge:
    """Ridge on [w, √w]; the penalty is chosen by leave-one-out in closed form, or given."""

    alpha: float | None = None
    model: Any = None

    def fit(self, weights_NK: np.ndarray, values_N: np.ndarray) -> RootRidge:
        """See Regression."""
        features, self.mean, self.scale = _standardised(weights_NK)
        self.shift = float(values_N.mean())
        if self.alpha is None:
            self.alpha = _loo_alpha(features, values_N - self.shift)
        self.slopes = _ridge(features, values_N - self.shift, self.alpha)
        return self

    def predict(self, weights_NK: np.ndarray) -> np.ndarray:
        """See Regression."""
        return (_rooted(weights_NK) - self.mean) / self.scale @ self.slopes + self.shift


def _rooted(weights_NK: np.ndarray) -> np.ndarray:
    return np.hstack([weights_NK, np.sqrt(np.maximum(weights_NK, 0))])


def _standardised(weights_NK: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    features = _rooted(weights_NK)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    return (features - mean) / scale, mean, scale


def _ridge(features_NF: np.ndarray, values_N: np.ndarray, alpha: float) -> np.ndarray:
    # Weights add up to 1, so the columns are dependent: alpha is what makes the solution one.
    gram = features_NF.T @ features_NF + alpha * len(values_N) * np.eye(features_NF.shape[1])
    return np.linalg.solve(gram, features_NF.T @ values_N)


def _loo_alpha(features_NF: np.ndarray, values_N: np.ndarray) -> float:
    """The penalty with the least leave-one-out error, residual over one less leverage."""
    left, singular, _ = np.linalg.svd(features_NF, full_matrices=False)
    along = left.T @ values_N
    errors = []
    for alpha in ALPHAS:
        shrink = singular**2 / (singular**2 + alpha * len(values_N))
        leverage = (left**2 @ shrink) + 1 / len(values_N)
        residual = values_N - left @ (shrink * along)
        errors.append(float(np.mean((residual / np.maximum(1 - leverage, 1e-6)) ** 2)))
    return float(ALPHAS[int(np.argmin(errors))])


@dataclass
class LogLinear:
    """c + exp(t·w): `floor` is c, `slopes` t, (num_sources,). A `start` saves the search for one."""

    start: np.ndarray | None = None
    params: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def fit(self, weights_NK: np.ndarray, values_N: np.ndarray) -> LogLinear:
        """See Regression."""
        starts = [self.start] if self.start is not None else list(_starts(weights_NK, values_N))
        params, costs = _huber_descent(np.stack(starts), weights_NK, values_N)
        self.params = params[int(np.argmin(costs))]
        return self

    def predict(self, weights_NK: np.ndarray) -> np.ndarray:
        """See Regression."""
        return self.params[0] + np.exp(np.minimum(weights_NK @ self.params[1:], 30))


def _starts(weights_NK: np.ndarray, values_N: np.ndarray) -> Any:
    """For several floors below the least value, the slopes that fit the logarithm of what is above it."""
    least, span = float(values_N.min()), max(float(np.ptp(values_N)), 1e-3)
    for below in np.geomspace(0.2, 5, STARTS):
        floor = least - below * span
        ridge = 1e-3 * np.eye(weights_NK.shape[1])
        slopes = np.linalg.solve(weights_NK.T @ weights_NK + ridge, weights_NK.T @ np.log(values_N - floor))
        yield np.concatenate([[floor], slopes])


def _huber_descent(
    params_SP: np.ndarray, weights_NK: np.ndarray, values_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Levenberg-Marquardt on Huber's loss from several starts at once, and the loss of each.

    scipy's least_squares finds the same minimum and takes three times as long for a whole self-test world (7.0 s of
    process time against 2.6): its calls cost more than the arithmetic of 32 rows.
    """
    params, damping = params_SP.copy(), np.full(len(params_SP), 1e-2)
    grown, residual, cost = _law(params, weights_NK, values_N)
    for _ in range(STEPS):
        trust = np.minimum(1.0, HUBER / np.maximum(np.abs(residual), 1e-12))[:, :, None]
        slope = np.concatenate([np.ones((*grown.shape, 1)), grown[:, :, None] * weights_NK], axis=2)
        weighted = (trust * slope).transpose(0, 2, 1)
        gram = weighted @ slope
        scale = np.einsum("spp->sp", gram) + 1e-9
        lifted = gram + damping[:, None, None] * scale[:, :, None] * np.eye(gram.shape[1])
        tried = params - np.linalg.solve(lifted, weighted @ residual[:, :, None])[:, :, 0]
        grown_then, residual_then, cost_then = _law(tried, weights_NK, values_N)
        better = cost_then < cost
        still = np.where(better, (cost - cost_then) < 1e-7 * cost, damping > 1e8)
        damping = np.where(better, damping / 4, damping * 4).clip(1e-9, 1e9)
        params = np.where(better[:, None], tried, params)
        grown = np.where(better[:, None], grown_then, grown)
        residual, cost = np.where(better[:, None], residual_then, residual), np.minimum(cost, cost_then)
        if still.all():
            break
    return params, cost


def _law(
    params_SP: np.ndarray, weights_NK: np.ndarray, values_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """exp(t·w), residuals, (num_starts, N) each, and Huber's loss, (num_starts,)."""
    grown = np.exp(np.minimum(params_SP[:, 1:] @ weights_NK.T, 30))
    residual = params_SP[:, :1] + grown - values_N
    far = np.abs(residual)
    loss = np.where(far <= HUBER, residual**2 / 2, HUBER * (far - HUBER / 2))
    return grown, residual, loss.sum(axis=1)


@dataclass
class SmallTrees:
    """LightGBM with small leaves, one thread, no early stopping (RegMix's notebook stops on its test set)."""

    min_child_samples: int = MIN_CHILD_SAMPLES
    model: Any = None

    def fit(self, weights_NK: np.ndarray, values_N: np.ndarray) -> SmallTrees:
        """See Regression."""
        import lightgbm

        if self.min_child_samples >= len(values_N) / 2:
            warnings.warn(constant_trees(self.min_child_samples, len(values_N)), stacklevel=2)
        settings = {
            "objective": "l2", "learning_rate": 0.08, "num_leaves": 6, "min_data_in_leaf": self.min_child_samples,
            "min_sum_hessian_in_leaf": 0.0, "lambda_l2": 0.1, "num_threads": 1, "deterministic": True,
            "force_row_wise": True, "verbosity": -1, "seed": 1, "min_data_in_bin": 1,
        }  # fmt: skip
        data = lightgbm.Dataset(weights_NK, values_N, params=settings)
        self.model = lightgbm.train(settings, data, num_boost_round=120)
        return self

    def predict(self, weights_NK: np.ndarray) -> np.ndarray:
        """See Regression."""
        return np.asarray(self.model.predict(weights_NK, num_threads=1))


def constant_trees(min_child_samples: int, runs: int) -> str:
    """What to tell who asks for leaves as large as half the proxies."""
    return (
        f"LightGBM's min_child_samples {min_child_samples} is at least half of {runs} proxies: "
        "a tree splits once or never, and nearly every mixture gets the mean"
    )


KINDS: dict[str, Callable[[], Regression]] = {
    "ridge": RootRidge,
    "log-linear": LogLinear,
    "lightgbm": SmallTrees,
}


def again(fitted: Regression) -> Regression:
    """A new one of the same kind that starts from a fitted one: for bootstrap samples, where it saves most of the
    time."""
    if isinstance(fitted, RootRidge):
        return RootRidge(alpha=fitted.alpha)
    if isinstance(fitted, LogLinear):
        return LogLinear(start=fitted.params)
    assert isinstance(fitted, SmallTrees)
    return SmallTrees(fitted.min_child_samples)
