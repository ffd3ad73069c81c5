"""Where units of work are done on a cluster: a stage's units as tasks of Slurm or Ray, which only schedule them.

For each stage the coordinator, which is the process of `chejil run`, writes the work as files (tasks.py), has it
submitted by a process of its own (submit.py, through datatrove's executors), and follows the journals of the tasks.
What is done is told by the records that units leave, never by the scheduler: a task that died is seen by units without
a record when no task is left. The other tasks are let finish first, so that nothing that was begun is lost.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from chejil.curation import shards
from chejil.curation.executors import tasks
from chejil.curation.executors.local import Outcome
from chejil.curation.executors.settings import Cluster
from chejil.curation.executors.tasks import Call, Journals, Work
from chejil.curation.manifest import versions
from chejil.errors import ChejilError, RunError

_FIRST_POLL_SECONDS = 0.2
_LAST_WORDS_SECONDS = 60.0
LEAVE_SECONDS = 3.0
"""Longer than a task needs to see that the process which began it has gone."""
AGAIN = "run the same command again, it goes on where it stopped"

Say = Callable[[str], None]


class Job(ABC):
    """A submitted stage."""

    @abstractmethod
    def ended(self) -> bool:
        """True if no task of it is running or waiting."""

    @abstractmethod
    def cancel(self) -> None:
        """End its tasks and wait until they have ended."""

    @abstractmethod
    def settle(self) -> None:
        """Every unit has ended: let the tasks go, so that nothing writes into their folder any more."""

    def fate(self, rank: int) -> str:
        """What the scheduler says of a task that ended: TIMEOUT, OUT_OF_MEMORY; nothing where it does not tell."""
        return ""


class Scheduled(ABC):
    """Does calls as tasks of a cluster, like `executors.Executor`. A context manager."""

    def __init__(self, settings: Cluster, root: str, say: Say) -> None:
        self.settings, self.say = settings, say
        self.root = absolute(root)
        self.folder = jobs_folder(settings, root)

    def __enter__(self) -> Scheduled:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def do(self, calls: Iterable[Call], stage: str = "", gather: bool = False) -> Iterator[Outcome]:
        """Outcomes as units end on whatever node; a file that cannot be read stops its own call alone.

        Raises:
            RunError: a task died or refused, after the other tasks have ended; or the cluster takes no job.
        """
        every = tuple(calls)
        if not every:
            return
        asked = self.settings.resources(gather)
        num_tasks = min(self.settings.tasks, -(-len(every) // asked.cpus_per_task))
        work = Work(stage, self.root, every, num_tasks, asked.cpus_per_task, versions())
        folder = self.folder / work.name
        tasks.write(folder, work)
        job = self.submit(folder, work, gather)
        try:
            yield from self._follow(folder, work, job)
        except BaseException:
            job.cancel()
            raise
        shutil.rmtree(folder, ignore_errors=True)

    @abstractmethod
    def submit(self, folder: Path, work: Work, gather: bool) -> Job:
        """Hand a stage's work to the cluster."""

    def _follow(self, folder: Path, work: Work, job: Job) -> Iterator[Outcome]:
        journals, waiting = Journals(folder, work.num_tasks), {call[0]: call for call in work.calls}
        refused: list[ChejilError] = []
        for seconds in _polls(self.settings.poll_seconds):
            ended = job.ended()  # asked first: what a task wrote before its end is read after it
            for _, line in journals.new_lines():
                if line["state"] in (tasks.DONE, tasks.STOPPED):
                    call = waiting.pop(line["unit"], None)
                    if call is not None:  # a task that was queued again says what the first one said
                        yield _outcome(line, call)
                else:
                    refused.append(_refusal(line))
                    self.say(str(refused[-1]))
            if not waiting:
                job.settle()
                return
            if ended:
                break
            time.sleep(seconds)
        for name, call in list(waiting.items()):  # a unit may be done whose task died before it could say so
            record = tasks.record_of(call)
            if record is not None:
                del waiting[name]
                yield Outcome(name, record, None)
        if refused:
            raise refused[0]
        if waiting:
            raise _lost(folder, work, job, waiting)


