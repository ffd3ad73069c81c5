"""What goes wrong on one machine: a worker killed, a full disk, an unreadable file. Nothing is lost, and it says so."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chejil.curation import manifest
from chejil.curation import run as runs
from chejil.curation.executors.local import Executor
from chejil.curation.run import run
from chejil.errors import RunError

from ..run_files import content


def command(recipe, root, *options):
    return [sys.executable, "-m", "chejil", "run", str(recipe), "--out", str(root), *options]


@pytest.fixture
def recipe_file(small_recipe, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(small_recipe().resolved(), "utf-8")
    return path


def workers_of(process):
    """Processes of a pool: children that spawn began, not the one that tracks semaphores."""
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                parent = path.joinpath("stat").read_text().rpartition(")")[2].split()[1]
                name = path.joinpath("cmdline").read_bytes()
            except OSError:
                continue
            if int(parent) == process.pid and b"spawn_main" in name:
                yield int(path.name)


@pytest.mark.slow
def test_a_worker_that_is_killed_stops_the_run_and_loses_nothing(
    small_run, small_recipe, recipe_file, tmp_path
):
    """kill -9 of one of two workers: exit code 2, what to do; the same command ends with the same bytes."""
    root = tmp_path / "run"
    process = subprocess.Popen(
        command(recipe_file, root, "--workers", "2"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (victims := list(workers_of(process))):
        time.sleep(0.02)
    time.sleep(0.5)  # both are there, and at work
    os.kill(victims[0], signal.SIGKILL)

    said = process.communicate(timeout=120)[1]

    assert process.returncode == 2
    assert "a worker process died" in said
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert not (root / manifest.PATH).exists()
    run(small_recipe(), str(root))
    assert content(root) == content(small_run)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_told_to_stop_does_so_at_once(recipe_file, tmp_path, number, code):
    """Ctrl-C and SIGTERM end the workers in the middle of their units, with the shell's exit code for it."""
    process = subprocess.Popen(
        command(recipe_file, tmp_path / "run", "--workers", "2"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((tmp_path / "run").rglob("documents/*/*.tmp")):
        time.sleep(0.01)
    begun = list(workers_of(process))
    process.send_signal(number)

    said = process.communicate(timeout=60)[1]

    assert process.returncode == code
    assert "goes on where it stopped" in said
    assert "Traceback" not in said
    assert begun
    assert not any(Path("/proc", str(worker)).exists() for worker in begun)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid():
        pytest.skip("not root: cannot mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_stops_the_run_and_loses_nothing(
    small_run, small_recipe, recipe_file, small_disk, workers
):
    """The disk is filled up but for 40 kB; the run says so. With room again it ends with the same bytes."""
    ballast = small_disk / "ballast"
    free = shutil.disk_usage(small_disk).free
    ballast.write_bytes(bytes(free - 40_000))

    full = subprocess.run(
        command(recipe_file, small_disk / "run", "--workers", workers),
        capture_output=True,
        text=True,
        check=False,
    )

    assert full.returncode == 2
    assert "No space left on device" in full.stderr
    assert "free some space" in full.stderr
    assert "Traceback" not in full.stderr
    assert not (small_disk / "run" / manifest.PATH).exists()
    assert not list((small_disk / "run").rglob("*.tmp"))
    ballast.unlink()
    run(small_recipe(), str(small_disk / "run"))
    assert content(small_disk / "run") == content(small_run)


def test_a_file_that_cannot_be_read_stops_its_shard_alone(
    small_corpus, small_recipe, small_run, tmp_path, monkeypatch
):
    """A folder stands where the file was; the other shards are complete; once it is back, so is the run."""
    data = tmp_path / "data"
    shutil.copytree(small_corpus, data)  # with the times of the files: they are in the keys
    victim, aside = data / "mc4-ko/c4-ko.00001.json.gz", tmp_path / "aside"
    real = runs.plan

    def planned(recipe):
        plan = real(recipe)
        victim.rename(aside)
        victim.mkdir()
        return plan

    with monkeypatch.context() as patched:
        patched.setattr(runs, "plan", planned)
        stopped = run(small_recipe(f"data={data}"), str(tmp_path / "run"))
    victim.rmdir()
    aside.rename(victim)

    assert [entry["shard"] for entry in stopped.failed] == ["mc4-ko/c4-ko.00001.json.gz"]
    assert "directory" in stopped.failed[0]["what"]
    assert stopped.documents == 86
    run(small_recipe(f"data={data}"), str(tmp_path / "run"))
    whole = {path: text for path, text in content(tmp_path / "run").items() if path != "recipe.yaml"}
    there = {path: text for path, text in content(small_run).items() if path != "recipe.yaml"}
    assert {path for path in whole if whole[path] != there[path]} <= {
        "manifest.json"
    }  # the hash of recipe.yaml
    assert whole.keys() == there.keys()


def refuse(number):
    raise OSError(number, os.strerror(number), "shard.parquet")


def test_what_the_system_refuses_is_an_error_that_says_what_to_do():
    """No space and no permission are no bugs: what, where, and that nothing is lost."""
    import errno

    with pytest.raises(RunError, match=r"shard.parquet: No space left on device\n  mend: free some space"):
        list(Executor(1).do([("one", refuse, (errno.ENOSPC,))]))
    with pytest.raises(RunError, match=r"shard.parquet: Permission denied"):
        list(Executor(1).do([("one", refuse, (errno.EACCES,))]))


def test_a_units_record_is_the_same_fresh_and_read_again(tmp_path):
    """Counts in another order than the file's gave a resumed run another report."""
    from chejil.curation.stage import Tally, Unit, do, read_record

    fresh = do(
        Unit(str(tmp_path), "s", ("a",), {}), "a", "k", lambda unit: Tally([], {"z": {"y": 1, "x": 1}})
    )

    assert repr(fresh) == repr(read_record(str(tmp_path), "s", "a"))
