"""Progress: what a run tells while it goes on, and the pace that follows from it. Results never go through here.

How it is shown stands in progress_display.py. The time left is by weight and not by units, since shards differ: what a
unit reads of files before they are read, and of text afterwards.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol


class Work(NamedTuple):
    """What a unit has gone through: documents, and bytes of their text. None of both where a unit is no shard."""

    documents: int = 0
    num_bytes: int = 0


NO_WORK = Work()


class Progress(Protocol):
    """What a run tells while it goes on."""

    def start(self, stage: str, units: int, done: int, weights: Mapping[str, int] | None = None) -> None:
        """A stage begins: its units, those of them that need not be done again, and what each of the others weighs."""

    def advance(self, stage: str, name: str, error: str | None = None, work: Work = NO_WORK) -> None:
        """A unit has ended, with an error or without."""

    def finish(self, stage: str) -> None:
        """A stage has ended."""

    def say(self, text: str) -> None:
        """Something that one should know while it goes on: why a job waits, that another run is looked for."""


class Silent:
    """Says nothing."""

    def start(self, stage: str, units: int, done: int, weights: Mapping[str, int] | None = None) -> None:
        """Nothing."""

    def advance(self, stage: str, name: str, error: str | None = None, work: Work = NO_WORK) -> None:
        """Nothing."""

    def finish(self, stage: str) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


@dataclass
class Pace:
    """How fast a stage goes. Seconds, documents and bytes are those of this time, not of what was done before."""

    stage: str
    units: int
    done: int
    weights: Mapping[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    new: int = 0
    weight: int = 0
    documents: int = 0
    num_bytes: int = 0

    def add(self, name: str, work: Work) -> None:
        """A unit has ended."""
        self.new += 1
        self.weight += self.weight_of(name)
        self.documents += work.documents
        self.num_bytes += work.num_bytes

    def weight_of(self, name: str) -> int:
        """Of a unit, among `total_weight`; an empty shard has some too, since a start costs time."""
        return self.weights.get(name, 0) + 1

    @property
    def total_weight(self) -> int:
        """Of all units that are to be done."""
        return sum(self.weights.values()) + self.units - self.done

    @property
    def seconds(self) -> float:
        """Since the stage began."""
        return time.monotonic() - self.started

    @property
    def seconds_left(self) -> float | None:
        """If it goes on like this; None before anything has ended."""
        return self.seconds * (self.total_weight / self.weight - 1) if self.weight else None

    def as_dict(self) -> dict[str, int | float | str | None]:
        """For a program; rates are null where nothing was measured."""
        seconds = self.seconds
        left = self.seconds_left
        return {
            "stage": self.stage,
            "units": self.units,
            "units_done": self.done + self.new,
            "units_as_before": self.done,
            "seconds": round(seconds, 3),
            "seconds_left": None if left is None else round(left, 1),
            "documents": self.documents,
            "text_bytes": self.num_bytes,
            "documents_per_second": round(self.documents / seconds, 1) if self.documents else None,
            "mb_per_second": round(self.num_bytes / seconds / 1e6, 2) if self.num_bytes else None,
            "memory_bytes": resident_bytes(),
        }


def resident_bytes() -> int | None:
    """Memory that this process and its workers hold now, as the system counts it; None where there is no /proc."""
    pids = [os.getpid(), *(child.pid for child in multiprocessing.active_children())]
    held = [_resident(pid) for pid in pids if pid]
    return sum(size for size in held if size is not None) if held[0] is not None else None


def _resident(pid: int) -> int | None:
    """Pages that are its own; those of libraries' files are shared."""
    try:
        _, resident, shared = Path(f"/proc/{pid}/statm").read_text("ascii").split()[:3]
    except OSError:
        return None
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
