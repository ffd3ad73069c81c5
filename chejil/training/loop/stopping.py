"""Being asked to stop: a signal is noted, the step is finished, a checkpoint is saved, and the training ends.

SIGTERM comes from a scheduler or a shutdown, SIGUSR1 from Slurm before the time limit (`--signal=USR1@180`), SIGINT
from Ctrl-C. A second Ctrl-C does not wait.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class Asked:
    """Whether to stop, and by which signal.

    Attributes:
        by: the signal; None as long as nobody asked.
    """

    def __init__(self) -> None:
        self.by: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.by is not None

    @property
    def name(self) -> str | None:
        """Of the signal."""
        return None if self.by is None else self.by.name

    def note(self, number: int, _: FrameType | None) -> None:
        """Be asked."""
        if self.by is signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.by = signal.Signals(number)


@contextmanager
def asked() -> Iterator[Asked]:
    """Note signals while the block lasts; only the main thread can."""
    found = Asked()
    before = {number: signal.signal(number, found.note) for number in SIGNALS}
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
