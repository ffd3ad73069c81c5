"""A run's folder is the run's own: one run at a time, and nothing else in it.

A run removes from its folders what none of its units wrote, so a folder that holds anything else is refused before
the first file is touched. Two runs in one folder would write over each other; the second one is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from fsspec.implementations.local import LocalFileSystem

from chejil.curation import manifest, object_lock, shards, storage
from chejil.curation.executors.schedulers import JOBS
from chejil.errors import RunError

CARD = "README.md"
"""The data card, which a user writes beside what it describes."""


class Hold(Protocol):
    """A run's folder, held."""

    def check(self) -> None:
        """Raise if it is not ours any more."""


class FileHold:
    """Held by the system, until this process ends."""

    def check(self) -> None:
        """Nothing: nobody can take it."""


@contextmanager
def locked(root: str, say: Callable[[str], None] = lambda _: None) -> Iterator[Hold]:
    """Hold a run's folder against a second run.

    Raises:
        RunError: another process holds it, or it is no run's folder.
    """
    files, path = shards.file_system(root)
    if not isinstance(files, LocalFileSystem):
        names = {name.rstrip("/").rpartition("/")[2] for name in _listed(files, path)}
        _refuse_foreign(root, names, bool(names & {object_lock.NAME, manifest.PATH}))
        with object_lock.held(files, path, root, say) as hold:
            left = storage.abort_uploads(files, path)
            if left:
                say(f"{left} unfinished uploads of a run that was killed are removed")
            yield hold
        return
    import fcntl

    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise RunError("this is a file, not a folder", where=str(folder), mend="choose another --out")
    names = {entry.name for entry in folder.glob("*")}
    _refuse_foreign(path, names, bool(names & {object_lock.NAME, manifest.PATH}))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / object_lock.NAME).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mend = "wait for it, or choose --out"
            raise RunError("another run works in this folder", where=path, mend=mend) from None
        for text in manifest.TEXTS:
            for unfinished in folder.glob(f"{text}.*.tmp"):
                unfinished.unlink()
        yield FileHold()


def _listed(files: Any, path: str) -> list[str]:
    try:
        return files.ls(path, detail=False)
    except FileNotFoundError:
        return []


def _refuse_foreign(where: str, names: set[str], is_run: bool) -> None:
    """A run removes what does not belong to it from its folders: they must be its own from the beginning."""
    known = (*manifest.FOLDERS, *manifest.TEXTS, object_lock.NAME, JOBS, CARD)
    foreign = sorted(name for name in names if not any(f"{name}.".startswith(f"{own}.") for own in known))
    if names and not is_run:
        foreign = sorted(names)
    if foreign:
        what = f"the folder holds something else than a run: {', '.join(foreign[:3])}"
        raise RunError(what, where=where, mend="choose a new or an empty folder for --out")
