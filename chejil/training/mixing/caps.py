"""Caps on epochs: what a source above its cap leaves is given to others of its group, or refused.

Water filling: in each stage a source has its share times min(f, λ), where f is its own factor in all stages and λ is
what keeps the sum of its group in that stage (its group is its language, so that shares of languages stay as they were
asked for). Without a cap f is infinite, so the others take what a capped source leaves in proportion to their shares.

Caps are in tokens and shares in bytes, so a moved share moves the tokens of all, and factors are found by iterating. A
step is damped by the spread of bytes a token, r = min/max: tokens answer to a factor with an elasticity between r and
1/r, so an undamped step would overshoot. Errors shrink by 1 − r² a round at least: 200 rounds at 2 against 6 bytes a
token, some milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from chejil.errors import ChejilError
from chejil.training.planning.epochs import token_shares

ROUNDS = 10_000
_CLOSE = 1e-9


def seen_tokens(
    stages: Sequence[Sequence[float]], lengths: Sequence[float], bytes_per_token: Sequence[float]
) -> list[float]:
    """Tokens that are drawn of each stream.

    Args:
        stages: shares of bytes by stream, a list a stage.
        lengths: tokens of each stage.
    """
    by_stage = [token_shares(shares, bytes_per_token) for shares in stages]
    columns = zip(*by_stage, strict=True)
    return [math.fsum(n * share for n, share in zip(lengths, one, strict=True)) for one in columns]


def within(
    stages: Sequence[Sequence[float]],
    lengths: Sequence[float],
    bytes_per_token: Sequence[float],
    limits: Sequence[float],
    groups: Sequence[Sequence[int]],
) -> list[list[float]]:
    """Shares by stage in which no stream gives more tokens than its limit; the sum of each group stays.

    Args:
        limits: tokens a stream; infinite where it has no cap.
        groups: streams among which the excess is shared.

    Raises:
        ChejilError: a group whose limits are all reached.

    >>> within([[0.5, 0.25, 0.25]], [64], [1, 1, 1], [16, math.inf, math.inf], [[0, 1, 2]])
    [[0.25, 0.375, 0.375]]
    """
    factors = [math.inf] * len(limits)
    ratios = [bytes_per_token[at] for at in range(len(limits)) if any(shares[at] for shares in stages)]
    damping = min(ratios, default=1.0) / max(ratios, default=1.0)
    for _ in range(ROUNDS):
        levels = [[level(shares, factors, group) for group in groups] for shares in stages]
        moved = [_moved(shares, factors, groups, of) for shares, of in zip(stages, levels, strict=True)]
        seen = seen_tokens(moved, lengths, bytes_per_token)
        highest = [max(of) for of in zip(*levels, strict=True)]
        if _settled(seen, limits, factors, groups, highest):
            return moved
        for group, high in zip(groups, highest, strict=True):
            for at in group:
                if seen[at] > limits[at] or (factors[at] < high and seen[at]):
                    factors[at] = min(factors[at], high) * (limits[at] / seen[at]) ** damping
    mend = "lower the shares of the sources with caps"
    raise ChejilError("caps on epochs and shares do not settle", where="mixture", mend=mend)


def level(shares: Sequence[float], factors: Sequence[float], group: Sequence[int]) -> float:
    """λ of a group: Σ share · min(factor, λ) = Σ share.

    Raises:
        FullGroupError: all of its factors together leave something over.

    >>> level([0.5, 0.25, 0.25], [0.5, math.inf, math.inf], [0, 1, 2])
    1.5
    """
    whole, free = math.fsum(shares[at] for at in group), [at for at in group if shares[at] > 0]
    if not free:
        return 1.0
    left = whole
    for at in sorted(free, key=lambda at: factors[at]):  # the lowest factors bind first
        room = math.fsum(shares[one] for one in free)
        if factors[at] * room >= left:
            return left / room
        left -= shares[at] * factors[at]
        free.remove(at)
    if left <= whole * _CLOSE:
        return max(factors[at] for at in group if shares[at] > 0)
    raise FullGroupError(list(group))


def _moved(
    shares: Sequence[float],
    factors: Sequence[float],
    groups: Sequence[Sequence[int]],
    levels: Sequence[float],
) -> list[float]:
    found = list(shares)
    for group, high in zip(groups, levels, strict=True):
        for at in group:
            found[at] *= min(factors[at], high)
    return found


def _settled(
    seen: Sequence[float],
    limits: Sequence[float],
    factors: Sequence[float],
    groups: Sequence[Sequence[int]],
    highest: Sequence[float],
) -> bool:
    """Nothing is above its limit, and what is held down is at it."""
    held = {at for group, high in zip(groups, highest, strict=True) for at in group if factors[at] < high}
    over = any(tokens > limits[at] * (1 + _CLOSE) for at, tokens in enumerate(seen))
    return not over and all(seen[at] >= limits[at] * (1 - 100 * _CLOSE) for at in held if seen[at])


class FullGroupError(Exception):
    """Every stream of a group is at its limit; `group` are their places."""

    def __init__(self, group: list[int]) -> None:
        super().__init__(f"streams {group} are at their limits")
        self.group = group