def _polls(most_seconds: float) -> Iterator[float]:
    """Waits that grow, so that a small stage is not kept waiting and a long one asks seldom."""
    for number in itertools.count():
        yield min(most_seconds, _FIRST_POLL_SECONDS * 1.3 ** min(number, 99))


def _outcome(line: dict[str, Any], call: Call) -> Outcome:
    if line["state"] == tasks.STOPPED:
        return Outcome(call[0], None, tasks.error_of(line))
    deadline = time.monotonic() + _LAST_WORDS_SECONDS
    while (record := tasks.record_of(call)) is None:
        if time.monotonic() > deadline:
            raise RunError(
                "a task says that it has done this unit, but its files are not here",
                where=call[0],
                mend="let the run's folder be on a file system that all nodes mount, or on object storage",
            )
        time.sleep(_FIRST_POLL_SECONDS)  # network file systems show others' files a little later
    return Outcome(call[0], record, None)


def _refusal(line: dict[str, Any]) -> ChejilError:
    if line["state"] == tasks.REFUSED:
        return tasks.error_of(line)
    raise RuntimeError(f"in a task on the cluster:\n{line['traceback']}")


def _lost(folder: Path, work: Work, job: Job, waiting: dict[str, Call]) -> RunError:
    names = sorted(waiting)
    ranks = sorted({work.calls.index(call) % work.num_tasks for call in waiting.values()})
    fates = sorted({fate for rank in ranks if (fate := job.fate(rank))})
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
    said = f" ({', '.join(fates)})" if fates else ""
    log = tasks.log_path(folder, ranks[0])
    unseen = not any(tasks.log_path(folder, rank).exists() for rank in range(work.num_tasks))
    where = (
        f"{log}" if not unseen else f"{folder}: no task has left a log; do the nodes see it, and this Python?"
    )
    mend = {
        "TIMEOUT": f"raise executor.time, or {AGAIN}",
        "OUT_OF_MEMORY": f"raise executor.mem_per_cpu_gb; {AGAIN}",
    }
    return RunError(
        f"{len(ranks)} of {work.num_tasks} tasks of '{work.stage}' died{said}; not done: {shown}",
        where=where,
        mend=next((mend[fate] for fate in fates if fate in mend), AGAIN),
    )


def absolute(root: str) -> str:
    """The run's folder as every node names it."""
    return root if "://" in root else shards.file_system(root)[1]


def jobs_folder(settings: Cluster, root: str) -> Path:
    """Where scripts, journals and logs lie.

    Raises:
        RunError: the run is on object storage, and no folder is given.
    """
    if settings.folder is not None:
        return Path(settings.folder).expanduser().absolute()
    if "://" in root:
        raise RunError(
            "where do job scripts and logs lie?",
            where=root,
            mend="set executor.folder to a folder that all nodes mount; object storage cannot hold them",
        )
    return Path(absolute(root)) / "jobs"


def submitted(folder: Path, work: Work, settings: Cluster, gather: bool) -> subprocess.Popen[bytes]:
    """Start the process that submits: datatrove takes over the logging of whatever process imports it."""
    request = {
        "settings": settings.model_dump(mode="json"),
        "resources": settings.resources(gather).model_dump(include={"cpus_per_task", "mem_per_cpu_gb"}),
        "work": {"name": work.name, "num_tasks": work.num_tasks, "python_path": work.python_path},
    }
    (folder / "submit.json").write_bytes(orjson.dumps(request))
    log = folder / "logs" / "submit.log"
    with log.open("ab") as stream:
        command = [sys.executable, "-m", "chejil.curation.executors.submit", str(folder), str(os.getpid())]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)


def refuse_unsubmitted(folder: Path, code: int) -> None:
    """Raise what a submitting process had to say, if it failed.

    Raises:
        RunError: the cluster, or what is installed here, does not do it.
    """
    if code == 0:
        return
    refused = folder / "refused.json"
    if refused.exists():
        raise tasks.error_of(orjson.loads(refused.read_bytes()))
    log = folder / "logs" / "submit.log"
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    raise RunError(
        f"the job could not be submitted: {lines[-1] if lines else code}", where=str(log), mend=AGAIN
    )
