"""Stages as tasks of Ray, on a cluster that runs already.

Ray does a task again whose process was lost, up to three times; the task then does what has no record. The process that
submits is Ray's driver: when it goes, whether cancelled or with its coordinator, Ray ends its tasks.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from chejil.curation.executors.scheduled import LEAVE_SECONDS, Job, Scheduled, refuse_unsubmitted, submitted
from chejil.curation.executors.settings import Ray
from chejil.curation.executors.tasks import Work, journal_path
from chejil.errors import RunError

_CANCEL_SECONDS = 20.0


class RayExecutor(Scheduled):
    """Does calls as Ray tasks; see `Scheduled`."""

    settings: Ray

    def submit(self, folder: Path, work: Work, gather: bool) -> Job:
        """A driver for a stage, which lives as long as the stage's tasks."""
        driver = submitted(folder, work, self.settings, gather)
        return RayJob(folder, work, driver, self.settings.silent_seconds)


class RayJob(Job):
    """A driver process."""

    def __init__(
        self, folder: Path, work: Work, driver: subprocess.Popen[bytes], silent_seconds: float
    ) -> None:
        self.folder, self.work, self.driver, self.silent_seconds = folder, work, driver, silent_seconds
        self._begun = [0] * work.num_tasks
        self._beats: dict[int, tuple[int, float]] = {}

    def ended(self) -> bool:
        """True if the driver has ended.

        Raises:
            RunError: it failed, or a task gives no sign of life: datatrove's pool waits for ever for a killed process.
        """
        code = self.driver.poll()
        if code is not None:
            refuse_unsubmitted(self.folder, code)
            return True
        self._refuse_silent()
        return False

    def _refuse_silent(self) -> None:
        now = time.monotonic()
        for rank in range(self.work.num_tasks):
            path = journal_path(self.folder, rank)
            beat, (last, since) = path.stat().st_mtime_ns, self._beats.get(rank, (0, now))
            if beat != last:
                self._beats[rank] = (beat, now)
                self._begun[rank] += 1
            elif (
                self._begun[rank] > 1 and now - since > self.silent_seconds and not self._is_over(path, rank)
            ):
                raise RunError(
                    f"task {rank} of '{self.work.stage}' gives no sign of life for {now - since:.0f} s",
                    where=str(self.folder / "logs"),
                    mend="run the same command again, it goes on where it stopped",
                )

    def _is_over(self, path: Path, rank: int) -> bool:
        return len(path.read_bytes().splitlines()) >= len(self.work.of_task(rank))

    def settle(self) -> None:
        """End the driver: datatrove's looks for ended tasks every ten seconds only."""
        self._end_driver()

    def cancel(self) -> None:
        """End the driver: its tasks lose who began them, and leave within a second."""
        self._end_driver()
        time.sleep(LEAVE_SECONDS)

    def _end_driver(self) -> None:
        if self.driver.poll() is None:
            self.driver.terminate()
            try:
                self.driver.wait(_CANCEL_SECONDS)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                self.driver.wait()
