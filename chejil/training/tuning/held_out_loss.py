"""The loss of held-out conversations, by file and language: sums over learnt tokens, over all processes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from chejil.training.conversations.audit import IGNORED
from chejil.training.loop.text_loss import TextLoss
from chejil.training.tuning.tokens import Tokens


class HeldOutRows:
    """What is measured.

    Args:
        names: of the streams.
        num_bytes: (num_ids) of text that each token stands for.
        batch_tokens: of a forward pass, with what fills rows up. Conversations are taken by length, so that is little.
    """

    def __init__(
        self, tokens: Tokens, names: Sequence[str], num_bytes: np.ndarray, batch_tokens: int
    ) -> None:
        self.tokens = tokens.taken(np.argsort(tokens.lengths, kind="stable"))
        self.names, self.num_bytes = list(names), num_bytes
        self.batches = _batches(self.tokens.lengths, batch_tokens)

    def measure(self, model: Any, collate: Any, world: Any) -> dict[str, TextLoss]:
        """By stream; the same in all processes.

        Args:
            model: with TRL's `fused_lm_head`.
            collate: TRL's collator, padding-free or not.
            world: accelerate's Accelerator.
        """
        sums = torch.zeros(3, len(self.names), dtype=torch.float64)
        rounds = -(-len(self.batches) // world.num_processes)
        for number in range(rounds):
            at = number * world.num_processes + world.process_index
            found = self._measure(model, collate, self.batches[min(at, len(self.batches) - 1)], world.device)
            if at < len(self.batches):  # else a forward pass that the others wait for
                sums += found
        sums = world.reduce(sums.to(world.device), "sum").cpu()
        return {
            name: TextLoss(nats, int(tokens), int(size))
            for name, nats, tokens, size in zip(self.names, *sums.tolist(), strict=True)
            if tokens
        }

    def _measure(self, model: Any, collate: Any, batch: range, device: Any) -> torch.Tensor:
        """(3, num_streams): nats, tokens, bytes."""
        inputs = collate([self._row(number) for number in batch])
        labels = inputs["labels"][:, 1:].reshape(-1)
        inputs = {key: one.to(device) if torch.is_tensor(one) else one for key, one in inputs.items()}
        outputs = model(**inputs, fused_lm_head=True)
        nats = -outputs.log_probs.double().cpu().reshape(-1)
        learnt = labels != IGNORED
        parts = torch.stack(
            [nats, learnt.double(), torch.from_numpy(self.num_bytes)[labels.clamp(min=0)] * learnt]
        )
        streams = self._streams(batch, inputs["input_ids"].shape)
        sums = torch.zeros(3, len(self.names), dtype=torch.float64)
        return sums.index_add_(1, streams, parts.double() * learnt)

    def _row(self, number: int) -> dict[str, list[int]]:
        one = slice(self.tokens.first[number], self.tokens.first[number + 1])
        ids = self.tokens.ids[one]
        return {
            "input_ids": ids.tolist(),
            "labels": np.where(self.tokens.learnt[one], ids, IGNORED).tolist(),
        }

    def _streams(self, batch: range, shape: tuple[int, int]) -> torch.Tensor:
        """Of each label: of one flat row, or of rows that are filled up."""
        streams = torch.from_numpy(self.tokens.streams[batch.start : batch.stop]).long()
        if shape[0] == 1 and len(batch) > 1:
            lengths = torch.from_numpy(self.tokens.lengths[batch.start : batch.stop])
            return streams.repeat_interleave(lengths)[1:]
        return streams.repeat_interleave(shape[1] - 1)


def _batches(lengths: np.ndarray, batch_tokens: int) -> list[range]:
    """Neighbours that, filled up to the longest, have at most so many tokens; at least one.

    >>> _batches(np.array([2, 3, 4, 9]), 8)
    [range(0, 2), range(2, 3), range(3, 4)]
    """
    starts = [0]
    for number, length in enumerate(lengths.tolist()):
        if number > starts[-1] and (number + 1 - starts[-1]) * length > batch_tokens:
            starts.append(number)
    return [range(begin, end) for begin, end in pairwise([*starts, len(lengths)])]
