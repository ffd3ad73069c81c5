"""How progress is shown, on stderr: bars in a terminal, lines in a log, JSON for a program."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol, Self

import orjson
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from chejil.curation.progress import NO_WORK, Pace, Progress, Work

EVERY_SECONDS = 30.0
"""A log gets a line of a long stage so often."""


class Display(Progress, Protocol):
    """Progress that is open while a block goes on."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *error: object) -> None:
        """Leave the last state standing."""


def display(console: Console, json: bool = False) -> Display:
    """What fits: JSON lines where they are asked for, bars where a person looks, lines in a log."""
    if json:
        return JsonLines(console)
    return Bars(console) if console.is_terminal else Lines(console)


class _Paced:
    """Keeps the pace of each stage."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.paces: dict[str, Pace] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def start(self, stage: str, units: int, done: int, weights: Mapping[str, int] | None = None) -> None:
        """The stage's clock begins."""
        self.paces[stage] = Pace(stage, units, done, weights or {})

    def advance(self, stage: str, name: str, error: str | None = None, work: Work = NO_WORK) -> None:
        """Add a unit; an error is printed."""
        if error is not None:
            self.say(f"stopped: {error}")
        self.paces[stage].add(name, work)

    def finish(self, stage: str) -> None:
        """Nothing more."""

    def say(self, text: str) -> None:
        """A line of its own."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class Bars(_Paced):
    """A bar a stage, with units, pace, memory and the time left."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        columns = (
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bars = RichProgress(*columns, console=console)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def start(self, stage: str, units: int, done: int, weights: Mapping[str, int] | None = None) -> None:
        """Add the stage's bar; one that has nothing to do is full."""
        super().start(stage, units, done, weights)
        pace = self.paces[stage]
        self._tasks[stage] = self._bars.add_task(stage, total=pace.total_weight or 1, note=note(pace))
        if not pace.total_weight:
            self._bars.update(self._tasks[stage], completed=1)

    def advance(self, stage: str, name: str, error: str | None = None, work: Work = NO_WORK) -> None:
        """Move the stage's bar."""
        super().advance(stage, name, error, work)
        pace = self.paces[stage]
        self._bars.update(self._tasks[stage], advance=pace.weight_of(name), note=note(pace))


class Lines(_Paced):
    """A line when a stage has ended, and one every half minute of a long one."""

    def __init__(self, console: Console, every_seconds: float = EVERY_SECONDS) -> None:
        super().__init__(console)
        self.every_seconds = every_seconds
        self._last = time.monotonic()

    def advance(self, stage: str, name: str, error: str | None = None, work: Work = NO_WORK) -> None:
        """Say how far the stage is, if nothing was said for a while."""
        super().advance(stage, name, error, work)
        pace = self.paces[stage]
        if time.monotonic() - self._last >= self.every_seconds and pace.done + pace.new < pace.units:
            left = f", {duration(pace.seconds_left)} left" if pace.seconds_left is not None else ""
            self.say(f"{stage}: {note(pace)}, {duration(pace.seconds)}{left}")

    def finish(self, stage: str) -> None:
        """Say what the stage did."""
        pace = self.paces[stage]
        again = f", {pace.done} as before" if pace.done else ""
        self.say(f"{stage}: {pace.units} units{again}{_rates(pace)}, {duration(pace.seconds)}")

    def say(self, text: str) -> None:
        """A line of its own."""
        self._last = time.monotonic()
        super().say(text)


class JsonLines(_Paced):
    """An object a line: `event` is start, unit, stage or note; the rest is the pace."""

    def start(self, stage: str, units: int, done: int, weights: Mapping[str, int] | None = None) -> None:
        """The stage begins."""
        super().start(stage, units, done, weights)
        self._write({"event": "start", **self.paces[stage].as_dict()})

    def advance(self, stage: str, name: str, error: str | None = None, work: Work = NO_WORK) -> None:
        """A unit has ended."""
        self.paces[stage].add(name, work)
        self._write({"event": "unit", "unit": name, "error": error, **self.paces[stage].as_dict()})

    def finish(self, stage: str) -> None:
        """The stage has ended."""
        self._write({"event": "stage", **self.paces[stage].as_dict()})

    def say(self, text: str) -> None:
        """Something that one should know."""
        self._write({"event": "note", "text": text})

    def _write(self, event: dict[str, Any]) -> None:
        line = orjson.dumps({"time": round(time.time(), 3), **event}).decode()
        self.console.file.write(line + "\n")
        self.console.file.flush()


def note(pace: Pace) -> str:
    """Units and pace, as short as they can be said.

    >>> note(Pace("signals", units=40, done=8, new=4))[:8]
    '12 of 40'
    """
    return f"{pace.done + pace.new} of {pace.units}{_rates(pace)}"


def _rates(pace: Pace) -> str:
    found = pace.as_dict()
    said = ""
    if found["documents_per_second"] is not None:
        said += f", {found['documents_per_second']:,.0f} documents/s"
    if found["mb_per_second"] is not None:
        said += f", {found['mb_per_second']:.1f} MB/s"
    if pace.new and isinstance(found["memory_bytes"], int):
        said += f", {found['memory_bytes'] / 1e9:.1f} GB"
    return said


def duration(seconds: float | None) -> str:
    """Seconds, or hours and minutes.

    >>> duration(4.21), duration(75), duration(7322)
    ('4.2 s', '1:15 min', '2:02 h')
    """
    if seconds is None or seconds < 60:
        return f"{seconds or 0:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"
