"""Mixtures: shares of bytes by source, checked; how far two are apart, and what one means in tokens.

Weights are shares of bytes, since shares of tokens change with the tokenizer (doremi's issues 15 and 18:
published weights made another tokenizer's model worse than its baseline). Token shares follow from each source's
bytes per token. Weights that do not add up to 1 are refused, not scaled: 1.07 is more often a typing error than a
wish.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from chejil.errors import ChejilError, did_you_mean

SUM_TOLERANCE = 1e-6
"""Rounding of written weights that is scaled away in silence."""


class Source(BaseModel):
    """A source of training text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="its name in mixtures")
    language: str = Field(description="ko or en")
    unique_bytes: int = Field(gt=0, description="UTF-8 bytes of text that are there, each counted once")
    bytes_per_token: float = Field(
        gt=0, default=4.0, description="of the tokenizer, measured on this source; makes token shares"
    )

    @property
    def unique_tokens(self) -> float:
        """Its text in tokens."""
        return self.unique_bytes / self.bytes_per_token


@dataclass(frozen=True)
class Mixture:
    """Shares of bytes, `weights`, of the sources `names`; they add up to 1."""

    names: tuple[str, ...]
    weights: tuple[float, ...]

    @property
    def vector(self) -> np.ndarray:
        """The weights, (num_sources,)."""
        return np.array(self.weights)

    def by_name(self) -> dict[str, float]:
        """Weights by source, as a mixture file has them."""
        return dict(zip(self.names, self.weights, strict=True))


def mixture(weights: Mapping[str, float], known: Sequence[str], where: str | None = None) -> Mixture:
    """A mixture of the sources `known`, in their order; a source that is not named has weight 0.

    Raises:
        ChejilError: an unknown source, a negative weight or one that is no number, weights that do not add up to 1.

    >>> mixture({"web-ko": 0.25, "web-en": 0.75}, ["web-en", "web-ko"]).weights
    (0.75, 0.25)
    """
    for name, weight in weights.items():
        if name not in known:
            raise ChejilError(f"unknown source '{name}'", where=where, mend=did_you_mean(name, known))
        if not math.isfinite(weight) or weight < 0:
            raise ChejilError(f"{name} has weight {weight}", where=where, mend="give a share from 0 to 1")
    total = sum(weights.values())
    if abs(total - 1) > SUM_TOLERANCE:
        raise ChejilError(f"weights add up to {total:g}, not 1", where=where, mend=_scaled(weights, total))
    return Mixture(tuple(known), tuple(weights.get(name, 0.0) / total for name in known))


def _scaled(weights: Mapping[str, float], total: float) -> str:
    if total <= 0:
        return "give at least one source a share"
    shares = ", ".join(f"{name}: {weight / total:.4g}" for name, weight in weights.items())
    return f"in proportion they would be {shares}"


def named(weights_K: np.ndarray, names: Sequence[str]) -> Mixture:
    """A mixture of a vector that is known to be one; scaled for rounding alone."""
    shares = np.asarray(weights_K, np.float64) / np.sum(weights_K)
    return Mixture(tuple(names), tuple(float(share) for share in shares))


def natural(sources: Sequence[Source]) -> Mixture:
    """Each source by the bytes that it has."""
    return named(np.array([source.unique_bytes for source in sources], np.float64), names(sources))


def names(sources: Sequence[Source]) -> tuple[str, ...]:
    """Their names, in order.

    Raises:
        ChejilError: two have the same name, or there are fewer than two.
    """
    found = tuple(source.name for source in sources)
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise ChejilError(f"two sources are called '{twice[0]}'", mend="give each a name of its own")
    if len(found) < 2:
        raise ChejilError("a mixture of fewer than two sources", mend="name at least two sources")
    return found


def total_variation(first_K: np.ndarray, second_K: np.ndarray) -> np.ndarray:
    """Share that must move to make one the other, 0 to 1; broadcasts over (…, num_sources).

    >>> float(total_variation(np.array([0.5, 0.5]), np.array([0.75, 0.25])))
    0.25
    """
    return np.abs(np.asarray(first_K) - second_K).sum(axis=-1) / 2


def kl(first_K: np.ndarray, second_K: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence in nats of the first from the second; 0·log 0 is 0, and infinite where only the
    second is 0. Broadcasts over (…, num_sources).

    >>> float(kl(np.array([1.0, 0.0]), np.array([0.5, 0.5]))) == math.log(2)
    True
    """
    first, second = np.broadcast_arrays(np.asarray(first_K, np.float64), np.asarray(second_K, np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(first > 0, first * np.log(first / second), 0.0)
    return np.maximum(terms.sum(axis=-1), 0.0)


def token_shares(weights_NK: np.ndarray, sources: Sequence[Source]) -> np.ndarray:
    """Shares of tokens that shares of bytes mean, same shape."""
    tokens = np.asarray(weights_NK) / np.array([source.bytes_per_token for source in sources])
    return tokens / tokens.sum(axis=-1, keepdims=True)


def epochs(weights_NK: np.ndarray, sources: Sequence[Source], horizon_tokens: float) -> np.ndarray:
    """How often a run of so many tokens passes over each source, same shape."""
    unique = np.array([source.unique_tokens for source in sources])
    return token_shares(weights_NK, sources) * horizon_tokens / unique
