"""A coordinator as a process of its own, whose tasks note where they run and wait until they are let go."""

import os
import subprocess
import sys
import time
from pathlib import Path

from .keeper import is_alive

# Python runs a `sitecustomize` in PYTHONPATH at its start, on every node: this is how a test gets into a task. And a
# coordinator does not outlive its test (PR_SET_PDEATHSIG), however that ends.
_SITE = """
import sys
if "chejil.curation.executors.task" in sys.orig_argv:
    import os, time
    from chejil.curation.executors import local
    called, folder = local._called, {folder!r}
    def _held(name, function, arguments):
        begun = folder + "/begun-" + str(os.getpid())
        with open(begun + ".tmp", "w") as stream:
            stream.write(os.environ.get("SLURMD_NODENAME") or os.environ["RAY_RAYLET_PID"])
        os.replace(begun + ".tmp", begun)
        while not os.path.exists(folder + "/go"):
            time.sleep(0.05)
        return called(name, function, arguments)
    local._called = _held
elif sys.orig_argv[1:4] == ["-m", "chejil", "run"]:
    import ctypes, signal
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
"""
BEGIN_SECONDS = 120

BROKEN = "mc4-ko/c4-ko.00003.json.gz"
"""A shard that cannot be read."""


class Held:
    """Tasks that wait at their first unit until `let_go`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.coordinators: list[subprocess.Popen[str]] = []
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(_SITE.format(folder=str(folder)))

    def let_go(self) -> None:
        """Let all tasks go on, those too that have not begun."""
        (self.folder / "go").touch()

    def hold(self) -> None:
        """Let the tasks wait that begin from now on, and forget those that have begun."""
        (self.folder / "go").unlink()
        for begun in self.folder.glob("begun-*"):
            begun.unlink()

    def nodes(self) -> dict[int, str]:
        """Where each task that has begun runs, by its process: the name of the node, or Ray's process on it."""
        return {int(p.name.partition("-")[2]): p.read_text() for p in self.folder.glob("begun-*[0-9]")}

    def begun(self, number: int) -> dict[int, str]:
        """Wait until so many tasks have begun; `nodes()` then."""
        deadline = time.monotonic() + BEGIN_SECONDS
        while len(found := self.nodes()) < number:
            assert time.monotonic() < deadline, (
                f"{len(found)} of {number} tasks have begun in {BEGIN_SECONDS} s; the coordinators' exit codes are "
                f"{[coordinator.poll() for coordinator in self.coordinators]}"
            )
            time.sleep(0.1)
        return found

    def coordinator(self, recipe, settings) -> subprocess.Popen[str]:
        """`chejil run` into `run`, running."""
        path = self.folder / "recipe.yaml"
        path.write_text(recipe.resolved(), "utf-8")
        options = [word for setting in settings for word in ("--set", setting)]
        command = [
            sys.executable,
            "-m",
            "chejil",
            "run",
            str(path),
            "--out",
            str(self.folder / "run"),
            *options,
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.coordinators.append(process)
        return process

    def end(self) -> None:
        """Kill the coordinators that run still."""
        self.let_go()
        for coordinator in self.coordinators:
            if coordinator.poll() is None:
                coordinator.kill()
                coordinator.communicate()


def wait_until_gone(pids, seconds: float = 30.0) -> bool:
    """True if all these processes have ended in time."""
    deadline = time.monotonic() + seconds
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def content(root: Path) -> dict[str, bytes]:
    """Every file of a run but the seconds and the lock, as bytes."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in files
        if p.name not in ("timings.json", "report.html", ".lock")
    }


def with_site(folder: Path) -> str:
    """PYTHONPATH with the hook."""
    return f"{folder / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
