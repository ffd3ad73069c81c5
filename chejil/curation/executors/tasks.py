"""The work of a stage as files, for tasks that run elsewhere: what to do, and what became of it.

    calls.pickle     the calls (unit, key, function by its import path), and with which versions they were planned
    journals/00007   what became of task 7's units: a line of JSON each, appended and synced when the unit ends
    logs/            what the tasks printed
    jobs.json        what the cluster calls the job

A journal tells the coordinator what has ended; whether it is done is told by its record (stage.py), which a unit writes
last, wherever it is done. A task is done again by doing what has no record: a node may fail and its task be queued
again, or the whole run be killed and begun again.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import xxhash

from chejil.curation.stage import Record, is_done, read_record
from chejil.errors import ChejilError, RunError, SourceError

Call = tuple[str, Callable[..., Any], tuple]
"""The name of a unit, a function, and its arguments."""

DONE, STOPPED, REFUSED, BROKEN = "done", "stopped", "refused", "broken"
"""How a line of a journal says that a unit is done, that its shard stopped, that the run must, and a traceback."""


@dataclass(frozen=True)
class Work:
    """What the tasks of a stage do.

    Args:
        root: the run's folder, absolute, or its URL.
        versions: of the packages that decide what is written; a node must have the same.
        cwd: where the coordinator runs; relative paths of a recipe start there.
        processes: of one task.
    """

    stage: str
    root: str
    calls: tuple[Call, ...]
    num_tasks: int
    processes: int
    versions: Mapping[str, str]
    cwd: str = field(default_factory=os.getcwd)
    python_path: str = field(default_factory=lambda: os.environ.get("PYTHONPATH", ""))

    def of_task(self, rank: int) -> tuple[Call, ...]:
        """The calls of one task."""
        return self.calls[rank :: self.num_tasks]

    @property
    def name(self) -> str:
        """Name of its folder: a stage that is to do other units has another."""
        units = [(name, arguments[2]) for name, _, arguments in self.calls]
        return f"{self.stage.replace('/', '.')}-{xxhash.xxh3_64_hexdigest(orjson.dumps(units))[:8]}"


def write(folder: Path, work: Work) -> None:
    """Write a stage's work, in place of what an earlier try has left; every task's journal is there from the start.

    A journal that is made only later may stay unseen for a minute, since NFS remembers which files there are not.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "journals").mkdir(parents=True)
    (folder / "logs").mkdir()
    for rank in range(work.num_tasks):
        journal_path(folder, rank).touch()
    unfinished = folder / "calls.pickle.tmp"
    with unfinished.open("wb") as stream:
        pickle.dump(work, stream)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(folder / "calls.pickle")


def read(folder: Path) -> Work:
    """The work in a folder that `write` wrote; only a run's own folder is read, since a pickle is a program."""
    return pickle.loads((folder / "calls.pickle").read_bytes())


def journal_path(folder: Path, rank: int) -> Path:
    """Where a task says what became of its units."""
    return folder / "journals" / f"{rank:05}"


def log_path(folder: Path, rank: int) -> Path:
    """Where the output of a task stands."""
    return folder / "logs" / f"task-{rank:05}.log"


def note(folder: Path, rank: int, **line: Any) -> None:
    """Append a line to a task's journal, and see that other machines can read it."""
    with journal_path(folder, rank).open("ab") as stream:
        stream.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        stream.flush()
        os.fsync(stream.fileno())


def note_error(folder: Path, rank: int, state: str, error: ChejilError, unit: str | None = None) -> None:
    """Write an error that the user can mend into the journal."""
    note(folder, rank, state=state, unit=unit, what=error.what, where=error.where, mend=error.mend)


def error_of(line: Mapping[str, Any]) -> ChejilError:
    """The error that `note_error` wrote."""
    kind = SourceError if line["state"] == STOPPED else RunError
    return kind(line["what"], where=line["where"], mend=line["mend"])


class Journals:
    """Reads the journals of all tasks while they grow."""

    def __init__(self, folder: Path, num_tasks: int) -> None:
        self._paths = [journal_path(folder, rank) for rank in range(num_tasks)]
        self._read = [0] * num_tasks

    def new_lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Lines that were not there before, each with its task; a line that is being written waits."""
        for rank, path in enumerate(self._paths):
            with path.open("rb") as stream:  # opened anew, so that NFS asks the server
                stream.seek(self._read[rank])
                whole, newline, _ = stream.read().rpartition(b"\n")
            self._read[rank] += len(whole) + len(newline)
            for line in whole.splitlines():
                yield rank, orjson.loads(line)

    def beats(self) -> Sequence[int]:
        """What changes, task by task, while a task lives."""
        return [path.stat().st_mtime_ns for path in self._paths]


def record_of(call: Call) -> Record | None:
    """The record of a unit that is done already, else None."""
    unit, name, key, _ = call[2]
    record = read_record(unit.root, unit.stage, name)
    return record if is_done(unit.root, record, key) else None
