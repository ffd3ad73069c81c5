"""A curve of the loss in a terminal: columns of block characters, an eighth of a line each.

All of the training is shown. Losses are kept as means over equally many steps; when there are more than MAX_POINTS,
neighbours become one, so memory and drawing stay bounded however long a training is. The first losses are several times
the last ones and would press all the rest flat: the scale ends at a high quantile, what is above is cut off at the top.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " ..::+*##"
MAX_POINTS = 512

TOP_QUANTILE = 0.95


class LossCurve:
    """Losses of a training, as many as are worth drawing."""

    def __init__(self) -> None:
        self.means: list[float] = []
        self._each, self._open, self._in_open = 1, 0.0, 0

    def add(self, loss: float | None) -> None:
        """Add a loss; what is no number is left out."""
        if loss is None or not math.isfinite(loss):
            return
        self._open, self._in_open = self._open + loss, self._in_open + 1
        if self._in_open == self._each:
            self.means.append(self._open / self._each)
            self._open, self._in_open = 0.0, 0
        if len(self.means) == MAX_POINTS:
            self.means = [(one + two) / 2 for one, two in zip(self.means[::2], self.means[1::2], strict=True)]
            self._each *= 2

    def lines(self, width: int, height: int, blocks: str = BLOCKS) -> list[str]:
        """The curve, from the top, with the ends of its scale at the left.

        Args:
            width: characters, with the scale.
            height: lines, two or more.
            blocks: nine characters, from empty to full.

        >>> curve = LossCurve()
        >>> for loss in [4.0, 3.0, 2.0, 1.0]:
        ...     curve.add(loss)
        >>> curve.lines(width=19, height=2)
        [' 4.000 ███▃▃▃      ', ' 1.000 ██████▆▆▆▁▁▁']
        """
        if len(self.means) < 2 or width < 16:
            return []
        columns = _binned(self.means, width - 7)
        low, high = min(columns), _quantile(columns, TOP_QUANTILE)
        levels = [_level(value, low, high, 8 * height) for value in columns]
        labels = [_label(high), *[" " * 6] * (height - 2), _label(low)]
        return [
            f"{label} {''.join(blocks[min(max(level - 8 * below, 0), 8)] for level in levels)}"
            for label, below in zip(labels, reversed(range(height)), strict=True)
        ]


def _binned(values: Sequence[float], width: int) -> list[float]:
    """Means of `width` neighbouring parts; where there are fewer values, each is repeated."""
    if len(values) <= width:
        return [values[at * len(values) // width] for at in range(width)]
    edges = [at * len(values) // width for at in range(width + 1)]
    parts = [values[begin:end] for begin, end in pairwise(edges)]
    return [sum(part) / len(part) for part in parts]


def _label(value: float) -> str:
    return f"{value:6.3f}" if value < 99 else f"{min(value, 999_999):6.0f}"


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def _level(value: float, low: float, high: float, levels: int) -> int:
    """1 for the lowest, `levels` for the highest and what is above it."""
    if high <= low:
        return 1
    return 1 + round((levels - 1) * min((value - low) / (high - low), 1.0))
