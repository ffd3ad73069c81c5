"""Hands a stage's tasks to Slurm or Ray through datatrove: `python -m chejil.curation.executors.submit FOLDER PARENT`.

What datatrove 0.10 does beside scheduling, and why it does no harm here:

- importing it removes the loguru sinks of the process, and so does a task: this process and the tasks are our own;
- `skip_completed` skips what an earlier pipeline did in the same logging folder: it is off, our records decide;
- for Slurm it queues a job `merge_stats` that depends on all tasks having succeeded, and waits for ever if one did
  not: it is left out; so is `srun`, which since Slurm 22.05 gives a task one core whatever it asked for;
- `launch_pickled_pipeline` must be in PATH on the node: this Python's folder is put first there;
- Ray's work is done in a forked process, and logged to /tmp/ray_logs, which belongs to who came first: the task is a
  new process (step.py), and the temporary folder is the stage's own;
- a Ray task that fits no node waits for ever in silence: it is refused;
- `depends` polls every two minutes: it is not used, stages follow each other here.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from chejil.curation.executors import tasks
from chejil.curation.executors.local import leave_with
from chejil.curation.executors.settings import Ray, Resources, Slurm
from chejil.curation.executors.step import Task
from chejil.errors import ChejilError, RunError

_KNOCK_SECONDS = 10.0


class _Work(NamedTuple):
    """What of a `tasks.Work` is needed here: reading that imports its functions, a second for each stage."""

    name: str
    num_tasks: int
    python_path: str


def submit(folder: Path) -> None:
    """Submit what `submit.json` asks for; Ray's tasks are waited for, Slurm's are not."""
    request = orjson.loads((folder / "submit.json").read_bytes())
    asked = Resources.model_validate(request["resources"])
    work = _Work(**request["work"])
    if request["settings"]["kind"] == "slurm":
        _to_slurm(folder, work, Slurm.model_validate(request["settings"]), asked)
    else:
        _to_ray(folder, work, Ray.model_validate(request["settings"]), asked)


def _to_slurm(folder: Path, work: _Work, settings: Slurm, asked: Resources) -> None:
    try:
        from datatrove.executor.slurm import SlurmPipelineExecutor
    except ImportError as error:
        raise _missing(error) from None
    account = {"account": settings.account} if settings.account else {}
    executor = SlurmPipelineExecutor(
        [Task(str(folder), work.python_path)],
        tasks=work.num_tasks,
        time=settings.time,
        partition=settings.partition,
        cpus_per_task=asked.cpus_per_task,
        mem_per_cpu_gb=asked.mem_per_cpu_gb,
        workers=settings.at_once or -1,
        job_name=f"chejil-{work.name}",
        qos=settings.qos,
        env_command=settings.env_command
        or f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",
        sbatch_args={**account, **settings.sbatch},
        max_array_size=-1,
        logging_dir=str(folder / "datatrove"),
        skip_completed=False,
        slurm_logs_folder=str(folder / "logs"),
        with_srun=False,
    )
    executor.launch_merge_stats = _nothing
    try:
        executor.run()
    except FileNotFoundError:
        raise RunError(
            "there is no sbatch here",
            mend="run this on a login node of the cluster, or take another executor",
        ) from None
    except subprocess.CalledProcessError as error:
        # What sbatch said is the last line of the log.
        raise SystemExit(error.returncode) from None
    (folder / "jobs.json").write_bytes(orjson.dumps({"slurm": executor.job_id}))


def _nothing() -> None:
    """In place of a job that adds up statistics."""


def _to_ray(folder: Path, work: _Work, settings: Ray, asked: Resources) -> None:
    try:
        import ray
        from datatrove.executor.ray import RayPipelineExecutor
    except ImportError as error:
        raise _missing(error) from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        _knock(settings.address)
        ray.init(address=settings.address, log_to_driver=False, configure_logging=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise RunError(
            f"cannot reach a Ray cluster: {error}",
            where=settings.address,
            mend="start one (ray start --head), and set executor.address to its host:port",
        ) from None
    if not settings.autoscale:
        _refuse_too_large(ray.nodes(), asked)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    RayPipelineExecutor(
        [Task(str(folder), work.python_path)],
        tasks=work.num_tasks,
        workers=settings.at_once or -1,
        cpus_per_task=asked.cpus_per_task,
        mem_per_cpu_gb=asked.mem_per_cpu_gb,
        logging_dir=str(folder / "datatrove"),
        skip_completed=False,
        ray_remote_kwargs={"runtime_env": {"env_vars": {"TMPDIR": str(temporary)}}},
    ).run()


def _knock(address: str) -> None:
    """See whether anybody listens: Ray itself tries for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), _KNOCK_SECONDS).close()


def _refuse_too_large(nodes: list[dict[str, Any]], asked: Resources) -> None:
    wanted = {"CPU": asked.cpus_per_task, "memory": asked.cpus_per_task * asked.mem_per_cpu_gb << 30}
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    if not any(all(node.get(name, 0) >= wanted[name] for name in wanted) for node in alive):
        most = max((int(node.get("CPU", 0)), round(node.get("memory", 0) / 2**30)) for node in alive)
        raise RunError(
            f"a task asks for {wanted['CPU']} cores and {wanted['memory'] >> 30} GB; "
            f"the largest node has {most[0]} and {most[1]} GB",
            mend="lower executor.cpus_per_task or executor.mem_per_cpu_gb; or autoscale: true",
        )


def _missing(error: ImportError) -> RunError:
    return RunError(f"'{error.name}' is not installed", mend="pip install 'chejil[cluster]'")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator answers it
    leave_with(int(sys.argv[2]))
    try:
        submit(Path(sys.argv[1]))
    except ChejilError as error:
        content = {"state": tasks.REFUSED, "what": error.what, "where": error.where, "mend": error.mend}
        (Path(sys.argv[1]) / "refused.json").write_bytes(orjson.dumps(content))
        sys.exit(2)
