"""What the cluster's scheduler runs: a step of datatrove's that begins a task's process (task.py) and waits for it.

datatrove gives Ray's work to a *forked* process, where Polars and Numba hang, and takes the logging of the process
where it runs for its own: so the task is a new process. This one imports no stage, which spares each task 0.9 s of a
core at its start, and 105 MB as long as it runs.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from chejil.curation.executors import tasks
from chejil.curation.executors.local import ONE_THREAD

_PARENT_CHECK_SECONDS = 1.0


class Task:
    """A step of datatrove's: given a rank, it does that task of a folder in a new process."""

    def __init__(self, folder: str, python_path: str) -> None:
        self.folder, self.python_path = folder, python_path

    def __call__(self, data: Any, rank: int = 0, world_size: int = 1) -> None:
        """Start the process, wait for it, and fail if it did."""
        folder = Path(self.folder)
        if not folder.is_dir():
            raise RuntimeError(f"{platform.node()} does not see {folder}")
        environment = {**os.environ, **ONE_THREAD}
        if self.python_path:
            environment["PYTHONPATH"] = self.python_path
        command = [
            sys.executable,
            "-m",
            "chejil.curation.executors.task",
            str(folder),
            str(rank),
            str(os.getpid()),
        ]
        with tasks.log_path(folder, rank).open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
            scheduler = os.getppid()
            while process.poll() is None:
                if os.getppid() != scheduler:  # killed; the fork of its that runs this would wait for ever
                    process.kill()
                    os._exit(1)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PARENT_CHECK_SECONDS)
        if process.returncode:
            raise RuntimeError(f"task {rank} ended with {process.returncode}: {tasks.log_path(folder, rank)}")
