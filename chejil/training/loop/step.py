"""One step: forward and backward over the micro batches, one division by all learnt tokens, clip, and the optimiser.

The mean is over the learnt tokens of the whole batch: their number is added up over micro batches and processes before
the first forward pass, so accumulation and any number of processes give the gradient of the big batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from chejil.training.config import PretrainConfig
from chejil.training.loop import optimiser as optimisers
from chejil.training.loop import sharding
from chejil.training.loop.parallel import World
from chejil.training.loop.prefetch import DeviceRows
from chejil.training.loop.spike_guard import Guard
from chejil.training.loop.text_loss import TextLoss
from chejil.training.modelling.losses import ModelWithLoss, by_source


@dataclass(frozen=True)
class Taken:
    """What a step did; sums over all processes.

    Args:
        loss: nats a learnt token.
        grad_norm: before clipping.
        log_z_squared: mean over the learnt tokens.
        learning_rate: of this step.
        skipped: why the weights stayed as they are; None: they moved.
        by_stream: cross-entropy, learnt tokens and bytes of text of each.
        flags: of all processes.
    """

    loss: float
    grad_norm: float
    log_z_squared: float
    learning_rate: float
    skipped: str | None
    by_stream: list[TextLoss]
    flags: list[float]


class Stepper:
    """Takes steps; all processes have to call it alike."""

    def __init__(
        self,
        config: PretrainConfig,
        world: World,
        model: ModelWithLoss,
        optimiser: torch.optim.Optimizer,
        guard: Guard,
    ) -> None:
        self.config, self.world = config, world
        self.model, self.optimiser, self.guard = model, optimiser, guard

    def take(self, step: int, rows: DeviceRows, num_streams: int, flags: Sequence[float] = ()) -> Taken:
        """Take a step.

        Args:
            rows: of this process.
            num_streams: that rows may be of.
            flags: numbers of this process that all add up, such as `Asked.flags`.

        Raises:
            ChejilError: see Guard.reason.
        """
        counts = self._counts(rows, num_streams)
        learnt = counts[0].sum()
        rate = optimisers.set_learning_rate(self.optimiser, self.config, step)
        nats, log_z_squared = self._backward(rows, learnt, num_streams)
        more = torch.tensor(flags, dtype=torch.float64, device=self.world.device)
        told = self.world.sum(torch.cat([nats, log_z_squared[None], more]))
        norm = optimisers.clip(self.model.parameters(), self.config.optimiser.max_grad_norm)
        numbers = told.tolist()
        of_streams, squared, summed = numbers[:num_streams], numbers[num_streams], numbers[num_streams + 1 :]
        loss = sum(of_streams) / float(learnt)
        skipped = self.guard.reason(step, loss, float(norm))
        if skipped is None:
            self.optimiser.step()
        by_stream = [TextLoss(*one) for one in zip(of_streams, *counts.long().tolist(), strict=True)]
        return Taken(loss, float(norm), squared / float(learnt), rate, skipped, by_stream, summed)

    def _counts(self, rows: DeviceRows, num_streams: int) -> torch.Tensor:
        """(2, num_streams) fp64: learnt tokens and bytes of text of the whole batch."""
        parts = [
            by_source(values, rows.source_B, num_streams) for values in (rows.num_learnt_B, rows.num_bytes_B)
        ]
        return self.world.sum(torch.stack(parts))

    def _backward(
        self, rows: DeviceRows, learnt: torch.Tensor, num_streams: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients of the mean loss; of this process, cross-entropy by stream and the sum of log²Z."""
        self.optimiser.zero_grad(set_to_none=True)
        scale = sharding.gradients_averaged_over(self.model, self.world) / learnt
        nats = torch.zeros(num_streams, dtype=torch.float64, device=self.world.device)
        log_z_squared = torch.zeros((), dtype=torch.float64, device=self.world.device)
        parts = rows.split(self.config.micro_batch_rows)
        for number, part in enumerate(parts):
            sharding.is_last_micro_batch(self.model, number == len(parts) - 1)
            sums = self.model.sums(part.ids_BT, part.positions_BT, part.labels_BT)
            (sums.total * scale).backward()
            nats += by_source(sums.cross_entropy_B, part.source_B, num_streams)
            log_z_squared += sums.log_z_squared_B.double().sum()
        return nats, log_z_squared
