"""A real Slurm and a real Ray, of two nodes on this host each, which all tests of this folder share.

Both are started once (1 s and 10 s), by keeper.py, which ends them however the tests end. Where they cannot run, the
tests are skipped with the reason; with CI=true on a host where they can, that is a failure. A test that fails, or lasts
longer than its limit, shows what the cluster says of it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

import pytest

from chejil.curation.run import run

from .held import BROKEN, Held, content, with_site

HERE = Path(__file__).parent
COMMON = ("executor.tasks=2", "executor.mem_per_cpu_gb=1", "executor.poll_seconds=0.5")
TEST_SECONDS = 300
"""Three times what the longest test takes on two cores that other work keeps busy."""
START_SECONDS = 240
IN_CI = os.environ.get("CI") == "true"
RUNNING: pytest.StashKey[dict[str, "Daemons"]] = pytest.StashKey()


class Daemons:
    """A cluster that its keeper ends with this process."""

    def __init__(self, script: Path, nodes: int) -> None:
        self.script = script
        self.folder = Path(
            tempfile.mkdtemp(prefix=f"chejil-{script.stem}-", dir="/tmp")
        )  # short: it holds sockets
        command = [
            sys.executable,
            HERE / "keeper.py",
            self.folder,
            "bash",
            script,
            "start",
            self.folder,
            str(nodes),
        ]
        self.keeper = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )  # fmt: skip
        watch = threading.Timer(START_SECONDS, self.keeper.terminate)
        watch.start()
        code = self.keeper.stdout.readline().strip()
        watch.cancel()
        if code != "0":
            log = self.folder / "start.log"
            said = log.read_text("utf-8", "replace")[-6000:] if log.exists() else ""
            self.end()
            pytest.fail(
                f"{script.name} did not start (exit code {code or 'none in time'}):\n{said}", pytrace=False
            )

    def show(self) -> str:
        """Queue, nodes and the ends of the logs."""
        done = subprocess.run(
            ["bash", self.script, "show", self.folder],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout + done.stderr

    def end(self) -> None:
        """Let the keeper end everything, and wait for it."""
        self.keeper.stdin.close()
        try:
            self.keeper.wait(30)
        finally:
            self.keeper.stdout.close()
            self.keeper.kill()


def unable(reason: str, hindered: bool = True) -> None:
    """Skip; but not in CI on a host that is not hindered."""
    if IN_CI and not hindered:
        pytest.fail(f"this must run in CI: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def slurm(request):
    """Settings of an executor on a Slurm that runs while the tests do."""
    if os.geteuid():
        unable("not root: slurmd and munged cannot be started")
    script = HERE / "slurm.sh"
    installed = subprocess.run(["bash", script, "install"], capture_output=True, text=True, check=False)
    if installed.returncode:
        unable(
            f"Slurm cannot be installed: {installed.stderr.strip()[-500:]}",
            hindered=shutil.which("apt-get") is None,
        )
    daemons = Daemons(script, 2)
    request.session.stash.setdefault(RUNNING, {})["slurm"] = daemons
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(daemons.folder / "slurm.conf"))
        yield ("executor.kind=slurm", "executor.partition=main", "executor.time='10'", *COMMON)
    daemons.end()


@pytest.fixture(scope="session")
def ray(request):
    """Settings of an executor on a Ray cluster that runs while the tests do."""
    command = Path(sys.executable).with_name("ray")
    if not command.exists():
        unable("ray is not installed: pip install 'chejil[cluster]'", hindered=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(command.parent), prepend=os.pathsep)
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else it writes a token into the home folder
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        daemons = Daemons(HERE / "ray.sh", 2)
        request.session.stash.setdefault(RUNNING, {})["ray"] = daemons
        address = (daemons.folder / "ray_current_cluster").read_text().strip()
        yield ("executor.kind=ray", f"executor.address={address}", *COMMON)
        daemons.end()


@pytest.fixture(params=["slurm", "ray"])
def cluster(request):
    """Settings of an executor, one after the other."""
    return request.getfixturevalue(request.param)


STAGES = "stages=[normalise, exact_dedup, write]"  # map, split and gather stages
SHORT = "stages=[normalise, write]"


@pytest.fixture(scope="session")
def every_kind(small_corpus, small_recipe, tmp_path_factory):
    """A recipe with map, split and gather stages, on shards one of which is broken, and its run on this machine."""
    data = tmp_path_factory.mktemp("corpus") / "data"
    shutil.copytree(small_corpus, data)
    (data / BROKEN).write_bytes(b"\x1f\x8b" + bytes(100))
    return _with_local_run(partial(small_recipe, STAGES, f"data={data}"), tmp_path_factory)


@pytest.fixture(scope="session")
def maps_alone(small_recipe, tmp_path_factory):
    """A recipe with few stages, and its run on this machine."""
    return _with_local_run(partial(small_recipe, SHORT), tmp_path_factory)


def _with_local_run(recipe, tmp_path_factory):
    root = tmp_path_factory.mktemp("local") / "run"
    run(recipe(), str(root))
    return recipe, content(root)


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Tasks that wait at their first unit until they are let go."""
    held = Held(tmp_path)
    monkeypatch.setenv("PYTHONPATH", with_site(tmp_path))
    yield held
    held.end()


@pytest.fixture(autouse=True)
def time_limit():
    """No test waits for ever for a cluster that has stopped; pytest then shows where it waited."""

    def stop(*_):
        pytest.fail(f"not done in {TEST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the clusters and the tasks of a failed test say."""
    report = yield
    if report.failed:
        used = {*item.fixturenames, *getattr(item, "callspec", item).__dict__.get("params", {}).values()}
        for name, daemons in item.session.stash.get(RUNNING, {}).items():
            if name in used:
                report.sections.append((name, daemons.show()))
        root = item.funcargs.get("tmp_path")
        for log in sorted(root.glob("run/jobs/*/logs/*")) if root else ():
            report.sections.append((str(log.relative_to(root)), log.read_text("utf-8", "replace")[-3000:]))
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """In CI a suite in which nothing ran has not passed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        IN_CI
        and exitstatus == 0
        and not session.config.option.collectonly
        and not reporter.stats.get("passed")
    ):
        reporter.write_line("every test was skipped: that is a failure in CI", red=True)
        session.exitstatus = 1
