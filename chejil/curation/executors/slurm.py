"""Stages as array jobs of Slurm, followed by `squeue`. Needs no accounting database.

Slurm queues a task of a failed node again by itself; the task then does what has no record. When the coordinator is
killed, its job goes on: the next run in the folder cancels it first, since two writers of one folder are one too many.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from pathlib import Path

import orjson

from chejil.curation.executors.scheduled import (
    LEAVE_SECONDS,
    Job,
    Say,
    Scheduled,
    refuse_unsubmitted,
    submitted,
)
from chejil.curation.executors.settings import Slurm
from chejil.curation.executors.tasks import Work
from chejil.errors import RunError

_OVER = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
     "REVOKED", "TIMEOUT"}
)  # fmt: skip
_USUAL = frozenset({"BeginTime", "JobArrayTaskLimit", "None", "Priority", "Resources"})
_CANCEL_SECONDS = 120.0
_SETTLE_SECONDS = 60.0
_DEAF_SECONDS = 900.0
"""How long the controller may be away (it is restarted, it fails over) before that is an error."""


class SlurmExecutor(Scheduled):
    """Does calls as array jobs; see `Scheduled`."""

    settings: Slurm

    def submit(self, folder: Path, work: Work, gather: bool) -> Job:
        """One array job for a stage."""
        refuse_unsubmitted(folder, submitted(folder, work, self.settings, gather).wait())
        return SlurmJob(orjson.loads((folder / "jobs.json").read_bytes())["slurm"], self.say)


class SlurmJob(Job):
    """An array job."""

    def __init__(self, number: str, say: Say) -> None:
        self.number, self.say = number, say
        self._states: dict[str, str] = {}
        self._reason = ""
        self._heard = time.monotonic()

    def ended(self) -> bool:
        """True if squeue lists no task of it, or each as over."""
        answer = _asked(
            "squeue", "--noheader", "--array", "--states=all", f"--jobs={self.number}", "--format=%K|%T|%r"
        )
        if answer.returncode:
            return self._unheard(answer.stderr)
        self._heard = time.monotonic()
        rows = [line.split("|", 2) for line in answer.stdout.splitlines() if line.count("|") >= 2]
        self._states |= {rank.strip(): state.strip() for rank, state, _ in rows}
        self._tell([reason.strip() for _, state, reason in rows if state.strip() == "PENDING"])
        return all(state.strip() in _OVER for _, state, _ in rows)

    def _unheard(self, said: str) -> bool:
        if "Invalid job id" in said:
            return True  # over for longer than the controller remembers
        if time.monotonic() - self._heard > _DEAF_SECONDS:
            raise RunError(f"squeue does not answer: {said.strip()[:200]}", where=f"job {self.number}")
        return False

    def _tell(self, reasons: list[str]) -> None:
        """Why tasks wait, each time that it is another reason than before; waiting for a place is none."""
        counts = Counter(reason for reason in reasons if reason not in _USUAL)
        told = ", ".join(f"{count} tasks wait: {reason}" for reason, count in sorted(counts.items()))
        if told and told != self._reason:
            self.say(f"Slurm job {self.number}: {told}")
        self._reason = told

    def settle(self) -> None:
        """Wait until the tasks have left, which takes a second or two; who hangs is cancelled."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not self.ended():
            if time.monotonic() > deadline:
                self.cancel()
                return
            time.sleep(0.2)

    def cancel(self) -> None:
        """Cancel the array, and wait until its tasks have gone."""
        cancel(self.number)

    def fate(self, rank: int) -> str:
        """How squeue called the end of a task, if it was not COMPLETED."""
        state = self._states.get(str(rank), "")
        return "" if state == "COMPLETED" else state


def cancel(number: str) -> None:
    """Cancel a job and wait for its end.

    Raises:
        RunError: it does not end.
    """
    job, deadline = SlurmJob(number, lambda _: None), time.monotonic() + _CANCEL_SECONDS
    _asked("scancel", number)
    while not job.ended():
        if time.monotonic() > deadline:
            raise RunError(f"Slurm job {number} does not end", mend=f"scancel {number}, then run again")
        time.sleep(0.5)
    time.sleep(LEAVE_SECONDS)


def cancel_left(folder: Path, say: Say) -> None:
    """Cancel the jobs that a killed coordinator left in a jobs folder."""
    for noted in sorted(folder.glob("*/jobs.json")):
        number = orjson.loads(noted.read_bytes()).get("slurm")
        if number and not SlurmJob(number, say).ended():
            say(f"Slurm job {number} of a run that was killed is cancelled")
            cancel(number)


def _asked(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RunError(
            f"there is no {command[0]} here", mend="run this on a login node of the cluster"
        ) from None
