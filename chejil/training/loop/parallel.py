"""The processes of a training: who this one is, on which device, and what they do together.

One process needs no launcher. Several are started by torchrun (or anything that sets its environment: RANK,
WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT), one a GPU; on CPUs they talk by gloo, on GPUs by
NCCL, with gloo beside it for what is on the CPU (checkpoints in the background).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import torch
import torch.distributed as dist

from chejil.errors import ChejilError

TIMEOUT = timedelta(minutes=30)
"""After which processes that wait for another give up: longer than the longest evaluation or index of rows."""

LOST = ("gloo", "Gloo", "NCCL", "Connection closed", "Connection reset")
"""In torch's errors, where another process is gone."""


class Config(Protocol):
    """What a training's config says of processes and devices."""

    @property
    def device(self) -> str:
        """auto, cpu or cuda."""

    @property
    def micro_batch_rows(self) -> int:
        """Rows that a process takes at once."""

    @property
    def batch_rows(self) -> int:
        """Rows of a step, over all processes."""

    @property
    def deterministic(self) -> bool:
        """The same bits in every run."""


@dataclass(frozen=True)
class World:
    """The processes, seen from one of them.

    Args:
        rank: its number, 0 to size - 1.
        size: processes.
        local_rank: its number on its node.
        local_size: processes on its node.
        device: what it computes on.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether it is the one that writes and speaks."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def barrier(self) -> None:
        """Wait for all; by gloo, since NCCL only queues and the host would go on."""
        if self.size > 1:
            dist.all_reduce(torch.zeros(1))

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Rank 0 goes through the block alone, then the others: they find what it has written."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()


@contextmanager
def joined(config: Config) -> Iterator[World]:
    """This process's place among those that torchrun started; alone without it.

    Raises:
        ChejilError: no such device, processes that cannot meet or do not divide the batch.
    """
    world = _placed(config)
    _refuse_uneven(config, world)
    _prepare(config, world)
    _meet(world)
    try:
        yield world
    except BaseException as error:
        # Of several, this one keeps its connections until it has said what was wrong and ends: the others would else
        # be heard first, and all they know is that it is gone.
        if world.size == 1:
            dist.destroy_process_group()
        if isinstance(error, RuntimeError):
            raise _said(error, world) or error from error
        raise
    dist.destroy_process_group()


def _said(error: RuntimeError, world: World) -> ChejilError | None:
    """What a user can mend of torch's errors."""
    first = str(error).splitlines()[0] if str(error) else repr(error)
    if isinstance(error, torch.OutOfMemoryError):
        mend = "lower micro_batch_rows, or set activation_checkpointing"
        return ChejilError(f"rank {world.rank}: out of memory: {first}", mend=mend)
    lost = isinstance(error, dist.DistError) or any(word in str(error) for word in LOST)
    if world.size == 1 or not lost:
        return None
    mend = "see what the other processes said; the same command goes on from the last checkpoint"
    return ChejilError(f"rank {world.rank}: another process has ended or does not answer: {first}", mend=mend)


def _placed(config: Config) -> World:
    rank, size = _number("RANK", 0), _number("WORLD_SIZE", 1)
    local_rank, local_size = _number("LOCAL_RANK", 0), _number("LOCAL_WORLD_SIZE", 1)
    return World(rank, size, local_rank, local_size, _device(config, local_rank))


def _number(name: str, alone: int) -> int:
    return int(os.environ.get(name, alone))


def _device(config: Config, local_rank: int) -> torch.device:
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if config.device == "cpu" or (config.device == "auto" and not there):
        return torch.device("cpu")
    if not there:
        mend = "take device: cpu, or install a torch for this GPU's driver (`nvidia-smi` shows it)"
        raise ChejilError("device: cuda, but torch sees no GPU", mend=mend)
    if local_rank >= there:
        mend = f"start at most {there} processes a node (torchrun --nproc-per-node {there})"
        raise ChejilError(f"process {local_rank + 1} of a node with {there} GPUs", mend=mend)
    return torch.device("cuda", local_rank)


def _refuse_uneven(config: Config, world: World) -> None:
    rows = world.size * config.micro_batch_rows
    if config.batch_rows % rows:
        what = (
            f"a batch of {config.batch_rows} rows cannot be divided among {world.size} processes of "
            f"{config.micro_batch_rows} rows at once"
        )
        raise ChejilError(what, mend=f"make micro_batch_rows smaller, or the batch a multiple of {rows} rows")


def _prepare(config: Config, world: World) -> None:
    """What has to be said before the first kernel."""
    if world.device.type == "cuda":
        torch.cuda.set_device(world.device)
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(config.deterministic)
    torch.backends.cudnn.benchmark = not config.deterministic


def _meet(world: World) -> None:
    backend = "cpu:gloo,cuda:nccl" if world.device.type == "cuda" else "gloo"
    if world.size == 1 and "RANK" not in os.environ:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1, timeout=TIMEOUT)
        return
    try:
        dist.init_process_group(backend, timeout=TIMEOUT)
    except (ValueError, RuntimeError) as error:
        mend = "start it by torchrun; all nodes need the same --rdzv-endpoint, reachable from each"
        raise ChejilError(f"the processes cannot meet: {str(error).splitlines()[0]}", mend=mend) from error
