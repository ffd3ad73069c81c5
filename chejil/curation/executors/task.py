"""One task of a stage, on whatever machine: `python -m chejil.curation.executors.task FOLDER RANK`.

It is a process of its own, begun by what the cluster's scheduler runs (step.py). If that goes, so does this one; units
that are done stay done.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chejil.curation import shards
from chejil.curation.executors import tasks
from chejil.curation.executors.local import Executor, leave_with
from chejil.curation.manifest import versions
from chejil.curation.stage import Function, Record, Unit, do
from chejil.errors import ChejilError, RunError

_BEAT_SECONDS = 10.0


def run_task(folder: Path, rank: int) -> int:
    """Do the units of a task that have no record yet; returns the exit code."""
    try:
        work = tasks.read(folder)
        _refuse_other_versions(work)
        _refuse_unseen(work, rank)
        with suppress(
            OSError
        ):  # the coordinator's folder need not be everywhere, if the recipe's paths are absolute
            os.chdir(work.cwd)
        with _beating(folder, rank), Executor(work.processes) as executor:
            _do_all(work, folder, rank, executor)
    except ChejilError as error:
        tasks.note_error(folder, rank, tasks.REFUSED, error)
        return 1
    except Exception:
        tasks.note(folder, rank, state=tasks.BROKEN, traceback=traceback.format_exc())
        raise
    return 0


def _do_all(work: tasks.Work, folder: Path, rank: int, executor: Executor) -> None:
    calls = [(name, do_once, arguments) for name, _, arguments in work.of_task(rank)]
    for outcome in executor.do(calls):
        if outcome.error is None:
            tasks.note(folder, rank, state=tasks.DONE, unit=outcome.name)
        else:
            tasks.note_error(folder, rank, tasks.STOPPED, outcome.error, outcome.name)


def do_once(unit: Unit, name: str, key: str, function: Function) -> Record:
    """Do a unit, unless it is done: a task that is queued again does what is left of it."""
    record = tasks.record_of((name, do, (unit, name, key, function)))
    return do(unit, name, key, function) if record is None else record


def _refuse_other_versions(work: tasks.Work) -> None:
    """A key says with which versions a unit is done; a node with others would write other bytes under it."""
    here = versions()
    other = {name for name in work.versions if here.get(name) != work.versions[name]}
    if other:
        name = min(other)
        raise RunError(
            f"this node has {name} {here.get(name)}, the run was planned with {work.versions[name]}",
            where=platform.node(),
            mend="let all nodes use one environment (executor.env_command)",
        )


def _refuse_unseen(work: tasks.Work, rank: int) -> None:
    """The coordinator has found every file; a folder that is not here is on another machine's disk."""
    wanted = {work.root} | {
        str(Path(file["url"]).parent)
        for _, _, (unit, *_) in work.of_task(rank)
        for file in unit.settings.get("files", ())
        if isinstance(file, dict) and "url" in file
    }
    for folder in sorted(wanted):
        if "://" not in folder and not shards.file_system(folder)[0].isdir(folder):
            raise RunError(
                f"this node does not see {folder}",
                where=platform.node(),
                mend="put the run and its inputs on a file system that all nodes mount, or on object storage",
            )


@contextmanager
def _beating(folder: Path, rank: int) -> Iterator[None]:
    """Show while the block goes on that this process lives, by the date of its journal."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(_BEAT_SECONDS):
            with suppress(OSError):
                os.utime(tasks.journal_path(folder, rank))

    threading.Thread(target=beat, daemon=True, name="beat").start()
    try:
        yield
    finally:
        ended.set()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_with(int(sys.argv[3]))
    sys.exit(run_task(Path(sys.argv[1]), int(sys.argv[2])))
