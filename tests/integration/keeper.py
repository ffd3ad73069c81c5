"""Runs a command that starts daemons, and ends all that came of it when the process that asked for them has gone.

    python keeper.py FOLDER COMMAND…

Daemons leave their starter's session and belong to nobody. The keeper is their subreaper (prctl(2)): it becomes the
parent of whatever its command leaves behind, so it finds every one by its descent, and ends no other process.
It stays as long as somebody holds the other end of its standard input, which ends with its holder, after kill -9 too.

It prints the exit code of the command when that has ended; what the command says stands in FOLDER/start.log. FOLDER is
removed in the end.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

_SET_CHILD_SUBREAPER = 36
_PATIENCE_SECONDS = 3.0


def keep(folder: Path, command: list[str]) -> None:
    """Run the command, wait for the end of standard input or SIGTERM, end every descendant."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    alone = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: alone.set())
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), alone.set()), daemon=True).start()
    with (folder / "start.log").open("wb") as log:
        start = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    while start.poll() is None and not alone.wait(0.05):
        pass
    if start.returncode is not None:
        with suppress(BrokenPipeError):
            print(start.returncode, flush=True)
    while not alone.wait(0.05):
        _reap()
    end(os.getpid())
    shutil.rmtree(folder, ignore_errors=True)


def end(parent: int) -> None:
    """End the descendants of a process: asked first, then killed."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    asked: set[int] = set()
    while pids := descendants(parent):
        for pid in pids:
            with suppress(ProcessLookupError):
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                elif pid not in asked:
                    os.kill(pid, signal.SIGTERM)
        asked.update(pids)
        time.sleep(0.05)
        _reap()


def descendants(parent: int) -> list[int]:
    """Children of a process, their children, and so on; the dead that wait to be reaped are none."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, above = stat.read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                children.setdefault(int(above), []).append(int(stat.parent.name))
    found, todo = [], [parent]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def is_alive(pid: int) -> bool:
    """True if there is such a process, and it is not merely waiting to be reaped."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    keep(Path(sys.argv[1]), sys.argv[2:])
