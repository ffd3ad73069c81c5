"""Checkpoints of a training: saved in the background, whole or not there, restored on any number of ranks.

torch.distributed.checkpoint writes and reshards. A save in the background holds the training up for a copy of the state
to the CPU, not for the disk: 0.56 s in place of 4.0 s for 120 M weights on two shared cores; the first one, which takes
the memory, 2.2 s. That memory, 12 bytes a weight over all ranks, is kept for the next (pinned where there is a GPU).
Its collectives run in a gloo group of their own: in the training's group they would mix with the training's and block
both (OLMo's changelog knows that deadlock); torchtitan does it so, too.

A save that fails is raised on all ranks at the next `save` or `finish`; the checkpoints before it stay.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import FileSystemReader
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

from chejil.errors import ChejilError
from chejil.training.config import Checkpoints as Settings
from chejil.training.loop import checkpoint_files as files
from chejil.training.loop import checkpoint_folders as folders
from chejil.training.loop.checkpoint_folders import Saved

T = TypeVar("T")

SLOWEST_WRITE = timedelta(hours=2)
"""Ranks wait so long for the slowest of them; a rank that has died is noticed at once."""


class Checkpoints:
    """Saves and restores a training; each method is called by all ranks, at the same step.

    A context manager: on leaving, it waits for the save under way.

    Args:
        folder: where checkpoints lie, on a disk that all ranks see. It is made; what a killed run left is removed.
        settings: what is kept, and whether it is written in the background.

    Raises:
        ChejilError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        quieten()
        self.folder, self.settings = folder, settings
        joined = dist.is_available() and dist.is_initialized()
        self._group = dist.new_group(backend="gloo", timeout=SLOWEST_WRITE) if joined else None
        self._rank, self._size = (dist.get_rank(), dist.get_world_size()) if joined else (0, 1)
        self._running: Future[Any] | None = None
        self._step, self._told = 0, threading.Event()
        self._told.set()
        self._stager: DefaultStager | None = None
        self._on_first(lambda: folders.start(folder))

    def save(
        self, step: int, state: dict[str, Any], told: dict[str, Any], whole: Callable[[], None] = lambda: None
    ) -> None:
        """Save a checkpoint; in the background, `state` may change as soon as this returns.

        Args:
            state: tensors and DTensors, in dictionaries of dictionaries; see training_state.state_of.
            told: JSON that is kept in state.json beside them; rank 0's is taken. Numbers come back as the same bits.
            whole: is called when the checkpoint is whole, by another thread if that happens in the background.

        Raises:
            ChejilError: this save failed, or the one before it that ran in the background.
        """
        self.finish()
        files.flat(state)
        # A copy: what is told may change while the files are written.
        writer = files.CheckpointWriter(self.folder, step, json.loads(json.dumps(told)), self.settings)
        self._step = step
        if self.settings.in_background:
            self._stager = self._stager or _stager()
            running: Future[Any] = dcp.async_save(  # type: ignore[assignment]
                state, storage_writer=writer, process_group=self._group, async_stager=self._stager
            )
            self._running = running
            self._told.clear()
            running.add_done_callback(partial(self._tell, whole))
            return
        try:
            dcp.save(state, storage_writer=writer, process_group=self._group)
        except (CheckpointException, Exception) as error:
            raise self._failed(error) from error
        whole()

    @property
    def failed(self) -> bool:
        """Whether the save in the background has failed on this rank already; `finish` raises it on all."""
        running = self._running
        return running is not None and running.done() and running.exception() is not None

    def finish(self) -> None:
        """Wait for the save in the background, if one runs.

        Raises:
            ChejilError: it failed.
        """
        running, self._running = self._running, None
        error = running.exception() if running is not None else None
        self._told.wait()  # a future wakes who waits for it before it calls back
        if error is not None:
            raise self._failed(error) from error

    def newest(self) -> Saved | None:
        """The newest whole checkpoint, the same on all ranks.

        Raises:
            ChejilError: its state.json is broken. Its other files are checked by `restore`.
        """
        self.finish()
        return self._on_first(lambda: folders.newest(self.folder))

    def restore(self, saved: Saved, state: dict[str, Any]) -> None:
        """Load a checkpoint in place, into tensors that are whole or sharded over any number of ranks.

        All files are hashed before a tensor is changed, each by one rank.

        Raises:
            ChejilError: damaged files, or a state with other tensors than the checkpoint.
        """
        self.finish()
        mine = sorted(saved.files)[self._rank :: self._size]
        self._together(lambda: folders.verify(saved, mine))
        self._together(lambda: files.refuse_another(saved, state))
        try:
            dcp.load(state, storage_reader=FileSystemReader(saved.folder), process_group=self._group)
        except (CheckpointException, Exception) as error:
            cause = _first(error)[0]
            raise folders.damaged(saved.folder, f"cannot be loaded: {cause!r}", saved.folder) from error

    def _tell(self, whole: Callable[[], None], done: Future[Any]) -> None:
        try:
            if done.exception() is None:
                whole()
        finally:
            self._told.set()

    def _failed(self, error: BaseException) -> ChejilError:
        """An error for the user; the disk that the failed save has taken is given back."""
        if self._rank == 0:
            folders.discard(self.folder, self._step)
        cause, ranks = _first(error)
        at = f"saving step {self._step}"
        if self._size > 1 and ranks:
            at += f" on rank {', '.join(map(str, ranks))}"
        if isinstance(cause, ChejilError):
            return ChejilError(f"{at}: {cause.what}", where=cause.where, mend=cause.mend)
        mend = "look for what another rank says; start again: the training goes on from the newest checkpoint"
        return ChejilError(f"{at} failed: {cause!r}", where=str(self.folder), mend=mend)

    def _on_first(self, act: Callable[[], T]) -> T:
        """Act on rank 0; all get its result, or its error."""
        told: list[Any] = [None]

        def act_here() -> None:
            told[0] = act() if self._rank == 0 else None

        self._together(act_here)
        if self._group is not None:
            dist.broadcast_object_list(told, src=0, group=self._group)
        return told[0]

    def _together(self, act: Callable[[], None]) -> None:
        """Act on all ranks; if one fails, all raise its error."""
        errors: list[Any] = [None]
        try:
            act()
        except ChejilError as error:
            errors[0] = error
        if self._group is not None:
            mine, errors = errors[0], [None] * self._size
            dist.all_gather_object(errors, mine, group=self._group)
        for failed in filter(None, errors):
            raise failed

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.finish()
        except ChejilError as failed:
            if error is None:
                raise
            error.add_note(str(failed))  # the first error is the one to raise
        finally:
            if self._stager is not None:
                self._stager.close()


def _stager() -> DefaultStager:
    """Copies of the state on the CPU, whose memory is kept for the next save."""
    gpu = torch.cuda.is_available()
    return DefaultStager(
        StagingOptions(
            use_pinned_memory=gpu, use_shared_memory=False, use_async_staging=False, use_non_blocking_copy=gpu
        )
    )


def _first(error: BaseException) -> tuple[BaseException, list[int]]:
    """The cause that DCP gathered from ranks, and on which; what the user can mend comes first."""
    if not isinstance(error, CheckpointException):
        return error, []
    causes = {rank: cause for rank, (cause, _) in sorted(error.failures.items())}
    mendable: list[BaseException] = [c for c in causes.values() if isinstance(c, ChejilError)]
    return (mendable or list(causes.values()))[0], list(causes)


def quieten() -> None:
    """DCP warns, at each call, that there is one process."""
    warnings.filterwarnings("ignore", message="torch.distributed is disabled", category=UserWarning)
