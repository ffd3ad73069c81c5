"""Batches before they are needed: the next one is made by a thread while a step computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from chejil.training.data.batches import Batches
from chejil.training.data.rows import Rows
from chejil.training.loop.parallel import World

Waiting = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class DeviceRows:
    """Rows as tensors on the device: int64 arrays as `Rows` has them."""

    ids_BT: torch.Tensor
    labels_BT: torch.Tensor
    positions_BT: torch.Tensor
    source_B: torch.Tensor
    num_bytes_B: torch.Tensor
    num_learnt_B: torch.Tensor

    def __len__(self) -> int:
        return len(self.ids_BT)

    def split(self, rows: int) -> list[DeviceRows]:
        """Micro batches."""
        fields = (
            self.ids_BT,
            self.labels_BT,
            self.positions_BT,
            self.source_B,
            self.num_bytes_B,
            self.num_learnt_B,
        )
        return [DeviceRows(*parts) for parts in zip(*(field.split(rows) for field in fields), strict=True)]


def on_device(rows: Rows, device: torch.device) -> DeviceRows:
    """Copy rows to a device; to a GPU without waiting for it."""
    arrays = (
        rows.ids_BT,
        rows.labels_BT,
        rows.positions_BT,
        rows.source_B,
        rows.num_bytes_B,
        rows.num_learnt_B,
    )
    tensors = (torch.from_numpy(array) for array in arrays)
    if device.type == "cuda":
        tensors = (tensor.pin_memory().to(device, non_blocking=True) for tensor in tensors)
    return DeviceRows(*(tensor.long() for tensor in tensors))


class Prefetched:
    """The batches of a rank, step after step.

    Args:
        waiting: a context in which a step waits for its data (Meter.waiting).
    """

    def __init__(self, batches: Batches, world: World, waiting: Waiting = nullcontext) -> None:
        self._batches, self._world, self._waiting = batches, world, waiting

    def steps(self, begin: int, end: int) -> Iterator[tuple[int, DeviceRows]]:
        """Step numbers and their rows."""
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
            coming = thread.submit(self._batch, begin)
            for step in range(begin, end):
                with self._waiting():
                    rows = coming.result()
                    if step + 1 < end:
                        coming = thread.submit(self._batch, step + 1)
                    found = on_device(rows, self._world.device)
                yield step, found

    def _batch(self, step: int) -> Rows:
        return self._batches.batch(step, self._world.rank, self._world.size)
