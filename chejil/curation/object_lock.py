"""The lock of a run on object storage: an object that its owner renews, since no system holds it for him.

`.lock` says who holds it and how often it was renewed, every 20 seconds. A run that finds one looks on for 90 seconds:
if it is renewed, another run is alive, and this one is refused; if not, the owner is dead, and the lock is taken over
(at once if the owner was a process of this machine that is gone, or left the lock as free). It is made by a
conditional write (`If-None-Match`, which S3 knows), and read back after every taking, so that of two runs that take a
dead one's lock at the same moment the later wins. A run that finds its lock taken stops at the end of the unit.

What this does not exclude: an owner that is frozen for 90 seconds in the middle of a unit and then wakes up writes that
unit. It has the same bytes if the recipe is the same. Local folders have the system's own lock, without these limits.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import orjson

from chejil.errors import RunError

NAME = ".lock"
BEAT_SECONDS = 20.0
STALE_SECONDS = 90.0
_SETTLE_SECONDS = 1.0


class ObjectHold:
    """A lock that is ours as long as it says so."""

    def __init__(self, files: Any, path: str, where: str) -> None:
        self._files, self._path, self._where = files, path, where
        self._content: dict[str, Any] = {
            "host": platform.node(),
            "pid": os.getpid(),
            "token": uuid.uuid4().hex,
            "beat": 0,
        }
        self._lost = False
        self._ended = threading.Event()

    def check(self) -> None:
        """Raise if another run has taken the lock.

        Raises:
            RunError: it has.
        """
        if self._lost:
            raise RunError(
                "another run has taken this folder over: this one was silent for too long",
                where=self._where,
                mend="let one of them run; the same command goes on where it stopped",
            )

    def take(self, say: Callable[[str], None]) -> None:
        """Take the lock.

        Raises:
            RunError: another run renews it.
        """
        try:
            self._files.pipe_file(self._path, orjson.dumps(self._content), mode="create")
        except (FileExistsError, OSError):
            found = self._found()
            if found is not None and not found.get("free") and not _is_dead(found):
                self._refuse_living(found, say)
            self._write()
        time.sleep(_SETTLE_SECONDS)
        if not self._is_ours():
            raise self._taken(self._found() or {})

    def _refuse_living(self, found: dict[str, Any], say: Callable[[str], None]) -> None:
        say(
            f"{self._where}: a run of {found.get('host')} (process {found.get('pid')}) holds this folder; "
            f"looking for up to {STALE_SECONDS:.0f} s whether it is alive"
        )
        deadline = time.monotonic() + STALE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(min(1.0, BEAT_SECONDS))
            now = self._found()
            if now is None or now.get("free"):
                return
            if now != found:
                raise self._taken(now)

    def _taken(self, found: dict[str, Any]) -> RunError:
        who = f"process {found.get('pid')} on {found.get('host')}"
        return RunError(
            f"another run works in this folder: {who}", where=self._where, mend="wait for it, or choose --out"
        )

    def renew(self) -> None:
        """Say that we are alive, until the end."""
        while not self._ended.wait(BEAT_SECONDS):
            with suppress(OSError):  # storage that is away for a while does not take the lock from us
                if not self._is_ours():
                    self._lost = True
                    return
                self._content["beat"] += 1
                self._write()

    def release(self) -> None:
        """Leave the lock as free; it also says that this is a run's folder."""
        self._ended.set()
        with suppress(OSError):
            if self._is_ours():
                self._content["free"] = True
                self._write()

    def _write(self) -> None:
        self._files.pipe_file(self._path, orjson.dumps(self._content))

    def _found(self) -> dict[str, Any] | None:
        try:
            return orjson.loads(self._files.cat_file(self._path))
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None

    def _is_ours(self) -> bool:
        return (self._found() or {}).get("token") == self._content["token"]


def _is_dead(found: dict[str, Any]) -> bool:
    """True if its owner was a process of this machine that has gone."""
    if found.get("host") != platform.node():
        return False
    try:
        os.kill(int(found.get("pid", 0)), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@contextmanager
def held(files: Any, folder: str, where: str, say: Callable[[str], None]) -> Iterator[ObjectHold]:
    """Hold a folder on object storage.

    Raises:
        RunError: another run holds it.
    """
    hold = ObjectHold(files, f"{folder.rstrip('/')}/{NAME}", where)
    hold.take(say)
    renewing = threading.Thread(target=hold.renew, daemon=True, name="lock")
    renewing.start()
    try:
        yield hold
    finally:
        hold.release()
