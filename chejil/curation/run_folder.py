"""A run's folder is the run's own: one run at a time, and nothing else in it.

A run removes from its folders what none of its units wrote, so a folder that holds anything else is refused before
the first file is touched. Two runs in one folder would write over each other; the second one is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from chejil.curation import manifest, shards
from chejil.errors import RunError


@contextmanager
def locked(root: str) -> Iterator[None]:
    """Hold a run's folder against a second run.

    Raises:
        RunError: another process holds it, or it is no run's folder.
    """
    files, path = shards.file_system(root)
    if not isinstance(files, LocalFileSystem):
        yield  # Object storage has no lock; two runs there write the same objects.
        return
    import fcntl

    folder = Path(path)
    _refuse_foreign(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mend = "wait for it, or choose --out"
            raise RunError("another run works in this folder", where=path, mend=mend) from None
        for text in manifest.TEXTS:
            for unfinished in folder.glob(f"{text}.*.tmp"):
                unfinished.unlink()
        yield


def _refuse_foreign(folder: Path) -> None:
    """A run removes what does not belong to it from its folders: they must be its own from the beginning."""
    if folder.exists() and not folder.is_dir():
        raise RunError("this is a file, not a folder", where=str(folder), mend="choose another --out")
    names = sorted(entry.name for entry in folder.glob("*"))
    known = (*manifest.FOLDERS, *manifest.TEXTS, ".lock")
    foreign = [name for name in names if not any(f"{name}.".startswith(f"{own}.") for own in known)]
    if names and not ((folder / ".lock").exists() or (folder / manifest.PATH).exists()):
        foreign = names
    if foreign:
        what = f"the folder holds something else than a run: {', '.join(foreign[:3])}"
        raise RunError(what, where=str(folder), mend="choose a new or an empty folder for --out")
