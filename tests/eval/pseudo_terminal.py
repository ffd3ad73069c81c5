"""A command on a pseudo-terminal, for tests that type."""

import contextlib
import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

ENVIRONMENT = {
    "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1",
    "INPUTRC": "/dev/null",
}  # fmt: skip


class Terminal:
    """A child on a pseudo-terminal, which types and waits."""

    def __init__(self, *arguments):
        pid, self.fd = pty.fork()
        if pid == 0:
            try:
                command = [sys.executable, "-m", "chejil", *arguments]
                os.execve(sys.executable, command, {**os.environ, **ENVIRONMENT})
            finally:
                os._exit(127)  # the child must not go on with the tests
        self.pid, self.seen = pid, b""

    def wait(self, text, seconds=60):
        """Until a text has come behind the last one that was waited for."""
        end, wanted = time.monotonic() + seconds, text.encode()
        while wanted not in self.seen:
            assert time.monotonic() < end, self.seen.decode("utf-8", "replace")
            if select.select([self.fd], [], [], 0.2)[0]:
                self.seen += os.read(self.fd, 65536)
        before, _, self.seen = self.seen.partition(wanted)
        return before.decode("utf-8", "replace")

    def type(self, text):
        """Keys."""
        os.write(self.fd, text if isinstance(text, bytes) else text.encode())

    def code(self):
        """The exit code."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # the other side is closed
                    os.read(self.fd, 65536)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError("it did not end")
