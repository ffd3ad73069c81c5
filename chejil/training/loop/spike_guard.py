"""Steps that are not taken: a loss or a gradient norm that stands out by some standard deviations, or is no number.

As in OLMo-core's SkipStep (6 sigma over the last 128 steps). Values of skipped steps count for mean and deviation, too:
so what stays at a new level, as after a change of the mixture, is accepted after four skipped steps or so, and a single
spike is not. What is no number never counts. The guard's memory is part of a checkpoint.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import fmean, pstdev
from typing import Any

from chejil.errors import ChejilError
from chejil.training.config import SpikeGuard

LEAST_SHARE = 0.5
"""Of the window: fewer steps say nothing of what is usual."""


class DivergedError(ChejilError):
    """A training that has lost its way: what it has learnt is worth nothing."""


class Guard:
    """Decides on each step whether it is taken.

    >>> guard = Guard(SpikeGuard(sigma=6, window_steps=8))
    >>> [guard.reason(step, loss, 1.0) for step, loss in enumerate([3.0, 3.1, 2.9, 3.0, 30.0, 3.0])]
    [None, None, None, None, 'loss 30 is 382 sigma above 3', None]
    """

    def __init__(self, settings: SpikeGuard) -> None:
        self.settings = settings
        self._seen: dict[str, deque[float]] = {
            name: deque(maxlen=settings.window_steps) for name in ("loss", "grad_norm")
        }
        self.in_a_row = 0

    def reason(self, step: int, loss: float, grad_norm: float) -> str | None:
        """Why a step is not to be taken; None if it is.

        Raises:
            DivergedError: so many in a row that it is no spike; or no number, with the guard off.
        """
        values = {"loss": loss, "grad_norm": grad_norm}
        found = [self._fault(name, value) for name, value in values.items()]
        why = next((one for one in found if one), None)
        for name, value in values.items():
            if math.isfinite(value):
                self._seen[name].append(value)
        self.in_a_row = self.in_a_row + 1 if why else 0
        if why and (self.settings.sigma is None or self.in_a_row >= self.settings.max_skips):
            self._give_up(step, why)
        return why

    def _fault(self, name: str, value: float) -> str | None:
        if not math.isfinite(value):
            return f"{name} is {value}"
        seen, sigma = self._seen[name], self.settings.sigma
        if sigma is None or len(seen) < max(2, LEAST_SHARE * self.settings.window_steps):
            return None
        mean, deviation = fmean(seen), pstdev(seen)
        if value <= mean + sigma * deviation:
            return None
        away = (value - mean) / deviation if deviation else math.inf
        return f"{name} {value:.4g} is {away:.3g} sigma above {mean:.4g}"

    def _give_up(self, step: int, why: str) -> None:
        times = f", {self.in_a_row} steps in a row" if self.in_a_row > 1 else ""
        mend = (
            "the last checkpoint is from before it: go on with a lower schedule.learning_rate, longer warm-up or "
            "a lower optimiser.max_grad_norm"
        )
        raise DivergedError(f"step {step + 1}: {why}{times}", mend=mend)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it; plain JSON."""
        seen = {name: list(values) for name, values in self._seen.items()}
        return {"seen": seen, "in_a_row": self.in_a_row}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        for name, values in state["seen"].items():
            self._seen[name].extend(values)
        self.in_a_row = state["in_a_row"]
