"""What the tests start does not outlive them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .held import wait_until_gone

KEEPER = Path(__file__).with_name("keeper.py")

# A shell that leaves a daemon behind which is in a session of its own and heeds no SIGTERM, and says which it is.
DAEMON = """
trap '' TERM
setsid sh -c 'echo $$ > {folder}/pid; exec sleep 600' &
while [ ! -s {folder}/pid ]; do sleep 0.1; done
"""
ASKER = """
import subprocess, sys, time
keeper = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
print(keeper.stdout.readline().decode().strip(), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is of Linux")
def test_daemons_go_with_a_killed_test(tmp_path):
    """kill -9 of whoever asked for a daemon ends the daemon and its keeper, and removes the folder."""
    folder = tmp_path / "kept"
    folder.mkdir()
    command = [
        sys.executable,
        "-c",
        ASKER,
        sys.executable,
        KEEPER,
        folder,
        "sh",
        "-c",
        DAEMON.format(folder=folder),
    ]
    asker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert asker.stdout.readline() == "0\n"
    pid = int((folder / "pid").read_text())
    os.kill(pid, 0)

    asker.send_signal(signal.SIGKILL)
    asker.communicate()

    assert wait_until_gone([pid], seconds=20)
    deadline = time.monotonic() + 20
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()
