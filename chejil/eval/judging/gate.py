"""Where all threads that ask an endpoint wait: for the pace, and for what it asked for (`Retry-After`)."""

from __future__ import annotations

import threading
import time


class Stopped(Exception):
    """The run ends: this request is not made any more."""


class Gate:
    """Where all threads wait: for the pace, and for what an endpoint asked for."""

    def __init__(self, per_minute: float | None) -> None:
        self.stop = threading.Event()
        self._step = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._closed = 0.0
        self._lock = threading.Lock()

    def close(self, seconds: float) -> None:
        """Nobody passes for so long."""
        with self._lock:
            self._closed = max(self._closed, time.monotonic() + seconds)

    def enter(self) -> None:
        """Wait until a request may be made.

        Raises:
            Stopped: the run ends meanwhile.
        """
        with self._lock:
            start = max(time.monotonic(), self._next)
            self._next = start + self._step
        self.pause(start - time.monotonic())
        # It may be closed again while we wait for it to open.
        while (left := self._closed - time.monotonic()) > 0:
            self.pause(left)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            Stopped: the run ends meanwhile.
        """
        if self.stop.wait(max(0.0, seconds)):
            raise Stopped
