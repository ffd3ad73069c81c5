"""Bits per byte on held-out text, by source and language.

All processes go through the same number of forward passes, since those that share weights have to: behind the end a
process computes a batch whose labels are all ignored. Batches have the rows of a micro batch, the last of a source too,
so that a compiled model sees one shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch

from chejil.training.data.evaluation_rows import EvaluationRows
from chejil.training.data.rows import IGNORED, Rows
from chejil.training.loop import sharding
from chejil.training.loop.parallel import World
from chejil.training.loop.prefetch import DeviceRows, on_device
from chejil.training.loop.text_loss import TextLoss
from chejil.training.modelling.losses import ModelWithLoss, by_source


@torch.no_grad()
def evaluate(model: ModelWithLoss, held_out: EvaluationRows, rows: int, world: World) -> dict[str, TextLoss]:
    """Measure a model by stream; streams of which nothing is held out are left out.

    Args:
        rows: of a batch: those of a micro batch.
    """
    names = held_out.names
    sums = torch.zeros(3, len(names), dtype=torch.float64, device=world.device)
    for batch, nats_B in _measured(model, _parts(held_out, rows, world), world):
        for number, values in enumerate((nats_B, batch.num_learnt_B, batch.num_bytes_B)):
            sums[number] += by_source(values, batch.source_B, len(names))
    sharding.gather_no_longer(model)
    found = zip(names, *world.sum(sums).tolist(), strict=True)
    return {
        name: TextLoss(nats, int(tokens), int(num_bytes)) for name, nats, tokens, num_bytes in found if tokens
    }


@torch.no_grad()
def by_row(model: ModelWithLoss, held_out: EvaluationRows, rows: int, world: World) -> RowLosses:
    """Measure a model row by row, in one process: what tells how much a difference owes to the choice of text.

    Args:
        rows: of a batch.
    """
    parts = list(held_out)
    filled = (_filled(mine, rows) for mine in parts)
    nats = [nats_B.double().cpu().numpy() for _, nats_B in _measured(model, filled, world)]
    sharding.gather_no_longer(model)
    return RowLosses(
        np.concatenate([mine.source_B for mine in parts]),
        np.concatenate([own[: len(mine)] for own, mine in zip(nats, parts, strict=True)]),
        np.concatenate([mine.num_bytes_B for mine in parts]),
    )


@dataclass(frozen=True)
class RowLosses:
    """Held-out rows in their order: number of the stream, cross-entropy in nats, bytes of text; (num_rows) each."""

    source: np.ndarray
    nats: np.ndarray
    num_bytes: np.ndarray


def _measured(
    model: ModelWithLoss, batches: Iterable[Rows], world: World
) -> Iterator[tuple[DeviceRows, torch.Tensor]]:
    """Each batch on the device, and the cross-entropy of its rows in nats."""
    for rows in batches:
        batch = on_device(rows, world.device)
        yield batch, model.sums(batch.ids_BT, batch.positions_BT, batch.labels_BT).cross_entropy_B


def _parts(held_out: EvaluationRows, rows: int, world: World) -> Iterator[Rows]:
    coming = iter(held_out)
    while group := list(islice(coming, world.size)):
        mine = group[world.rank] if world.rank < len(group) else _nothing(group[0])
        yield _filled(mine, rows)


def _nothing(rows: Rows) -> Rows:
    return replace(
        rows, labels_BT=np.full_like(rows.labels_BT, IGNORED), num_bytes_B=np.zeros_like(rows.num_bytes_B)
    )


def _filled(rows: Rows, num: int) -> Rows:
    """As many rows as asked for, the further ones with nothing to learn."""
    more = _nothing(rows.of(np.zeros(num - len(rows), np.int64)))
    joined = ((getattr(rows, name), getattr(more, name)) for name in rows.__dataclass_fields__)
    return Rows(*(np.concatenate(pair) for pair in joined))
