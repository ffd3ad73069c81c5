"""A training that was killed, asked to stop or has lost a process goes on as if nothing had been."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

sys.path.insert(0, str(Path(__file__).parent))
import small_trainings as small  # noqa: E402

from chejil.training.loop import training_state  # noqa: E402

LONG = {"total_tokens": 512 * 24, "checkpoints": {"every_steps": 5}, "evaluation": {"every_steps": 8}}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return small.tokens(tmp_path_factory.mktemp("shards") / "tokens")


@pytest.fixture(scope="module")
def whole(shards, tmp_path_factory):
    """Trainings that nothing happened to, by number of processes."""
    found = {}

    def of(processes):
        if processes not in found:
            folder = tmp_path_factory.mktemp("whole") / f"on-{processes}"
            finished(small.start(folder, shards, processes, **LONG))
            found[processes] = folder
        return found[processes]

    return of


def finished(run):
    said = run.communicate(timeout=240)
    assert run.returncode == 0, said[1][-3000:]
    return said


def wait_for_step(folder, step, run, seconds=120):
    """Until a training has told of a step."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and run.poll() is None:
        path = folder / "metrics.jsonl"
        if path.exists() and f'"kind":"train","step":{step},'.encode() in path.read_bytes():
            return
        time.sleep(0.02)
    raise AssertionError(f"no step {step}: {run.poll()}")


def kill_all(run):
    """kill -9 of the launcher's whole family at once."""
    for process in [*children(run.pid), run.pid]:
        os.kill(process, signal.SIGKILL)
    run.communicate(timeout=60)


def children(process):
    """What a launcher has started: its ranks, in order."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in listed.split()]


def weights(folder):
    return training_state.weights_of(folder / "checkpoints" / "step-00000024")


@pytest.mark.parametrize(("processes", "step"), [(1, 7), (2, 13)])
def test_killed_and_resumed_is_bit_identical(shards, whole, tmp_path, processes, step):
    run = small.start(tmp_path / "run", shards, processes, **LONG)
    wait_for_step(tmp_path / "run", step, run)
    kill_all(run)
    finished(small.start(tmp_path / "run", shards, processes, **LONG))

    assert small.records(tmp_path / "run", "resume"), "it began anew"
    assert small.losses(tmp_path / "run") == small.losses(whole(processes))
    assert small.read(tmp_path / "run") == small.read(whole(processes))
    mine, theirs = weights(tmp_path / "run"), weights(whole(processes))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert small.records(tmp_path / "run", "evaluation").keys() == {8, 16, 24}


@pytest.mark.parametrize(("before", "after"), [(2, 1), (2, 4)])
def test_resumed_on_another_number_of_processes(shards, whole, tmp_path, before, after):
    run = small.start(tmp_path / "run", shards, before, **LONG)
    wait_for_step(tmp_path / "run", 12, run)
    kill_all(run)
    finished(small.start(tmp_path / "run", shards, after, **LONG))

    (resumed,) = small.records(tmp_path / "run", "resume")
    assert small.read(tmp_path / "run") == small.read(whole(1))
    mine, theirs = small.losses(tmp_path / "run"), small.losses(whole(before))
    assert {step: mine[step] for step in mine if step <= resumed} == {
        step: theirs[step] for step in theirs if step <= resumed
    }
    assert all(mine[step] == pytest.approx(theirs[step], rel=1e-5) for step in theirs)


@pytest.mark.parametrize(("processes", "name"), [(1, "SIGTERM"), (2, "SIGUSR1")])
def test_asked_to_stop_it_saves_and_goes_on(shards, whole, tmp_path, processes, name):
    run = small.start(tmp_path / "run", shards, processes, **LONG)
    wait_for_step(tmp_path / "run", 6, run)
    ranks = children(run.pid) if processes > 1 else [run.pid]
    os.kill(ranks[-1], getattr(signal, name))  # one process is enough: all learn it
    said = run.communicate(timeout=120)

    if processes == 1:
        assert run.returncode == 128 + getattr(signal, name), said
    ((stopped, end),) = small.records(tmp_path / "run", "end").items()
    assert 6 < stopped < 24
    assert end["reason"] == f"stopped by {name}"
    assert (tmp_path / "run" / "checkpoints" / f"step-{stopped:08}").is_dir()
    finished(small.start(tmp_path / "run", shards, processes, **LONG))
    assert small.losses(tmp_path / "run") == small.losses(whole(processes))


def test_a_process_that_dies_ends_all_with_a_word(shards, whole, tmp_path):
    run = small.start(tmp_path / "run", shards, 2, **LONG)
    wait_for_step(tmp_path / "run", 12, run)
    os.kill(children(run.pid)[-1], signal.SIGKILL)
    _, said = run.communicate(timeout=120)

    assert run.returncode != 0
    assert "another process has ended" in said
    assert "the same command goes on from the last checkpoint" in said
    newest = sorted(path.name for path in (tmp_path / "run" / "checkpoints").glob("step-????????"))[-1]
    assert newest in ("step-00000005", "step-00000010")
    finished(small.start(tmp_path / "run", shards, 2, **LONG))
    assert small.losses(tmp_path / "run") == small.losses(whole(2))
