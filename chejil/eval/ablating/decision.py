"""Does A beat B: seeds, held-out text, the least difference that would have shown, and how many seeds are missing.

Two things are drawn by chance. **Seeds**: the same data trained twice differs; with the same seeds on both sides
differences are paired. Three seeds know their own spread badly, so the spread pooled over all replicated mixtures
of the sweep is used where it is given. **Held-out text**: documents are drawn anew with replacement, the same for
both sides (paired bootstrap, Koehn 2004). Both variances add up; the interval is Student's. Three values alone
are no bootstrap: percentiles of three seeds call equal mixtures different in a quarter of cases, not in 5 %
(tests/eval/test_ablating_decision.py).

The verdict is `decided`, or `needs k more seeds a side`: the fewest for which a difference as large as the
one seen would show with 80 % power. Where no affordable number would, it says what would show instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chejil.errors import ChejilError

LEVEL = 0.95
POWER = 0.8
MOST_SEEDS = 32
ARM_SEEDS = 3
"""Of an arm, below which intervals are too wide to decide by: Student's factor is 12.7 of two, 4.3 of three."""
DOCUMENT_SAMPLES = 2000


@dataclass(frozen=True)
class Noise:
    """Standard deviation of one run's value by seed, and the degrees of freedom from which it is known."""

    deviation: float
    freedom: int


@dataclass(frozen=True)
class Decision:
    """A less B in bits per byte (negative: A is better), its 95 % ends, and the verdict.

    detectable: the least difference that these seeds would show in four of five sweeps. more_seeds: on each side;
    None where it is decided, or where MOST_SEEDS would not do. freedom: degrees of freedom of the interval.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    seeds: int
    paired: bool
    detectable: float
    better: str | None
    more_seeds: int | None
    text_deviation: float = 0.0
    freedom: int = 0

    @property
    def verdict(self) -> str:
        """`decided`, or `needs k more seeds a side`, or what would have to change."""
        if self.better is not None:
            return "decided"
        if self.more_seeds is not None:
            return f"needs {self.more_seeds} more seed{'s' if self.more_seeds > 1 else ''} a side"
        return f"not decided: {MOST_SEEDS} seeds would not show {abs(self.difference):.4f} bits per byte"


def few_seeds(seeds: int) -> list[str]:
    """A warning if two arms with so many seeds each, and no other replicates, can hardly be told apart."""
    if seeds >= ARM_SEEDS:
        return []
    return [
        f"{seeds} seed{'s' if seeds > 1 else ''} an arm: the interval of two arms alone has {max(0, seeds - 1)} degree "
        f"of freedom; {ARM_SEEDS} make it a third as wide (`proposals.replicate_seeds`)"
    ]


def decide(
    first: tuple[str, Mapping[int, float]],
    second: tuple[str, Mapping[int, float]],
    pooled: Noise | None = None,
    text_deviation: float = 0.0,
) -> Decision:
    """Compare two mixtures, or two arms, by their values by seed.

    Args:
        first: name and value by seed.
        second: the other's.
        pooled: noise by seed from all replicates of the sweep; joined with what these runs show themselves.
        text_deviation: of the difference, by held-out text (`document_deviation`).

    Raises:
        ChejilError: a value that is not finite, or no noise to judge by: one seed a side and nothing pooled.
    """
    for name, values in (first, second):
        if not values or not np.isfinite(list(values.values())).all():
            raise ChejilError(
                f"{name} has no finite value", mend="leave out runs that diverged, with their seeds"
            )
    common = sorted(first[1].keys() & second[1].keys())
    paired = len(common) >= 2
    own, count, difference = _paired(first[1], second[1], common) if paired else _apart(first[1], second[1])
    spread = _joined(own, pooled, paired)
    if spread.freedom < 1:
        raise ChejilError(
            f"{first[0]} and {second[0]} have one seed each, and no mixture has two",
            mend="train a few mixtures with several seeds: noise cannot be known from one",
        )
    return _decision(first[0], second[0], difference, spread, count, paired, text_deviation)


def _paired(
    first: Mapping[int, float], second: Mapping[int, float], common: list[int]
) -> tuple[Noise, float, float]:
    apart = np.array([first[seed] - second[seed] for seed in common])
    return Noise(float(apart.std(ddof=1)), len(apart) - 1), float(len(apart)), float(apart.mean())


def _apart(first: Mapping[int, float], second: Mapping[int, float]) -> tuple[Noise, float, float]:
    """Two samples: noise of a run, and the number of pairs that are worth as much."""
    sides = [np.array(list(values.values())) for values in (first, second)]
    freedom = sum(len(side) - 1 for side in sides)
    squares = sum(float(((side - side.mean()) ** 2).sum()) for side in sides)
    # A difference of two runs has twice the variance of one; n pairs are the harmonic mean of the sides.
    count = 2 / (1 / len(sides[0]) + 1 / len(sides[1]))
    deviation = float(np.sqrt(2 * squares / freedom)) if freedom else 0.0
    return Noise(deviation, freedom), count, float(sides[0].mean() - sides[1].mean())


def _joined(own: Noise, pooled: Noise | None, paired: bool) -> Noise:
    """Noise of a difference from these runs and from the sweep's replicates, weighted by degrees of freedom."""
    if pooled is None or pooled.freedom < 1 or not np.isfinite(pooled.deviation):
        return own
    freedom = own.freedom + pooled.freedom
    squares = own.freedom * own.deviation**2 + pooled.freedom * 2 * pooled.deviation**2
    return Noise(float(np.sqrt(squares / freedom)), freedom)


