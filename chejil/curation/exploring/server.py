"""Starts Streamlit's server in a process of its own, for this machine alone unless told otherwise, and waits for it.

Its settings are given on the command line, which overrules any configuration file of the user: no usage statistics,
no question for an address, no file watcher. Streamlit checks where a page's requests come from (`enableCORS`), and
here also by which name the server was called, so that a page of another site cannot read a run by naming itself
localhost.
"""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from chejil.errors import ChejilError

LOCAL = "127.0.0.1"
FIRST_PORT = 8501
_PORTS = 100
_START_SECONDS = 60
_STOP_SECONDS = 5


def check_installed() -> None:
    """Refuse where the page cannot be drawn.

    Raises:
        ChejilError: Streamlit is not there.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise ChejilError("the page needs streamlit", mend="pip install 'chejil[ui]'")


EXPLORE = str(Path(__file__).with_name("app.py"))


def is_local(address: str) -> bool:
    """Whether only this machine reaches it."""
    return address in (LOCAL, "localhost", "::1")


def command(app: str, arguments: Sequence[str], address: str, port: int) -> list[str]:
    """The words that start the server.

    Args:
        app: the script that draws the page.
        arguments: its own.
    """
    local = is_local(address)
    options = {
        "server.address": address,
        "server.port": port,
        "server.headless": "true",  # the browser is opened by us, once the page answers
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": "false",
        "server.enableCORS": "true",
        "server.enableXsrfProtection": "true",
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": "localhost" if local else address,
        "client.toolbarMode": "viewer",
        "client.showErrorLinks": "false",
        "logger.hideWelcomeMessage": "true",
        "logger.level": "warning",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    if local:
        words += [word for host in ("localhost", LOCAL) for word in ("--server.allowedHosts", host)]
    return [sys.executable, "-m", "streamlit", "run", app, *words, "--", *arguments]


def free_port(address: str, port: int | None) -> int:
    """That port, or the first free one from FIRST_PORT on.

    Raises:
        ChejilError: the port that was asked for is taken, or not ours to take; or the address is not this machine's.
    """
    for tried in [port] if port is not None else range(FIRST_PORT, FIRST_PORT + _PORTS):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, tried))
            except (OSError, OverflowError) as error:
                problem = error
                continue
            return tried
    said = getattr(problem, "strerror", None) or str(problem)
    raise ChejilError(
        f"cannot listen: {said}", where=f"{address}:{port or FIRST_PORT}", mend="give another --port"
    )


@contextmanager
def serving(
    app: str, arguments: Sequence[str], address: str, port: int
) -> Iterator[tuple[subprocess.Popen, str]]:
    """The server's process and the page's URL, once it answers; it is ended with the block.

    Raises:
        ChejilError: it did not start.
    """
    process = subprocess.Popen(command(app, arguments, address, port))
    host = {"0.0.0.0": LOCAL, "::": "[::1]"}.get(address, f"[{address}]" if ":" in address else address)
    url = f"http://{host}:{port}"
    try:
        _wait(process, url)
        yield process, url
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def ending_by_signal() -> Iterator[None]:
    """SIGTERM and a closed terminal end the block as Ctrl-C does, so that the server does not outlive us."""

    def interrupted(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), interrupted) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _wait(process: subprocess.Popen, url: str) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(urllib.error.URLError, OSError), direct.open(f"{url}/_stcore/health", timeout=2):
            return
        time.sleep(0.1)
    raise ChejilError(
        "streamlit did not start", where=url, mend="what it says stands above; try another --port"
    )
