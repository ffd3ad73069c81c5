"""recipes/slurm/pretrain.sbatch on a real Slurm of two nodes: one process on each, on CPUs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch")
pytest.importorskip("transformers")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "training"))
import small_trainings as small  # noqa: E402

pytestmark = pytest.mark.slow

SCRIPT = ROOT / "recipes" / "slurm" / "pretrain.sbatch"
HERE = ("--ntasks-per-node=1", "--gpus-per-node=0", "--cpus-per-task=1", "--mem=1000", "--time=10")
"""What the nodes of the tests have."""
STEPS = 200


@pytest.fixture
def submit(slurm, tmp_path, monkeypatch):
    """Submits a training, and cancels it in the end; returns the job's number."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")  # the nodes' names are Slurm's alone
    jobs = []

    def submitted(config):
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(config), "utf-8")
        command = ["sbatch", "--parsable", *HERE, f"--output={tmp_path / 'log'}", str(SCRIPT), str(file)]
        done = subprocess.run(
            [*command, "--out", str(tmp_path / "run")],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        jobs.append(done.stdout.strip())
        return jobs[-1]

    yield submitted
    for job in jobs:
        subprocess.run(["scancel", job], check=False, capture_output=True)
    print(
        (tmp_path / "log").read_text("utf-8", "replace")[-4000:] if (tmp_path / "log").exists() else "no log"
    )


def told(job):
    """What Slurm says of a job."""
    shown = subprocess.run(
        ["scontrol", "show", "job", job], capture_output=True, text=True, check=True
    ).stdout
    return dict(word.split("=", 1) for word in shown.split() if "=" in word)


def wait(condition, job, seconds=120):
    """Wait until something holds; at once wrong where the job has failed."""
    deadline = time.monotonic() + seconds
    while not condition():
        state = told(job)["JobState"]
        assert state not in ("FAILED", "NODE_FAIL", "TIMEOUT", "OUT_OF_MEMORY"), state
        assert time.monotonic() < deadline, f"the job is {state}"
        time.sleep(0.3)


def steps_of(folder):
    """The last step that is told of."""
    return max(small.records(folder, "train"), default=0) if (folder / "metrics.jsonl").exists() else 0


def test_a_training_that_is_asked_to_stop_is_queued_again_and_ends(submit, tmp_path):
    """What Slurm sends before the time limit: the step is finished and saved, the job waits, and goes on from there."""
    shards = small.tokens(tmp_path / "tokens")
    job = submit(
        small.settings(
            shards, total_tokens=512 * STEPS, checkpoints={"every_steps": 1000}, evaluation={"every_steps": 1000},
            mixture={"max_epochs": {"*": 1000}},
        )
    )  # fmt: skip
    wait(lambda: steps_of(tmp_path / "run") >= 5, job)
    subprocess.run(["scancel", "--signal=USR1", "--batch", job], check=True)

    wait(lambda: told(job)["JobState"] == "COMPLETED", job, 200)

    (resumed,) = small.records(tmp_path / "run", "resume")
    assert 5 <= resumed < STEPS
    assert told(job)["Restarts"] == "1"
    assert sorted(small.losses(tmp_path / "run")) == list(range(1, STEPS + 1))
    assert small.records(tmp_path / "run", "start")[0]["world"] == 2
    assert (tmp_path / "run" / "checkpoints" / f"step-{STEPS:08}").is_dir()


def test_a_training_that_fails_is_not_queued_again(submit, tmp_path):
    """The exit code is that of `chejil pretrain`, and the log says what to mend."""
    job = submit(small.settings(tmp_path / "no-tokens"))

    deadline = time.monotonic() + 120
    while told(job)["JobState"] not in ("FAILED", "COMPLETED"):
        assert time.monotonic() < deadline
        time.sleep(0.3)

    assert (told(job)["JobState"], told(job)["ExitCode"], told(job)["Restarts"]) == ("FAILED", "2:0", "0")
    assert "no-tokens" in (tmp_path / "log").read_text()
