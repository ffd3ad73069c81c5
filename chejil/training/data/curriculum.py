"""Curriculum: the stages of a mixture in steps, and which rows of which stream a step takes.

A stage begins at the step nearest to its tokens. A stream goes on in the next stage where it stopped in this one; when
all its rows are through, its next epoch begins, in another order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from chejil.errors import ChejilError
from chejil.training.data.mixture import Interleaving, MixtureStages, StreamSize, members, row_shares

MANY_EPOCHS = 4
"""Up to here repeated data is worth nearly as much as new data (Muennighoff et al. 2023, section 6)."""


@dataclass(frozen=True)
class Stage:
    """A stage in steps.

    Args:
        end: the step behind its last one; None where the training has no end yet.
        before: (num_streams) int64, rows of each stream that earlier stages took.
    """

    begin: int
    end: int | None
    order: Interleaving
    before: np.ndarray


class Curriculum:
    """The stages of a training.

    Args:
        num_steps: of the training; None where it is not known: the last stage is then neither ended nor checked.

    Raises:
        ChejilError: weights that cannot be, a stage without a step, a source without a row, or one above its cap.
    """

    def __init__(
        self,
        settings: MixtureStages,
        sizes: Sequence[StreamSize],
        rows_per_batch: int,
        row_tokens: int,
        num_steps: int | None = None,
    ) -> None:
        self.settings, self.sizes, self.rows_per_batch = settings, list(sizes), rows_per_batch
        self.row_tokens, self.num_steps = row_tokens, num_steps
        self.stages: list[Stage] = []
        taken = np.zeros(len(sizes), np.int64)
        begins = self._begins()
        for number, (begin, end) in enumerate(pairwise([*begins, num_steps])):
            assert begin is not None
            order = Interleaving(row_shares(settings.stages[number].weights, sizes, row_tokens))
            self.stages.append(Stage(begin, end, order, taken))
            if end is not None:
                counts = order.counts((end - begin) * rows_per_batch)
                self._require_rows(number, counts, end - begin)
                taken = taken + counts
        self._require_caps(taken)

    def _begins(self) -> list[int]:
        """The first step of each stage."""
        batch = self.rows_per_batch * self.row_tokens
        begins = [(2 * stage.from_tokens + batch) // (2 * batch) for stage in self.settings.stages]
        ends = [*begins[1:], *([] if self.num_steps is None else [self.num_steps])]
        for number, (begin, end) in enumerate(zip(begins, ends, strict=False)):  # the last may have none
            if end <= begin:
                what = f"stage {number + 1} has no step: from {begin:,} to {end:,}"
                mend = "give it more tokens than a batch, or the training more steps"
                raise ChejilError(f"mixture: {what}", mend=mend)
        return begins

    def _require_rows(self, number: int, counts: np.ndarray, num_steps: int) -> None:
        for pattern, weight in self.settings.stages[number].weights.items():
            found = members(pattern, self.sizes)
            if weight > 0 and not counts[found].any():
                num = num_steps * self.rows_per_batch
                what = f"stage {number + 1}: '{pattern}' gets none of {num:,} rows at a weight of {weight:g}"
                share = float(self.order_of(number).shares[found].sum())
                mend = f"a weight of {weight / (num * share):.2g} is a row; or leave it out"
                raise ChejilError(f"mixture: {what}", mend=mend)

    def order_of(self, number: int) -> Interleaving:
        """The interleaving of a stage."""
        return self.stages[number].order

    def _require_caps(self, taken: np.ndarray) -> None:
        for pattern, cap in self.settings.max_epochs.items():
            for number in members(pattern, self.sizes):
                epochs = self.epochs(taken)[number]
                if epochs > cap:
                    what = f"'{self.sizes[number].name}' is read {epochs:.3g} times, its cap is {cap:g}"
                    mend = _lower(float(taken[number] / taken.sum()), cap / float(epochs))
                    raise ChejilError(f"mixture: {what}", mend=f"{mend}, or raise max_epochs")

    def epochs(self, taken: np.ndarray) -> np.ndarray:
        """(num_streams) float64: how often each is read when so many of its rows are taken."""
        return taken / np.maximum([size.num_rows for size in self.sizes], 1)

    def stage_of(self, step: int) -> int:
        """The number of the stage that a step is in, from 0.

        Raises:
            ChejilError: the training has ended.
        """
        for number, stage in enumerate(self.stages):
            if step >= 0 and (stage.end is None or step < stage.end):
                return number
        raise ChejilError(f"no step {step:,}: the training ends at {self.stages[-1].end:,}")

    def rows_of(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The stream of each row of a step's batch, and the row's number in the stream, through all epochs."""
        stage = self.stages[self.stage_of(step)]
        begin = (step - stage.begin) * self.rows_per_batch
        stream, row = stage.order.between(begin, begin + self.rows_per_batch)
        return stream, row + stage.before[stream]

    def taken_before(self, step: int) -> np.ndarray:
        """(num_streams) int64: rows of each stream in the batches before a step."""
        stages = [stage for stage in self.stages if stage.begin <= step]
        stage = stages[-1]
        return stage.before + stage.order.counts((step - stage.begin) * self.rows_per_batch)

    def table(self) -> list[dict[str, Any]]:
        """What each stage takes of each stream: a row each; only stages that have an end.

        Keys: stage, source, lang, rows, tokens (places), bytes (of text), share_bytes, epochs (up to its end).
        """
        return [
            row for number, stage in enumerate(self.stages) if stage.end for row in self._rows(number, stage)
        ]

    def _rows(self, number: int, stage: Stage) -> list[dict[str, Any]]:
        assert stage.end is not None
        counts = stage.order.counts((stage.end - stage.begin) * self.rows_per_batch)
        per_row = np.array([size.num_bytes / max(size.num_rows, 1) for size in self.sizes])
        num_bytes, epochs = counts * per_row, self.epochs(stage.before + counts)
        return [
            {
                "stage": number + 1, "source": size.source, "lang": size.lang, "rows": int(counts[at]),
                "tokens": int(counts[at]) * self.row_tokens, "bytes": round(num_bytes[at]),
                "share_bytes": float(num_bytes[at] / num_bytes.sum()), "epochs": float(epochs[at]),
            }
            for at, size in enumerate(self.sizes)
        ]  # fmt: skip

    def warnings(self) -> list[str]:
        """What a user should know: streams that get no row, and those that are read often."""
        said = []
        for row in self.table():
            name = f"stage {row['stage']}: {row['source']}/{row['lang']}"
            if row["rows"] == 0:
                said.append(f"{name} gets no row")
            elif row["epochs"] > MANY_EPOCHS:
                said.append(f"{name} has been read {row['epochs']:.1f} times at its end")
        return said


def _lower(share: float, fits: float) -> str:
    """What makes a share of all rows so many times smaller; the weights of the others stay as they are."""
    factor = math.floor(100 * fits * (1 - share) / (1 - fits * share)) / 100
    return f"take {factor:g} of its weight" if factor else "train on fewer tokens"
