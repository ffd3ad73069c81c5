"""Progress on stderr: a bar a stage in a terminal, a line a stage elsewhere. Results never go through here."""

from __future__ import annotations

import time
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars


class Progress(Protocol):
    """What a run tells while it goes on."""

    def start(self, stage: str, units: int, done: int) -> None:
        """A stage begins: its units, and those of them that need not be done again."""

    def advance(self, stage: str, name: str, error: str | None = None) -> None:
        """A unit has ended, with an error or without."""

    def finish(self, stage: str) -> None:
        """A stage has ended."""

    def say(self, text: str) -> None:
        """Something that one should know while it goes on: why a job waits, that another run is looked for."""


class Silent:
    """Says nothing."""

    def start(self, stage: str, units: int, done: int) -> None:
        """Nothing."""

    def advance(self, stage: str, name: str, error: str | None = None) -> None:
        """Nothing."""

    def finish(self, stage: str) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


class Terminal:
    """Bars that move in a terminal; one line a stage where stderr is a file. A context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bars = Bars(*columns, console=console, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, tuple[float, int, int]] = {}

    def __enter__(self) -> Terminal:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def start(self, stage: str, units: int, done: int) -> None:
        """Add the stage's bar."""
        note = f"{done} as before" if done else ""
        self._tasks[stage] = self._bars.add_task(stage, total=units, completed=done, note=note)
        self._started[stage] = (time.perf_counter(), units, done)

    def advance(self, stage: str, name: str, error: str | None = None) -> None:
        """Move the stage's bar; an error is printed above it."""
        if error is not None:
            self.console.print(f"stopped: {error}", style="red", markup=False, highlight=False)
        self._bars.advance(self._tasks[stage])

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def finish(self, stage: str) -> None:
        """Where there are no bars, say in one line what the stage did."""
        start, units, done = self._started[stage]
        if not self.console.is_terminal:
            seconds = time.perf_counter() - start
            again = f", {done} as before" if done else ""
            self.console.print(f"{stage}: {units} units{again}, {seconds:.1f} s", highlight=False)
