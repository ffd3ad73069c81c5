"""What a mixture must keep: least and greatest share of a source, epochs at the horizon, sequences in a proxy.

Shares that the user bounds are of bytes; caps on epochs and the least number of sequences are of tokens, whose
share depends on the whole mixture. So a mixture is moved into the limits by turns: token bounds become byte
bounds at the mixture's own tokens per byte, the weights are scaled and clipped to them, and the tokens per byte
are taken anew. Scaling keeps the proportions of the sources that no bound touches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chejil.errors import ChejilError, did_you_mean
from chejil.eval.ablating import mixtures
from chejil.eval.ablating.mixtures import Source

TOLERANCE = 1e-9
NEAR_CAP = 2e-3
"""Share of bytes below its greatest from which a source is held back; the search ends at steps of 0.001."""
NEAR_FLOOR = 0.02
"""Part of its least share above which it is no longer: floors of small sources are shares of 0.1 %."""
_ROUNDS = 40
_HALVINGS = 60


@dataclass(frozen=True)
class Limits:
    """Bounds by source, each (num_sources,): of byte shares `low`, `high`, of token shares `token_low`,
    `token_high`."""

    sources: tuple[Source, ...]
    low: np.ndarray
    high: np.ndarray
    token_low: np.ndarray
    token_high: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """The sources' names."""
        return tuple(source.name for source in self.sources)

    def box(self, weights_NK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of byte shares at each mixture's tokens per byte, (N, num_sources) each."""
        bytes_per_token = np.array([source.bytes_per_token for source in self.sources])
        tokens_per_byte = (weights_NK / bytes_per_token).sum(axis=-1, keepdims=True)
        share = bytes_per_token * tokens_per_byte
        return np.maximum(self.low, self.token_low * share), np.minimum(self.high, self.token_high * share)

    def held(self, weights_K: np.ndarray) -> dict[str, str]:
        """The setting that holds each source at a limit: `low`, `least_sequences`, `high` or `max_epochs`."""
        low, high = (ends[0] for ends in self.box(weights_K[None]))
        found = {}
        for at, name in enumerate(self.names):
            if low[at] > 0 and weights_K[at] <= low[at] * (1 + NEAR_FLOOR):
                found[name] = "low" if low[at] <= self.low[at] else "least_sequences"
            elif high[at] < 1 and weights_K[at] >= high[at] - NEAR_CAP:
                found[name] = "high" if high[at] >= self.high[at] else "max_epochs"
        return found

    def keep(self, weights_NK: np.ndarray) -> np.ndarray:
        """Whether each mixture keeps every bound, (N,)."""
        low, high = self.box(weights_NK)
        inside = (weights_NK >= low - TOLERANCE) & (weights_NK <= high + TOLERANCE)
        return np.asarray(inside.all(axis=-1))

    def moved_in(self, weights_NK: np.ndarray) -> np.ndarray:
        """Mixtures scaled and clipped until they keep the limits; those that cannot be are left out, (≤ N,
        num_sources).

        Those that keep them already are unchanged.
        """
        given = np.asarray(weights_NK, np.float64)
        outside = np.flatnonzero(~self.keep(given))
        found, wanted = given.copy(), given[outside]
        for _ in range(_ROUNDS if len(outside) else 0):
            before = found[outside]
            found[outside] = _clipped(wanted, *self.box(before))
            if np.abs(found[outside] - before).max() < TOLERANCE / 100:
                break
        return found[self.keep(found)]


def limits(
    sources: Sequence[Source],
    low: Mapping[str, float] | None = None,
    high: Mapping[str, float] | None = None,
    horizon_tokens: float | None = None,
    max_epochs: float = 4.0,
    proxy_tokens: float | None = None,
    least_tokens: float = 0.0,
) -> Limits:
    """Limits of mixtures of `sources`.

    Args:
        low: least share of bytes by source.
        high: greatest share of bytes by source.
        horizon_tokens: of the large run, at which no source is passed over more than `max_epochs` times.
        proxy_tokens: budget of a proxy, in which each source has at least `least_tokens`.

    Raises:
        ChejilError: an unknown source, a source with too little text, limits that no mixture keeps.
    """
    known = mixtures.names(sources)
    token_high = np.ones(len(known))
    if horizon_tokens:
        unique = np.array([source.unique_tokens for source in sources])
        token_high = np.minimum(1.0, max_epochs * unique / horizon_tokens)
    token_low = np.full(len(known), least_tokens / proxy_tokens if proxy_tokens else 0.0)
    found = Limits(
        tuple(sources), _vector(low or {}, known, 0.0), _vector(high or {}, known, 1.0), token_low, token_high
    )
    _check(found, max_epochs)
    return found


def _vector(bounds: Mapping[str, float], known: Sequence[str], default: float) -> np.ndarray:
    for name, bound in bounds.items():
        if name not in known:
            raise ChejilError(f"bound of an unknown source '{name}'", mend=did_you_mean(name, known))
        if not 0 <= bound <= 1:
            raise ChejilError(f"bound {bound} of {name}", mend="give a share from 0 to 1")
    return np.array([bounds.get(name, default) for name in known], np.float64)


def _check(found: Limits, max_epochs: float) -> None:
    for name, low, high in zip(found.names, found.token_low, found.token_high, strict=True):
        if high < low:
            raise ChejilError(
                f"{name} has too little text: {max_epochs:g} epochs of it are {high:.3%} of the horizon, "
                f"and a proxy needs {low:.3%} to see enough of it",
                mend="leave the source out, join it with another, allow more epochs, or give proxies more tokens",
            )
    for name, low, high in zip(found.names, found.low, found.high, strict=True):
        if high < low:
            raise ChejilError(
                f"{name} has a least share {low:g} above its greatest {high:g}", mend="lower it"
            )
    if found.token_high.sum() < 1:
        raise ChejilError(
            f"{max_epochs:g} epochs of all sources are {found.token_high.sum():.0%} of the horizon",
            mend="allow more epochs, shorten the horizon, or add text",
        )
    if not len(found.moved_in(mixtures.natural(found.sources).vector[None])):
        raise ChejilError("no mixture keeps all limits", mend="lower the least shares or raise the greatest")


def _clipped(weights_NK: np.ndarray, low_NK: np.ndarray, high_NK: np.ndarray) -> np.ndarray:
    """Weights times the factor at which they add up to 1 after clipping; the sum grows with it, so it is halved
    in."""
    weights = np.maximum(weights_NK, 1e-12)
    least, most = np.full((len(weights), 1), -60.0), np.full((len(weights), 1), 60.0)
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        above = np.clip(weights * np.exp(middle), low_NK, high_NK).sum(axis=1, keepdims=True) > 1
        least, most = np.where(above, least, middle), np.where(above, middle, most)
    clipped = np.clip(weights * np.exp(least), low_NK, high_NK)
    return clipped / clipped.sum(axis=1, keepdims=True)
