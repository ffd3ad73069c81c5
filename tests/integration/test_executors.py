"""The same recipe on this machine, on a real Slurm and on a real Ray: the same bytes; and what happens to killed tasks.

Slurm is Debian's, of one node, installed and started by slurm.sh (2 s to start, 10 s to install); Ray is a cluster of
this host alone. Both are stopped in the end. Skipped, with the reason, where they cannot run.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from chejil.curation import manifest
from chejil.curation.run import run
from chejil.errors import RunError

pytestmark = pytest.mark.slow
pytest.importorskip("datatrove", reason="datatrove is not installed: pip install 'chejil[cluster]'")

SCRIPT = Path(__file__).with_name("slurm.sh")
STAGES = "stages=[normalise, exact_dedup, write]"  # map, split and gather stages
SHORT = "stages=[normalise, write]"
COMMON = ("executor.tasks=2", "executor.mem_per_cpu_gb=1", "executor.poll_seconds=1")


def content(root):
    """Every file of a run but the seconds and the lock, as bytes."""
    files = sorted(path for path in Path(root).rglob("*") if path.is_file())
    return {
        str(p.relative_to(root)): p.read_bytes() for p in files if p.name not in ("timings.json", ".lock")
    }


@pytest.fixture(scope="module")
def local_run(small_recipe, tmp_path_factory):
    root = tmp_path_factory.mktemp("local") / "run"
    run(small_recipe(STAGES), str(root))
    return root


@pytest.fixture(scope="module")
def short_run(small_recipe, tmp_path_factory):
    root = tmp_path_factory.mktemp("short") / "run"
    run(small_recipe(SHORT), str(root))
    return root


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Settings of an executor on a Slurm that runs while the tests do."""
    if os.geteuid():
        pytest.skip("not root: slurmd and munged cannot be started")
    installed = subprocess.run(["bash", str(SCRIPT), "install"], capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"Slurm cannot be installed: {installed.stderr.strip()[-200:]}")
    folder = tmp_path_factory.mktemp("slurm")
    started = subprocess.run(
        ["bash", str(SCRIPT), "start", str(folder)], capture_output=True, text=True, check=False
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        if started.returncode == 0:
            yield ("executor.kind=slurm", "executor.partition=main", "executor.time='10'", *COMMON)
    subprocess.run(["bash", str(SCRIPT), "stop", str(folder)], check=True)
    if started.returncode:
        pytest.skip(f"Slurm does not start here: {started.stderr.strip()[-200:]}")


@pytest.fixture(scope="module")
def ray():
    """Settings of an executor on a Ray cluster that runs while the tests do."""
    pytest.importorskip("ray", reason="ray is not installed: pip install 'chejil[cluster]'")
    folder = tempfile.mkdtemp(prefix="ray-")  # short: it holds sockets
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else it writes a token into the home folder
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--port=0", "--num-cpus=2",
                "--memory=4000000000", "--object-store-memory=80000000", "--include-dashboard=false",
                f"--temp-dir={folder}",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        address = Path(folder, "ray_current_cluster")
        deadline = time.monotonic() + 90
        while not address.exists() and head.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        if not address.exists():
            head.kill()
            pytest.skip(f"Ray does not start here (exit code {head.poll()})")
        yield ("executor.kind=ray", f"executor.address={address.read_text().strip()}", *COMMON)
        head.terminate()
        head.wait(60)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["slurm", "ray"])
def cluster(request):
    """Settings of an executor, one after the other."""
    return request.getfixturevalue(request.param)


def test_a_cluster_writes_the_same_bytes(cluster, small_recipe, local_run, tmp_path):
    """Maps, splits and gathers as tasks of a cluster, byte for byte the run on one machine; nothing of it is left."""
    done = run(small_recipe(STAGES, *cluster), str(tmp_path / "run"))

    assert content(tmp_path / "run") == content(local_run)
    assert not (tmp_path / "run" / "jobs").exists()
    assert run(small_recipe(STAGES), str(tmp_path / "run")).units_done == 0
    assert done.units_done


SLOW = """
import os, time
from chejil.curation import executors
real = executors._called
def slowly(name, function, arguments):
    if not os.path.exists({go!r}):
        open({begun!r} + str(os.getpid()), "w").close()
        while not os.path.exists({go!r}):
            time.sleep(0.05)
    return real(name, function, arguments)
executors._called = slowly
"""


@pytest.fixture
def held_tasks(tmp_path, monkeypatch):
    """Tasks wait at their first unit until `go` is there; `pids()` are those that do."""
    folder = tmp_path / "site"
    folder.mkdir()
    code = SLOW.format(go=str(tmp_path / "go"), begun=str(tmp_path / "begun-"))
    guarded = "import sys\nif 'chejil.curation.executors.task' in sys.orig_argv:\n" + "".join(
        f"    {line}\n" for line in code.strip().splitlines()
    )
    (folder / "sitecustomize.py").write_text(guarded)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")

    class Held:
        go = tmp_path / "go"

        @staticmethod
        def pids(number, seconds=90):
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                found = [int(path.name.partition("-")[2]) for path in tmp_path.glob("begun-*")]
                if len(found) >= number:
                    return found
                time.sleep(0.1)
            raise AssertionError(f"{number} tasks did not begin in {seconds} s")

    return Held


