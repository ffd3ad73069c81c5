"""What a training tells: each step, evaluation and checkpoint goes to metrics, meter and view from here.

The loop says what happened; which numbers that makes, and when, is decided here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from chejil.errors import ChejilError
from chejil.training.config import PretrainConfig
from chejil.training.loop import metrics, resuming, throughput
from chejil.training.loop.checkpoint_folders import folder_of
from chejil.training.loop.live_view import View
from chejil.training.loop.parallel import World
from chejil.training.loop.step import Taken
from chejil.training.loop.suite_scoring import SuiteRows
from chejil.training.loop.text_loss import TextLoss, by_language, total
from chejil.training.loop.training_folder import CHECKPOINTS
from chejil.training.modelling.losses import ModelWithLoss
from chejil.training.suites import suite_scores

MEASURED = ("loss", "bits_per_byte", "num_bytes", "sources", "languages")
"""Of the last evaluation: what a training returns."""


class Journal:
    """Writes the story of a training; all processes have one, that of rank 0 writes.

    Args:
        names: of the streams, `source/lang`.
        begin: steps that are done.
    """

    def __init__(
        self, folder: Path, config: PretrainConfig, world: World, names: Sequence[str], begin: int, view: View
    ) -> None:
        self.folder, self.config, self.names, self.view = folder, config, names, view
        self.begin, self.world, self._begun = begin, world, time.monotonic()
        measured = throughput.measured(config, throughput.driver_name(world.device), world.size)
        self.meter = throughput.Meter(measured, config.steps, world.device)
        self.waiting = self.meter.waiting
        if begin and world.is_main and (folder / metrics.FILE).exists():
            with suppress(ChejilError):  # a damaged line is cut off below; the picture can do without
                view.recall(metrics.read(folder))
        self.metrics = metrics.Metrics(
            folder, config.logging, resumed_from=begin, is_main=world.is_main, listeners=[view.show]
        )
        about = {
            "name": config.name, "num_steps": config.steps, "world": world.size,
            "num_parameters": config.model.resolved().parameters, "versions": resuming.versions(),
        }  # fmt: skip
        self.metrics.begin(begin * config.batch_tokens, **about, **measured.about())

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.metrics.close()

    def stepped(self, step: int, taken: Taken) -> None:
        """So many steps are done, the last one as told."""
        self.meter.add(self.config.batch_tokens)
        self.view.advance(step)
        if taken.skipped is not None:
            values = {"loss": taken.loss, "grad_norm": taken.grad_norm, "reason": taken.skipped}
            self._write("skip", step, **values)
        if self.metrics.due(step) or step == self.config.steps:
            self._write("train", step, **self._trained(taken), **self.meter.interval(step))

    def _trained(self, taken: Taken) -> dict[str, Any]:
        by_stream = {
            name: part for name, part in zip(self.names, taken.by_stream, strict=True) if part.num_tokens
        }
        return {
            **total(by_stream).as_dict(),
            "z": taken.log_z_squared,
            "grad_norm": taken.grad_norm,
            "learning_rate": taken.learning_rate,
            "sources": {name: part.as_dict() for name, part in by_stream.items()},
        }

    def evaluate(self, step: int, measure: Callable[[], Mapping[str, TextLoss]]) -> None:
        """Measure held-out text, by stream."""
        with self._aside("evaluation") as took:
            found = measure()
        groups = {"sources": found, "languages": by_language(found)}
        parts = {kind: {name: one.as_dict() for name, one in group.items()} for kind, group in groups.items()}
        self._write("evaluation", step, **total(found).as_dict(), **parts, seconds=took())

    def score(self, step: int, rows: SuiteRows, model: ModelWithLoss) -> None:
        """Score a suite."""
        with self._aside("evaluation") as took:
            found = rows.log_likelihoods(model, self.world)
        self._write("suite", step, **suite_scores.record(rows.suite, found), seconds=took())

    def save(self, step: int, write: Callable[[Callable[[], None]], None]) -> None:
        """Save a checkpoint, which is told when it is whole.

        Args:
            write: begins it; is given what to call when it is whole.
        """
        path = str(folder_of(Path(CHECKPOINTS), step))
        with self._aside("checkpoint") as took:
            write(lambda: self._write("checkpoint", step, path=path, bytes=self._bytes(path), seconds=took()))

    def _bytes(self, path: str) -> int | None:
        if not self.world.is_main:
            return None
        return sum(file.stat().st_size for file in (self.folder / path).iterdir())

    def end(self, step: int, signal: str | None) -> dict[str, Any] | None:
        """The training is at its end, or was asked to stop; what `pretrain` returns, in rank 0."""
        reason = "done" if step == self.config.steps else f"stopped by {signal}"
        self._write("end", step, reason=reason, seconds=time.monotonic() - self._begun)
        return result(self.folder, self.config, self.world, self.begin, step, signal)

    @contextmanager
    def _aside(self, what: str) -> Iterator[Callable[[], float]]:
        begun = time.monotonic()
        with self.meter.aside(what):
            yield lambda: time.monotonic() - begun

    def _write(self, kind: str, step: int, **values: Any) -> None:
        self.metrics.write(kind, step, step * self.config.batch_tokens, **values)


def result(
    folder: Path, config: PretrainConfig, world: World, begin: int, step: int, signal: str | None = None
) -> dict[str, Any] | None:
    """What a training came to, in rank 0; None in the others.

    Args:
        begin: the step that this call went on from.
        signal: that came, even behind the last step, where it stopped nothing.
    """
    if not world.is_main:
        return None
    last = metrics.read(folder, "evaluation")[-1:]
    return {
        "name": config.name,
        "folder": str(folder),
        "from_step": begin,
        "step": step,
        "num_steps": config.steps,
        "tokens": step * config.batch_tokens,
        "stopped_by": signal if step < config.steps else None,
        "signal": signal,
        **({key: last[0].get(key) for key in MEASURED} if last else {}),
    }
