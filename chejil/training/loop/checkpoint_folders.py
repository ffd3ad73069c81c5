"""Folders of checkpoints on disk: a checkpoint is whole or not there; the rules for keeping and deleting.

    step-00000050/        a whole checkpoint: files of torch.distributed.checkpoint, and state.json, written last
    step-00000050.part/   being written, or left by a killed run: removed at the next start, never read
    step-00000050.old/    what is being replaced: put back at the next start if nothing took its place
    step-00000050.gone/   being deleted, or left so by a killed run: removed at the next start

Each change of what counts is one rename of a folder, after fsync of all that is in it. state.json names every file with
its size and xxh3-128, because torch does not notice a flipped bit: it reads tensors without their check sums, and a
training would go on from wrong weights. One process (rank 0) calls what changes folders. No torch here: what only looks
at checkpoints need not load it. Folders are on a disk that all ranks see, not on object storage, which has no renames.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.training.config import Checkpoints as Settings

STATE = "state.json"
FORMAT = "chejil-checkpoint/1"
FILES = "files"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


@dataclass(frozen=True)
class Saved:
    """A whole checkpoint: what was told at its saving, and its files with `bytes` and `hash` (xxh3-128)."""

    step: int
    folder: Path
    told: dict[str, Any]
    files: dict[str, dict[str, Any]] = field(repr=False)


def folder_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies, once it is whole."""
    return folder / f"step-{step:08d}"


def part_of(folder: Path, step: int) -> Path:
    """Where it lies while it is written."""
    return folder / f"step-{step:08d}.part"


def steps(folder: Path) -> list[int]:
    """Steps with a checkpoint, ascending."""
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(int(found[1]) for name in names if (found := re.fullmatch(r"step-(\d{8,})", name)))


def newest(folder: Path) -> Saved | None:
    """The checkpoint of the highest step, None if there is none.

    Raises:
        ChejilError: its state.json is missing or broken; an older one is never taken in silence.
    """
    found = steps(folder)
    return read(folder_of(folder, found[-1])) if found else None


def read(folder: Path) -> Saved:
    """A checkpoint's state.json.

    Raises:
        ChejilError: it is missing or broken.
    """
    path = folder / STATE
    try:
        state = json.loads(path.read_bytes())
        whole = (
            state["format"] == FORMAT and isinstance(state["step"], int) and isinstance(state[FILES], dict)
        )
    except FileNotFoundError:
        what = "no whole checkpoint: it is missing" if folder.is_dir() else "no such checkpoint"
        raise damaged(folder, what, path) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder, f"cannot be read: {error!r}", path) from None
    if not whole:
        raise damaged(folder, f"not written as {FORMAT}", path)
    told = {key: value for key, value in state.items() if key not in ("format", "step", FILES)}
    return Saved(state["step"], folder, told, state[FILES])


def damaged(folder: Path, what: str, where: Path) -> ChejilError:
    """An error that says how to go on without this checkpoint."""
    before = [step for step in steps(folder.parent) if folder_of(folder.parent, step).name < folder.name]
    then = (
        f"go on from {folder_of(folder.parent, before[-1]).name}" if before else "begin anew: none is older"
    )
    return ChejilError(what, where=str(where), mend=f"restore it from a copy, or remove {folder} to {then}")


def verify(saved: Saved, names: Iterable[str]) -> None:
    """Check sizes and hashes of files of a checkpoint; reads them whole.

    Raises:
        ChejilError: one is missing, of another size, or has other bytes than were written.
    """
    for name in names:
        path, told = saved.folder / name, saved.files[name]
        try:
            size = path.stat().st_size
            same = size == told["bytes"] and shards.file_hash(str(path)) == told["hash"]
        except FileNotFoundError:
            raise damaged(saved.folder, "damaged checkpoint: this file is missing", path) from None
        except OSError as error:
            raise damaged(saved.folder, f"damaged checkpoint: cannot be read: {error}", path) from error
        if size != told["bytes"]:
            what = f"damaged checkpoint: {size:,} bytes where {told['bytes']:,} were written"
            raise damaged(saved.folder, what, path)
        if not same:
            raise damaged(saved.folder, "damaged checkpoint: its bytes are not those that were written", path)


