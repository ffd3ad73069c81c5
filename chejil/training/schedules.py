"""The learning rate of a step: a function of the step alone, so a resumed training needs no state of a scheduler.

    wsd     warm-up, stable, decay over the last `decay_share` of the steps (Hu et al. 2024, MiniCPM); linear or
            1 - sqrt (Hägele et al. 2024). The stable part does not know the end: a training can be made longer.
    cosine  warm-up, then half a cosine down to the end (Loshchilov and Hutter 2017).

Steps count from 0. Warm-up takes its value at the end of a step, decay at the beginning: step warmup_steps - 1 has the
highest rate, and `final_share` is reached behind the last step. So no step is taken at rate 0, neither the first nor
the last, which schedulers that count both ends the same way lose.
"""

from __future__ import annotations

import math

from chejil.training.config import Schedule


def share(schedule: Schedule, step: int, num_steps: int) -> float:
    """The rate of a step as a share of the highest, in [0, 1].

    Args:
        step: from 0; behind the end it stays at the end.
        num_steps: of the whole training.

    Raises:
        ValueError: a step below 0.
    """
    if step < 0:
        raise ValueError(f"step {step} is below 0")
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    begin = decay_begin(schedule, num_steps)
    if step < begin:
        return 1.0
    progress = (step - begin) / (num_steps - begin) if step < num_steps else 1.0
    return schedule.final_share + (1 - schedule.final_share) * _left(schedule, progress)


def learning_rate(schedule: Schedule, step: int, num_steps: int) -> float:
    """The rate of a step; see `share`.

    >>> short = Schedule(learning_rate=0.01, warmup_steps=2, decay_share=0.5, decay_shape="linear")
    >>> [learning_rate(short, step, 8) for step in range(9)]
    [0.005, 0.01, 0.01, 0.01, 0.01, 0.0075, 0.005, 0.0025, 0.0]
    """
    return schedule.learning_rate * share(schedule, step, num_steps)


def decay_begin(schedule: Schedule, num_steps: int) -> int:
    """The step at which the rate begins to fall, itself still at the highest: where WSD trainings branch off."""
    if schedule.kind == "cosine":
        return schedule.warmup_steps
    return num_steps - round(schedule.decay_share * num_steps)


def _left(schedule: Schedule, progress: float) -> float:
    """What is left of the way from the highest rate to the last one: 1 at progress 0, 0 at progress 1."""
    if schedule.kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    return 1 - (math.sqrt(progress) if schedule.decay_shape == "1-sqrt" else progress)
