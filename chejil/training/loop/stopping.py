"""Being asked to stop: a signal is noted, the step is finished, a checkpoint is saved, and the training ends.

SIGTERM comes from a scheduler or a shutdown, SIGUSR1 from Slurm before the time limit (`--signal=USR1@180`), SIGINT
from Ctrl-C. A second Ctrl-C does not wait. One process is enough: at each step all add up their `flags`, so that all
stop behind the same one and each can say by which signal.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class Asked:
    """Whether to stop, and by which signal.

    Attributes:
        by: the signal that this process got; None as long as it got none.
    """

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        # Apart: a first Ctrl-C behind that of another process is no second one.
        self._heard: signal.Signals | None = None

    @property
    def name(self) -> str | None:
        """Of the signal that a process got, the one that all agreed on first."""
        found = self._heard or self.by
        return None if found is None else found.name

    def flags(self, otherwise: bool = False) -> list[float]:
        """What processes add up: 1 at this one's signal, and last whether it has to stop without one."""
        return [*(float(self.by is one) for one in SIGNALS), float(otherwise)]

    def heard(self, flags: Sequence[float]) -> bool:
        """Take in the sums of all processes' flags; whether to stop, which is the same in all of them."""
        self._heard = next((one for one, count in zip(SIGNALS, flags, strict=False) if count), None)
        return any(flags)

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
