"""Caps on epochs: what a source above its cap leaves is given to others of its group, or refused.

The share of a source is scaled down by one factor in all stages, and in each stage the others of its group (its
language, so that shares of languages stay as they were asked for) take what it leaves in proportion to their shares.
Since caps are in tokens and shares in bytes, a moved share moves the tokens of all: factors are found by iterating,
which converges in some ten rounds (a property test; it is water filling, and the others' tokens only grow).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from chejil.errors import ChejilError
from chejil.training.planning.epochs import token_shares

ROUNDS = 1000
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

    >>> within([[0.5, 0.3, 0.2]], [100], [1, 1, 1], [20, math.inf, math.inf], [[0, 1, 2]])  # 3 to 2, as before
    [[0.2, 0.48, 0.32]]
    """
    factors: dict[int, float] = {}
    moved = [list(shares) for shares in stages]
    for _ in range(ROUNDS):
        seen = seen_tokens(moved, lengths, bytes_per_token)
        over = {at for at, tokens in enumerate(seen) if tokens > limits[at] * (1 + _CLOSE)}
        loose = {at for at in factors if seen[at] < limits[at] * (1 - _CLOSE)}
        if not over and not loose:
            return moved
        for at in over | loose:
            factors[at] = factors.get(at, 1.0) * limits[at] / seen[at]
            if factors[at] >= 1:  # others' moves brought it below its cap: as it was asked for
                del factors[at]
        moved = [_moved(shares, factors, groups) for shares in stages]
    raise ChejilError(
        "caps on epochs and shares do not settle", mend="lower the shares of the sources with caps"
    )


def _moved(
    shares: Sequence[float], factors: dict[int, float], groups: Sequence[Sequence[int]]
) -> list[float]:
    found = [share * factors.get(at, 1.0) for at, share in enumerate(shares)]
    for group in groups:
        excess = math.fsum(shares[at] - found[at] for at in group)
        free = [at for at in group if at not in factors and shares[at] > 0]
        room = math.fsum(shares[at] for at in free)
        if excess > 0 and not free:
            raise FullGroupError(list(group))
        for at in free:
            found[at] *= 1 + excess / room
    return found


class FullGroupError(Exception):
    """Every stream of a group is at its limit; `group` are their places."""

    def __init__(self, group: list[int]) -> None:
        super().__init__(f"streams {group} are at their limits")
        self.group = group
