"""How torch.distributed.checkpoint (DCP) writes and reads the files of a checkpoint here.

Each rank writes its shards to a file of its own, one rank gathers where everything lies, and all ranks hear when one of
them fails: that is DCP's. We hang into it what makes a checkpoint whole: the folder is made between DCP's plan and its
writing, the renames come after the last rank has written. So an error of either reaches all ranks by DCP's own way.
Files are hashed as they are written, which reads nothing back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import xxhash
from torch.distributed.checkpoint import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.filesystem import FileSystem
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner
from torch.distributed.checkpoint.storage import WriteResult
from torch.futures import Future

from chejil.errors import ChejilError
from chejil.training.config import Checkpoints as Settings
from chejil.training.loop import checkpoint_folders as folders
from chejil.training.loop.checkpoint_folders import Saved

MAX_NAMES = 3
"""Weights that an error names."""


class CheckpointWriter(FileSystemWriter):
    """Writes a checkpoint into `step-N.part`; its last act, on one rank, is to rename it and delete older ones."""

    def __init__(self, folder: Path, step: int, told: dict[str, Any], settings: Settings) -> None:
        super().__init__(folders.part_of(folder, step))
        self.fs: _HashingFiles = _HashingFiles()
        self.folder, self.step, self.told, self.settings = folder, step, told, settings

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        """DCP would make the folder here, on each rank, while another may still clear it."""
        return plan

    def prepare_global_plan(self, plans: list[SavePlan]) -> list[SavePlan]:
        """On one rank, before any of them writes."""
        with folders.saying(self.folder):
            folders.begin(self.folder, self.step)
        return super().prepare_global_plan(plans)

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        """Each rank writes its shards."""
        with folders.saying(self.folder):
            results = super().write_data(plan, planner).value()
        done: Future[list[WriteResult]] = Future()
        done.set_result(_Results(results, self.fs.files))
        return done

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        """On one rank, when all have written."""
        with folders.saying(self.folder):
            super().finish(metadata, results)
            files = dict(self.fs.files)  # this rank's, and DCP's own table
            for of_rank in results:
                files.update(of_rank.files)  # type: ignore[attr-defined]
            folders.complete(self.folder, self.step, self.told, files)
            folders.retire(self.folder, self.settings, self.step)


class _Results(list[WriteResult]):
    """What a rank has written, with the hashes of its files: DCP sends it to the rank that finishes."""

    def __init__(self, results: list[WriteResult], files: dict[str, dict[str, Any]]) -> None:
        super().__init__(results)
        self.files = files

    def __reduce__(self) -> tuple[Any, ...]:
        return (_Results, (list(self), self.files))


class _HashingFiles(FileSystem):
    """DCP's file system, with size and hash of each file written."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, Any]] = {}

    @contextmanager
    def create_stream(self, path: str | os.PathLike, mode: str) -> Iterator[Any]:
        with super().create_stream(path, mode) as stream:
            hashing = _Hashing(stream)
            yield hashing
        name = Path(path).name.removesuffix(".tmp")  # .metadata is written beside its name
        self.files[name] = {"bytes": hashing.num_bytes, "hash": hashing.state.hexdigest()}


class _Hashing:
    """A stream that is written front to back."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.state, self.num_bytes = stream, xxhash.xxh3_128(), 0

    def write(self, data: Any) -> int:
        self.state.update(data)
        self.num_bytes += memoryview(data).nbytes
        return self._stream.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def table_of(saved: Saved) -> dict[str, TensorStorageMetadata]:
    """Tensors of a checkpoint by name, with `size` and `properties.dtype`; reads no weights.

    DCP's table is a pickle, so its hash is checked before it is read. Checkpoints of strangers are not for loading.
    """
    folders.verify(saved, [".metadata"])
    return FileSystemReader(saved.folder).read_metadata().state_dict_metadata  # type: ignore[return-value]


def refuse_another(saved: Saved, state: dict[str, Any]) -> None:
    """Compare names, shapes and types of a state with those of a checkpoint.

    DCP itself loads the layers that a smaller model has, and says nothing.

    Raises:
        ChejilError: which tensors differ.
    """
    here = {name: _shown(tensor.size(), tensor.dtype) for name, tensor in flat(state).items()}
    there = {
        name: _shown(tensor.size, tensor.properties.dtype)
        for name, tensor in table_of(saved).items()
        if name.split(".", 1)[0] in state
    }
    wrong = [
        f"{name} is {there.get(name, 'missing')} in the checkpoint, {here.get(name, 'missing')} in the training"
        for name in sorted({*here, *there})
        if here.get(name) != there.get(name)
    ]
    if wrong:
        more = f", and {len(wrong) - MAX_NAMES} more" if len(wrong) > MAX_NAMES else ""
        what = f"a checkpoint of another model: {'; '.join(wrong[:MAX_NAMES])}{more}"
        mend = "train with the config of the checkpoint (model, optimiser), or another folder by --out"
        raise ChejilError(what, where=str(saved.folder), mend=mend)


def _shown(size: torch.Size, dtype: torch.dtype) -> str:
    return f"{' × '.join(map(str, size)) or 'a number'} ({str(dtype).removeprefix('torch.')})"


def flat(state: dict[str, Any], prefix: str = "") -> dict[str, torch.Tensor]:
    """Tensors of a nested state by DCP's names for them.

    Raises:
        TypeError: something else than a tensor: that belongs into `told`.
    """
    found: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{key}."))
        elif isinstance(value, torch.Tensor):
            found[f"{prefix}{key}"] = value
        else:
            raise TypeError(f"{prefix}{key} is a {type(value).__name__}, no tensor")
    return found
