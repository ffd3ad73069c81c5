"""What a fine-tuning tells: metrics.jsonl, the view, and whether somebody asked it to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from chejil.errors import ChejilError
from chejil.training.loop import metrics
from chejil.training.loop.live_view import View
from chejil.training.loop.stopping import Asked
from chejil.training.loop.text_loss import TextLoss, by_language, total
from chejil.training.tuning import sft_checkpoints
from chejil.training.tuning.sft_config import SftConfig

CHECKPOINTS = "checkpoints"


class SftJournal(transformers.TrainerCallback):
    """A callback of the trainer; all processes have one, that of the first writes.

    Args:
        tokens_until: (num_steps + 1) int64: tokens read before each step, over all processes.
        begin: steps that are done.
        asked: whether to stop.
    """

    def __init__(
        self,
        folder: Path,
        config: SftConfig,
        view: View,
        tokens_until: np.ndarray,
        begin: int,
        asked: Asked,
        is_main: bool,
    ) -> None:
        self.folder, self.view, self.tokens_until, self.asked = folder, view, tokens_until, asked
        self.begin, self.num_steps, self.is_main = begin, len(tokens_until) - 1, is_main
        self.world: Any = None
        if begin and is_main and (folder / metrics.FILE).exists():
            with suppress(ChejilError):  # a damaged line is cut off below; the picture can do without
                view.recall(metrics.read(folder))
        self.metrics = metrics.Metrics(
            folder, config.logging, resumed_from=begin, is_main=is_main, listeners=[view.show]
        )
        self._begun = self._since = time.monotonic()
        self._aside, self._step = 0.0, begin

    def __enter__(self) -> SftJournal:
        return self

    def __exit__(self, *error: object) -> None:
        self.metrics.close()

    def start(self, **about: Any) -> None:
        """Write what the training is."""
        self.metrics.begin(int(self.tokens_until[self.begin]), num_steps=self.num_steps, **about)

    @contextmanager
    def aside(self) -> Iterator[Callable[[], float]]:
        """Time that is not training's; gives the seconds so far."""
        begun = time.monotonic()
        yield lambda: time.monotonic() - begun
        self._aside += time.monotonic() - begun

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the bar; stop all processes where one was asked to."""
        self.view.advance(state.global_step)
        flags = torch.tensor(self.asked.flags(), device=self.world.device)
        if self.asked.heard(self.world.reduce(flags, "sum").tolist()):
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """A `train` record of what the trainer logs of steps."""
        logs: Mapping[str, Any] = given["logs"]
        if "loss" not in logs:
            return
        now, step = time.monotonic(), state.global_step
        _require_number(float(logs["loss"]), "the loss", step)
        spent, steps = now - self._since, step - self._step
        training = max(spent - self._aside, 1e-9)
        rate = float(self.tokens_until[step] - self.tokens_until[self._step]) / training
        values = {
            "loss": float(logs["loss"]),
            "grad_norm": logs.get("grad_norm"),
            "learning_rate": logs.get("learning_rate"),
            "seconds": spent,
            "tokens_per_second": rate,
            "tokens_per_second_device": rate / self.world.num_processes,
            "seconds_left": spent / max(steps, 1) * (self.num_steps - step),
        }
        self._write("train", step, **values)
        self._since, self._aside, self._step = now, 0.0, step

    def evaluated(self, step: int, found: Mapping[str, TextLoss], seconds: float) -> float:
        """An `evaluation` record; nats a learnt token."""
        groups = {"sources": found, "languages": by_language(found)}
        parts = {kind: {name: one.as_dict() for name, one in group.items()} for kind, group in groups.items()}
        whole = total(found)
        loss = math.nan if whole.loss is None else float(whole.loss)
        _require_number(loss, "the held-out loss", step)  # else no later one would be better than it
        self._write("evaluation", step, **whole.as_dict(), **parts, seconds=seconds)
        return loss

    def scored(self, step: int, found: Mapping[str, Any], seconds: float) -> None:
        """A `suite` record; see suite_scores.record."""
        self._write("suite", step, **found, seconds=seconds)

    def before_and_best(self, step: int) -> dict[str, Any] | None:
        """The measurements of the base and of a step: loss, sources, languages; None if nothing is held out."""
        found = {one["step"]: one for one in metrics.read(self.folder, "evaluation")} if self.is_main else {}
        if step not in found:
            return None
        kept = ("loss", "bits_per_byte", "num_tokens", "sources", "languages")
        before = found.get(0, {})
        return {"step": step, "before": before.get("loss"), **{key: found[step].get(key) for key in kept},
                "languages_before": before.get("languages")}  # fmt: skip

    def saved(self, step: int, seconds: float) -> None:
        """A `checkpoint` record."""
        path = sft_checkpoints.folder_of(self.folder / CHECKPOINTS, step)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if self.is_main else 0
        self._write("checkpoint", step, path=f"{CHECKPOINTS}/{path.name}", bytes=size, seconds=seconds)

    def end(self, step: int) -> None:
        """The training is at its end, or was asked to stop."""
        reason = "done" if step == self.num_steps else f"stopped by {self.asked.name}"
        self._write("end", step, reason=reason, seconds=time.monotonic() - self._begun)

    def _write(self, kind: str, step: int, **values: Any) -> None:
        self.metrics.write(kind, step, int(self.tokens_until[step]), **values)


def _require_number(loss: float, what: str, step: int) -> None:
    """Behind a loss that is no number all weights are none: the checkpoint before is the last good one."""
    if math.isfinite(loss):
        return
    if step == 0:
        mend = "the base's weights are broken: take another copy of it, or a checkpoint of before it diverged"
        raise ChejilError("the base's held-out loss is not a number", mend=mend)
    mend = "a lower schedule.learning_rate, another --out; at step 1 the base's weights may be no numbers"
    raise ChejilError(f"{what} of step {step:,} is not a number: the training has diverged", mend=mend)