def start(folder: Path) -> None:
    """Make the folder, see that it can be written to, remove what a killed run left.

    Raises:
        ChejilError: it cannot be written to.
    """
    with saying(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / "writable.part"
        probe.touch()
        probe.unlink()
        for path in sorted(folder.glob("step-*.old")):
            if not path.with_suffix("").exists():  # killed between the two renames of `complete`
                path.rename(path.with_suffix(""))
        for path in [*folder.glob("step-*.part"), *folder.glob("step-*.old"), *folder.glob("step-*.gone")]:
            shutil.rmtree(path)


def begin(folder: Path, step: int) -> None:
    """An empty folder to write to."""
    part = part_of(folder, step)
    if part.exists():
        shutil.rmtree(part)
    part.mkdir()


def complete(folder: Path, step: int, told: dict[str, Any], files: dict[str, dict[str, Any]]) -> None:
    """Write state.json and give the checkpoint its name; one of the same step is replaced."""
    part, whole = part_of(folder, step), folder_of(folder, step)
    with (part / STATE).open("wb") as stream:
        state = {"format": FORMAT, "step": step, **told, FILES: files}
        stream.write(json.dumps(state, ensure_ascii=False, indent=1).encode())
        stream.flush()
        os.fsync(stream.fileno())
    _sync_names(part)
    old = whole.with_suffix(".old")
    if whole.exists():
        whole.rename(old)
    part.rename(whole)
    _sync_names(folder)
    if old.exists():
        _remove(old)


def discard(folder: Path, step: int) -> None:
    """Give back the disk that a save which failed has taken."""
    shutil.rmtree(part_of(folder, step), ignore_errors=True)


def retire(folder: Path, settings: Settings, just_saved: int) -> None:
    """Delete what is not kept: all but the last `keep_last`, multiples of `keep_every_steps`, and the one just saved.

    Renamed first, so what is half deleted never looks whole. What cannot be deleted is a warning: the training goes on.
    """
    found = steps(folder)
    kept = {*found[-settings.keep_last :], just_saved}
    for step in found:
        if step not in kept and not (settings.keep_every_steps and step % settings.keep_every_steps == 0):
            path = folder_of(folder, step)
            try:
                gone = path.with_suffix(".gone")
                path.rename(gone)
                _remove(gone)
            except OSError as error:
                warnings.warn(f"{path}: an old checkpoint cannot be deleted: {error}", stacklevel=2)


def _remove(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except OSError as error:
        warnings.warn(f"{path}: cannot be deleted, the next start tries again: {error}", stacklevel=2)


def _sync_names(folder: Path) -> None:
    """After this, renames in a folder outlive a power cut; some network file systems refuse it, and need it not."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def saying(folder: Path) -> Iterator[None]:
    """What goes wrong while a checkpoint is written, as an error that says how to mend it."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise _mendable(error, folder) from error


def _mendable(error: BaseException, folder: Path) -> ChejilError:
    cause = _os_error(error)
    number = cause.errno if cause is not None else None
    last = steps(folder)[-1:] if number not in _FORBIDDEN else []
    good = f"{folder_of(folder, last[0]).name} is whole, the training goes on from it" if last else ""
    if number in _FULL:
        free = shutil.disk_usage(folder).free
        what = f"no space for a checkpoint: {os.strerror(number or 0)} ({free / 1e9:,.2f} GB free)"
        mend = (
            "free disk (or quota, or a limit of file sizes), or lower checkpoints.keep_last; then start again"
        )
    elif number in _FORBIDDEN:
        what = f"checkpoints cannot be written here: {os.strerror(number or 0)}"
        mend = "give the training a folder that it may write to, by --out"
    else:
        what, mend = (
            f"a checkpoint cannot be written: {cause or error!r}",
            "see to the disk, then start again",
        )
    return ChejilError(what, where=str(folder), mend="; ".join(filter(None, (mend, good))))


def _os_error(error: BaseException | None) -> OSError | None:
    """The cause from the system: torch's writer covers it by a RuntimeError of its own (`unexpected pos`)."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
