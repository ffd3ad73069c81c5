"""Pretraining: what `chejil pretrain` does, from a config to a trained model, on one process or many.

Nothing but the weights, the optimiser and the spike guard is state: rows, learning rate and random numbers follow from
(seed, step). So a training that was killed goes on from its last checkpoint as if nothing had been, on another number
of processes too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from chejil.training.config import PretrainConfig
from chejil.training.loop import data as datas
from chejil.training.loop import resuming, stopping, suite_scoring, training_folder
from chejil.training.loop.building import build
from chejil.training.loop.checkpoints import Checkpoints
from chejil.training.loop.data import Data
from chejil.training.loop.evaluating import evaluate
from chejil.training.loop.journal import Journal, result
from chejil.training.loop.live_view import View
from chejil.training.loop.optimiser import adamw
from chejil.training.loop.parallel import World, joined
from chejil.training.loop.prefetch import Prefetched
from chejil.training.loop.resuming import Told
from chejil.training.loop.spike_guard import Guard
from chejil.training.loop.step import Stepper
from chejil.training.loop.training_state import state_of
from chejil.training.modelling.losses import ModelWithLoss

AtEnd = Callable[[ModelWithLoss, Data, World], None]
"""What is done with a trained model in all processes, before they part."""


def pretrain(
    config: PretrainConfig, folder: Path, view_of: Callable[[World], View], at_end: AtEnd | None = None
) -> dict[str, Any] | None:
    """Train a model, or go on with it from its last checkpoint.

    Args:
        config: what is trained.
        folder: of the training, on a disk that all processes see.
        view_of: makes what shows it.
        at_end: is given the model behind its last step; again, where a finished training is called again.

    Returns:
        name, folder, from_step, step, num_steps, tokens, stopped_by (a signal's name or null), signal (the same, also
        of one that came behind the last step), and of the last evaluation loss, bits_per_byte, num_bytes, sources and
        languages. None in all processes but the first.

    Raises:
        ChejilError: what a user can mend; the last checkpoint is whole.
    """
    config = config.with_mixture()
    config.require_whole_rows()
    with (
        joined(config) as world,
        training_folder.held(folder, world),
        view_of(world) as view,
    ):
        with world.main_first():  # it makes the index of rows that the others find
            data = datas.read(config)
        for warning in data.batches.warnings():
            view.say(f"warning: {warning}")
        suite = suite_scoring.read(config, data)
        if suite is not None:
            view.say(suite_scoring.cost(suite, config))
        model = build(config, world, data.corpus)
        optimiser, guard = adamw(model, config, world.device), Guard(config.spikes)
        state = state_of(model.model, optimiser)
        measure = partial(evaluate, model, data.held_out, config.micro_batch_rows, world)
        with Checkpoints(folder / training_folder.CHECKPOINTS, config.checkpoints) as checkpoints:
            begin = resuming.resume(checkpoints, config, data, model, state, guard, view.say)
            if begin == config.steps:
                _end(at_end, model, data, world)
                return result(folder, config, world, begin, begin)
            training_folder.begin(folder, config, data.corpus, world)
            told = Told(config, data, model, guard, world)
            stepper = Stepper(config, world, model, optimiser, guard)
            with (
                Journal(folder, config, world, data.batches.names, begin, view) as journal,
                stopping.asked() as asked,
            ):
                prefetched = Prefetched(data.batches, world, journal.waiting)
                step = begin
                for number, rows in prefetched.steps(begin, config.steps):
                    taken = stepper.take(number, rows, data.num_streams, asked.flags(checkpoints.failed))
                    stop, step = asked.heard(taken.flags), number + 1
                    journal.stepped(step, taken)
                    if _due(step, config.evaluation.every_steps, config):
                        journal.evaluate(step, measure)
                    if suite is not None and _due(step, config.evaluation.suite_steps, config):
                        journal.score(step, suite, model)
                    if _due(step, config.checkpoints.every_steps, config) or stop:
                        journal.save(step, partial(checkpoints.save, step, state, told.at(step)))
                    if stop:
                        break
                checkpoints.finish()
                if step == config.steps:
                    _end(at_end, model, data, world)
                return journal.end(step, asked.name)


def _end(at_end: AtEnd | None, model: ModelWithLoss, data: Data, world: World) -> None:
    if at_end is not None:
        at_end(model, data, world)


def _due(step: int, every: int, config: PretrainConfig) -> bool:
    """Whether something that is done every so many steps is done behind a step; behind the last one it always is."""
    return step % every == 0 or step == config.steps