def started(recipe, root, tmp_path, settings):
    """The command line, running."""
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.resolved(), "utf-8")
    options = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "chejil", "run", str(path), "--out", str(root), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_a_task_that_is_killed_is_named_and_the_others_are_not_lost(
    cluster, small_recipe, short_run, held_tasks, tmp_path
):
    """kill -9 of one of two tasks at its first unit: the other's units are done, the message names the lost ones."""
    root = tmp_path / "run"
    process = started(small_recipe(SHORT), root, tmp_path, cluster)
    victim = min(held_tasks.pids(2))
    os.kill(victim, signal.SIGKILL)
    held_tasks.go.touch()

    said = process.communicate(timeout=180)[1]

    assert process.returncode == 2
    assert "1 of 2 tasks of 'documents' died" in said
    assert "not done: " in said
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert len(list((root / "work/documents").rglob("*.json"))) == 2
    run(small_recipe(SHORT), str(root))
    assert content(root) == content(short_run)


def test_a_run_that_is_terminated_cancels_its_tasks(cluster, small_recipe, held_tasks, tmp_path):
    """SIGTERM to the coordinator: exit code 143, and no task is left that could write."""
    process = started(small_recipe(SHORT), tmp_path / "run", tmp_path, cluster)
    pids = held_tasks.pids(2)

    process.terminate()
    said = process.communicate(timeout=120)[1]

    assert process.returncode == 143
    assert "goes on where it stopped" in said
    assert not [pid for pid in pids if Path("/proc", str(pid)).exists()]


def test_a_cancelled_task_of_slurm_is_called_so(slurm, small_recipe, short_run, held_tasks, tmp_path):
    """scancel of one task of an array, as an operator does it; then the same command, on Slurm again."""
    root = tmp_path / "run"
    process = started(small_recipe(SHORT), root, tmp_path, slurm)
    held_tasks.pids(2)
    jobs = subprocess.run(
        ["squeue", "--noheader", "--array", "--format=%i"], capture_output=True, text=True, check=True
    )
    subprocess.run(["scancel", jobs.stdout.split()[0]], check=True)
    held_tasks.go.touch()

    said = process.communicate(timeout=180)[1]

    assert process.returncode == 2
    assert "(CANCELLED)" in said
    run(small_recipe(SHORT, *slurm), str(root))
    assert content(root) == content(short_run)


def test_a_killed_coordinators_job_is_cancelled_by_the_next_run(
    slurm, small_recipe, short_run, held_tasks, tmp_path
):
    """kill -9 of `chejil run` leaves its job in the queue; the next run ends it before it writes anything."""
    root = tmp_path / "run"
    process = started(small_recipe(SHORT), root, tmp_path, slurm)
    pids = held_tasks.pids(2)
    process.kill()
    process.communicate()
    assert all(Path("/proc", str(pid)).exists() for pid in pids)

    run(small_recipe(SHORT), str(root))

    assert not [pid for pid in pids if Path("/proc", str(pid)).exists()]
    assert content(root) == content(short_run)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("executor.partition=nowhere",), "Invalid partition"),
        (("executor.sbatch={constraint: unobtainium}",), "could not be submitted"),
    ],
)
def test_what_slurm_refuses_is_said(slurm, small_recipe, tmp_path, settings, message):
    """sbatch's own words, and no traceback of ours."""
    with pytest.raises(RunError, match=message):
        run(small_recipe(SHORT, *slurm, *settings), str(tmp_path / "run"))


def test_a_ray_task_that_fits_no_node_is_refused(ray, small_recipe, tmp_path):
    """Ray would wait for such a node for ever, without a word."""
    with pytest.raises(RunError, match="a task asks for 64 cores"):
        run(small_recipe(SHORT, *ray, "executor.cpus_per_task=64"), str(tmp_path / "run"))


def test_no_ray_is_an_error_that_says_so(ray, small_recipe, tmp_path):
    """An address where nobody listens."""
    with pytest.raises(RunError, match="cannot reach a Ray cluster"):
        run(small_recipe(SHORT, *ray, "executor.address=127.0.0.1:1"), str(tmp_path / "run"))


def test_a_file_that_cannot_be_read_stops_its_shard_alone(cluster, small_corpus, small_recipe, tmp_path):
    """What a worker says of a shard comes back through the cluster as it does from a pool."""
    data = tmp_path / "data"
    shutil.copytree(small_corpus, data)
    broken = data / "c4-en/c4-en.00000.json.gz"
    broken.write_bytes(b"\x1f\x8b" + bytes(100))

    done = run(small_recipe(SHORT, f"data={data}", *cluster), str(tmp_path / "run"))

    assert [entry["shard"] for entry in done.failed] == ["c4-en/c4-en.00000.json.gz"]
    assert "not a gzip file" in done.failed[0]["what"]
    assert manifest.verify(str(tmp_path / "run")) == []
