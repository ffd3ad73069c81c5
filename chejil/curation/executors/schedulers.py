"""The executor that a recipe asks for, begun and ended: on this machine, on Slurm, or on Ray."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chejil.curation.executors.local import Executor
from chejil.curation.executors.scheduled import Say, Scheduled, absolute, jobs_folder
from chejil.curation.executors.settings import ExecutorSettings, Local, Slurm

JOBS = "jobs"


@contextmanager
def executor(settings: ExecutorSettings, root: str, workers: int, say: Say) -> Iterator[Executor | Scheduled]:
    """What does the units of a run's stages; jobs that a killed run has left are cancelled first.

    Args:
        workers: processes, on this machine; elsewhere the settings say how many.
    """
    folder = None if "://" in root else Path(absolute(root)) / JOBS
    if not isinstance(settings, Local):
        folder = jobs_folder(settings, root)
    if folder is not None and any(folder.glob("*/jobs.json")):
        from chejil.curation.executors.slurm import cancel_left

        cancel_left(folder, say)
    with _made(settings, root, workers, say) as made:
        yield made
    if folder is not None and isinstance(settings, Local):
        shutil.rmtree(folder, ignore_errors=True)


def _made(settings: ExecutorSettings, root: str, workers: int, say: Say) -> Executor | Scheduled:
    if isinstance(settings, Local):
        return Executor(workers)
    if isinstance(settings, Slurm):
        from chejil.curation.executors.slurm import SlurmExecutor

        return SlurmExecutor(settings, root, say)
    from chejil.curation.executors.ray_tasks import RayExecutor

    return RayExecutor(settings, root, say)