def _decision(
    first: str, second: str, difference: float, spread: Noise, count: float, paired: bool, text: float
) -> Decision:
    from scipy.stats import t  # type: ignore[import-untyped]

    error = float(np.hypot(spread.deviation / np.sqrt(count), text))
    half = float(t.ppf((1 + LEVEL) / 2, spread.freedom)) * error
    p = float(2 * t.sf(abs(difference) / error, spread.freedom)) if error > 0 else float(difference == 0)
    better = (first if difference < 0 else second) if abs(difference) > half else None
    return Decision(
        first, second, difference, difference - half, difference + half, p, int(count), paired,
        detectable(spread, count, text), better,
        None if better else _more_seeds(difference, spread, count, text), text,
        spread.freedom,
    )  # fmt: skip


def detectable(spread: Noise, count: float, text_deviation: float = 0.0) -> float:
    """Least difference that `count` pairs of runs show with 80 % power at 95 %, in bits per byte (Bloom 1995)."""
    from scipy.stats import t

    error = float(np.hypot(spread.deviation / np.sqrt(count), text_deviation))
    return float(t.ppf((1 + LEVEL) / 2, spread.freedom) + t.ppf(POWER, spread.freedom)) * error


def _more_seeds(difference: float, spread: Noise, count: float, text: float) -> int | None:
    for more in range(1, MOST_SEEDS + 1):
        known = Noise(spread.deviation, spread.freedom + more)
        if detectable(known, count + more, text) <= abs(difference):
            return more
    return None


def document_deviation(
    first_bits_SD: np.ndarray, second_bits_SD: np.ndarray, bytes_D: np.ndarray, seed: int = 1
) -> float:
    """Standard deviation of the difference in bits per byte by held-out text: documents drawn anew, the same for
    both.

    Args:
        first_bits_SD: bits of each document under each seed, (num_seeds, num_documents).
        second_bits_SD: the other side's, of the same documents.
        bytes_D: UTF-8 bytes of each document.

    Raises:
        ChejilError: other documents on one side, or fewer than two.
    """
    first, second = np.atleast_2d(first_bits_SD), np.atleast_2d(second_bits_SD)
    if not first.shape[1] == second.shape[1] == len(bytes_D):
        raise ChejilError(
            f"{first.shape[1]} and {second.shape[1]} documents, {len(bytes_D)} sizes",
            mend="measure the same ones",
        )
    if len(bytes_D) < 2:
        raise ChejilError("one held-out document", mend="hold out at least a few hundred")
    apart = first.mean(axis=0) - second.mean(axis=0)
    rng, size = np.random.default_rng(seed), max(1, (1 << 22) // len(bytes_D))
    found = []
    for start in range(0, DOCUMENT_SAMPLES, size):
        counts = rng.multinomial(
            len(bytes_D), np.full(len(bytes_D), 1 / len(bytes_D)), min(size, DOCUMENT_SAMPLES - start)
        )
        found.append((counts @ apart) / (counts @ bytes_D))
    return float(np.concatenate(found).std(ddof=1))
