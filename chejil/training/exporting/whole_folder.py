"""A folder that appears whole or not at all: written beside its name under a lock, synced, renamed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from chejil.errors import ChejilError


@contextmanager
def in_one_piece(folder: Path, out: str) -> Iterator[Path]:
    """A folder to write to, which takes the name of the other when the block has ended without an error.

    Args:
        folder: absolute; what is there then is replaced.
        out: as the user named it.

    Raises:
        ChejilError: the disk is full, or another call writes it.
    """
    part = folder.with_name(f".{folder.name}.chejil-part")
    part.mkdir(parents=True, exist_ok=True)
    with _held(part, out):
        for left in part.iterdir():  # by a killed call
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield part
            _synced(part)
        except (SafetensorError, OSError) as error:
            shutil.rmtree(part, ignore_errors=True)
            if (
                isinstance(error, OSError) and error.filename is not None
            ):  # it says which file, and what is wrong
                raise
            mend = "free some space, or choose another --out; nothing is left of this one"
            raise ChejilError(f"cannot be written: {error}", where=out, mend=mend) from error
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        _rename(part, folder)


@contextmanager
def _held(part: Path, out: str) -> Iterator[None]:
    """Locked by the system as long as this process lives."""
    handle = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        mend = "wait for it, or choose another --out"
        raise ChejilError("another call writes this folder", where=out, mend=mend) from None
    finally:
        os.close(handle)


def _synced(part: Path) -> None:
    for path in (*part.iterdir(), part):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _rename(part: Path, folder: Path) -> None:
    if not folder.exists():
        part.rename(folder)
        return
    before = folder.with_name(f".{folder.name}.chejil-replaced")
    shutil.rmtree(before, ignore_errors=True)
    folder.rename(before)
    part.rename(folder)
    shutil.rmtree(before)
