"""Checkpoints of a fine-tuning: what is whole, what it is of, where to go on.

    checkpoints/checkpoint-N/     as transformers writes it: weights, optimiser, schedule, random numbers
        complete.json             written last: step, what it is of, bytes of every file

The trainer writes into the folder itself, so a kill leaves half of one. Without complete.json it is none, and is
removed before the training goes on; the one before it is still there: old ones are removed when the new one is whole.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chejil.curation import shards
from chejil.errors import ChejilError

COMPLETE = "complete.json"
_TOLD = {
    "rows": "other conversations, or another order of them",
    "held_out": "other held-out conversations: its best loss is of those",
    "base": "another model",
    "is_sharded": "one process, or of whole weights, and this of sharded ones; or the other way round",
}
_NAME = re.compile(r"checkpoint-(\d+)")


def folder_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step stands."""
    return folder / f"checkpoint-{step}"


def complete(folder: Path, told: Mapping[str, Any]) -> None:
    """Say that a checkpoint is whole, behind everything in it.

    Args:
        told: step and what it is of.
    """
    for path in (*_files(folder), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in _files(folder)}
    shards.write_json(str(folder), COMPLETE, {**told, "files": sizes})


def last(folder: Path, told: Mapping[str, Any]) -> tuple[Path, int] | None:
    """The newest whole checkpoint and its step, of the same training; None: there is none.

    Raises:
        ChejilError: it is of other rows, another model or config, or a file of it is gone.
    """
    steps = sorted((step, path) for path, step in _checkpoints(folder).items() if (path / COMPLETE).is_file())
    if not steps:
        return None
    step, path = steps[-1]
    found = shards.read_json(str(path / COMPLETE))
    if not isinstance(found, dict) or not {"config", "files"} <= set(found):
        mend = "remove the checkpoint's folder: the training goes on from the one before"
        raise ChejilError(f"the checkpoint is damaged: {COMPLETE}", where=str(path), mend=mend)
    _require_same(path, found, told)
    _require_whole(path, found["files"])
    return path, step


def remove_old(folder: Path, keep_last: int, best: int | None) -> None:
    """Remove whole checkpoints but the newest `keep_last` and the best one.

    Call it behind `complete`. The trainer's own rotation (save_total_limit) runs before the new one is whole and counts
    the best among those it keeps: a kill in between would leave the best one alone, however old it is.

    Args:
        best: its step; None: nothing is measured.
    """
    whole = sorted((step, path) for path, step in _checkpoints(folder).items() if (path / COMPLETE).is_file())
    for step, path in whole[:-keep_last]:
        if step != best:
            (path / COMPLETE).unlink()  # half removed it is none
            shutil.rmtree(path)


def remove_parts(folder: Path) -> list[str]:
    """Remove what a kill left half written; names."""
    parts = [path for path in _checkpoints(folder) if not (path / COMPLETE).is_file()]
    for path in parts:
        shutil.rmtree(path)
    return sorted(path.name for path in parts)


def _checkpoints(folder: Path) -> dict[Path, int]:
    if not folder.is_dir():
        return {}
    names = ((path, _NAME.fullmatch(path.name)) for path in folder.iterdir() if path.is_dir())
    return {path: int(name[1]) for path, name in names if name}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _require_same(path: Path, found: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    mend = "give another --out for another training, or what it was begun with"
    for key, what in _TOLD.items():
        if found.get(key) != told.get(key):
            raise ChejilError(f"the checkpoint is of {what}", where=str(path), mend=mend)
    other = sorted(key for key, value in told["config"].items() if found["config"].get(key) != value)
    if other:
        raise ChejilError(
            f"the checkpoint is of another config: {', '.join(other)}", where=str(path), mend=mend
        )


def _require_whole(path: Path, sizes: Mapping[str, int]) -> None:
    for name, size in sizes.items():
        file = path / name
        if not file.is_file() or file.stat().st_size != size:
            mend = "remove the checkpoint's folder: the training goes on from the one before"
            raise ChejilError(f"the checkpoint is damaged: {name}", where=str(path), mend=mend)
