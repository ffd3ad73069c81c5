"""A folder that a command writes to: held against a second call, and left alone where it holds something else.

A local folder is held by the system's lock on `.lock`, which goes with the process; the file is removed at the end;
a folder on object storage by the lock of runs (object_lock.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from fsspec.implementations.local import LocalFileSystem

from chejil.curation import object_lock, shards, storage
from chejil.errors import RunError

Foreign = Callable[[set[str]], str | None]
"""From the names in a folder: what it holds that is not the command's, or None."""

MEND = "choose a new or an empty folder for --out"


@contextmanager
def held(out: str, say: Callable[[str], None], foreign: Foreign) -> Iterator[None]:
    """Hold the folder while the block lasts; it is made if it is not there.

    Args:
        foreign: is asked before and after the lock is taken; `.lock` is not among the names.

    Raises:
        RunError: another process holds it, it holds something else, or it is a file.
    """
    files, path = shards.file_system(out)
    local = isinstance(files, LocalFileSystem)
    refuse(out, foreign)
    with _locked(Path(path)) if local else object_lock.held(files, path, out, say):
        _refuse(out, files, path, foreign)
        if not local:
            storage.abort_uploads(files, path)
        yield


def refuse(out: str, foreign: Foreign) -> None:
    """Refuse a folder that `held` would refuse, without touching it.

    Raises:
        RunError: it holds something else, or it is a file.
    """
    files, path = shards.file_system(out)
    if isinstance(files, LocalFileSystem) and Path(path).exists() and not Path(path).is_dir():
        raise RunError("this is a file, not a folder", where=path, mend="choose another --out")
    _refuse(out, files, path, foreign)


def _refuse(out: str, files: Any, path: str, foreign: Foreign) -> None:
    what = foreign(names(files, path))
    if what is not None:
        raise RunError(what, where=out, mend=MEND)


def names(files: Any, path: str) -> set[str]:
    """Names of what a folder holds, without the lock; none where there is no folder."""
    try:
        found = {name.rstrip("/").rpartition("/")[2] for name in files.ls(path, detail=False)}
    except FileNotFoundError:
        return set()
    return {name for name in found if name and not f"{name}.".startswith(f"{object_lock.NAME}.")}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    made = not folder.exists()
    path = folder / object_lock.NAME
    with _lock_file(path):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            if made and not any(folder.iterdir()):
                with suppress(OSError):
                    folder.rmdir()


def _lock_file(path: Path) -> IO[str]:
    """The locked file. One that its holder removed meanwhile is no lock: it is opened anew."""
    import fcntl

    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock = path.open("a")
        except FileNotFoundError:  # its holder has removed the folder, too
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            mend = "wait for it, or choose another --out"
            raise RunError("another call works in this folder", where=str(path.parent), mend=mend) from None
        if path.exists() and os.path.samestat(os.fstat(lock.fileno()), path.stat()):
            return lock
        lock.close()


def but(names: set[str], own: tuple[str, ...]) -> list[str]:
    """Names that are none of one's own; `NAME.…` is a file that a killed call was writing."""
    return sorted(name for name in names if not any(f"{name}.".startswith(f"{one}.") for one in own))
