"""A training as it goes on, on stderr: a picture in a terminal, a line a record in a log, JSON for a program.

    with live_view(terminal.STDERR, config.name, config.steps) as view:
        view.recall(…)              # metrics.read, where a training goes on
        metrics = Metrics(folder, config.logging, listeners=[view.show])
        …
            view.advance(step)      # after each step: moves the bar

A view is drawn from records alone. The picture is drawn anew twice a second by a thread, so that clock and "last step …
ago" go on while a step hangs: a step that never ends is what one looks for. A drawing takes 6 ms of a core; `advance`
only notes a number. What others print comes above the picture. When it ends, by an error or Ctrl-C too, its last state
stays and the cursor comes back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Protocol, Self

import orjson
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from chejil.curation.progress_display import duration
from chejil.terminal import json_text, visible
from chejil.training.loop.loss_curve import ASCII, BLOCKS, LossCurve
from chejil.training.loop.record_lines import Record, gigabytes, line, number, rate, share

REDRAWS_PER_SECOND = 2
CURVE_LINES = 5
MAX_SOURCES = 12
QUIET_SECONDS = 10.0
"""A step that takes longer is worth a word."""


class View(Protocol):
    """What shows a training; open while a block goes on."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *error: object) -> None:
        """Leave the last state standing."""

    def show(self, record: Record) -> None:
        """A record has come."""

    def recall(self, records: Iterable[Record]) -> None:
        """What was before a resume (`metrics.read`): the picture's curve has it, a log has said it."""

    def advance(self, step: int) -> None:
        """So many steps are done."""

    def say(self, text: str) -> None:
        """A line of its own: a warning, what was found."""


def live_view(console: Console, name: str, num_steps: int, json: bool = False) -> View:
    """What fits: JSON where it is asked for, a picture where a person looks, lines in a log."""
    if json:
        return JsonLines(console, num_steps)
    return Picture(console, name, num_steps) if console.is_terminal else Lines(console, num_steps)


class Lines:
    """A line a record."""

    def __init__(self, console: Console, num_steps: int) -> None:
        self.console, self.num_steps = console, num_steps

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def show(self, record: Record) -> None:
        """Say it."""
        self.say(line(record, self.num_steps))

    def recall(self, records: Iterable[Record]) -> None:
        """Nothing: it stands further up."""

    def advance(self, step: int) -> None:
        """Nothing: a log is not told each step."""

    def say(self, text: str) -> None:
        """A line of its own."""
        self._write(visible(text) + "\n")

    def _write(self, text: str) -> None:
        if self.console.quiet:
            return
        # Not by rich, which ends the process when a pipe is closed: a training goes on when nobody listens.
        with suppress(OSError):
            self.console.file.write(text)
            self.console.file.flush()


class JsonLines(Lines):
    """An object a line: the records, and `{"kind": "note", "text": …}`."""

    def show(self, record: Record) -> None:
        """Write it."""
        self._write(json_text(record, orjson.OPT_SERIALIZE_NUMPY))

    def say(self, text: str) -> None:
        """Write a note."""
        self.show({"kind": "note", "time": round(time.time(), 3), "text": text})


class Picture:
    """Bar, last values, loss curve, last evaluation and suite, last checkpoint, skipped steps."""

    def __init__(
        self, console: Console, name: str, num_steps: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console, self.name, self.num_steps, self.clock = console, visible(name), num_steps, clock
        self.step, self.last, self.curve = 0, dict[str, Record](), LossCurve()
        self.before: dict[str, Record] = {}
        self.skipped: list[int] = []
        self.begun = self.stepped = clock()
        self._lock = threading.Lock()
        self._live = Live(
            console=console, get_renderable=self.draw, refresh_per_second=REDRAWS_PER_SECOND, transient=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):  # the terminal is gone
            self._live.stop()

    def show(self, record: Record) -> None:
        """Keep it for the next drawing."""
        kind = record["kind"]
        with self._lock:
            if kind == "train":
                self.curve.add(record.get("loss"))
            if kind in ("evaluation", "suite"):
                self.before[kind] = self.last.get(kind, {})
            if kind == "skip":
                self.skipped.append(record["step"])
            if kind == "resume":
                self.last.pop("end", None)  # it was interrupted, and goes on
            self.last["start" if kind == "resume" else kind] = record
        self.advance(max(self.step, record["step"]))

    def recall(self, records: Iterable[Record]) -> None:
        """Show them all at once."""
        for record in records:
            self.show(record)

    def advance(self, step: int) -> None:
        """Move the bar, at the next drawing."""
        if step != self.step:
            self.step, self.stepped = step, self.clock()

    def say(self, text: str) -> None:
        """A line above the picture."""
        with suppress(OSError):
            self.console.print(visible(text), markup=False, highlight=False)

    def draw(self) -> RenderableType:
        """All of it."""
        with self._lock:
            return Group(*self._parts())

    def _parts(self) -> Iterator[RenderableType]:
        yield from self._head()
        yield self._bar()
        if "train" in self.last:
            yield _values(self.last["train"])
        blocks = ASCII if self.console.options.ascii_only else BLOCKS
        curve = self.curve.lines(self.console.width - 1, CURVE_LINES, blocks)
        yield from (Text(drawn, style="cyan", no_wrap=True, overflow="crop") for drawn in curve)
        if "evaluation" in self.last:
            yield _evaluation(self.last["evaluation"], self.before["evaluation"])
        if "suite" in self.last:
            yield _suite(self.last["suite"], self.before["suite"])
        yield from self._foot()

    def _head(self) -> Iterator[RenderableType]:
        start = self.last.get("start", {})
        devices = f"  {start['num_devices']:,} × {start['device']}" if "device" in start else ""
        yield _text(f"{self.name}{devices}", style="bold")
        if start.get("mfu_says"):
            yield _text(start["mfu_says"], style="dim")

    def _bar(self) -> RenderableType:
        left = self.last.get("train", {}).get("seconds_left")
        spent, quiet = self.clock() - self.begun, self.clock() - self.stepped
        row = Table.grid(padding=(0, 2))
        said = [f"step {self.step:,}/{self.num_steps:,}", share(self.step / max(self.num_steps, 1))]
        said.append(f"{duration(spent)} spent")
        said += [f"{duration(left)} left"] if left is not None else []
        bar = ProgressBar(total=max(self.num_steps, 1), completed=self.step, width=20)
        row.add_row(bar, *said)
        if quiet < QUIET_SECONDS or "end" in self.last:
            return row
        return Group(row, _text(f"last step {duration(quiet)} ago", style="yellow"))

    def _foot(self) -> Iterator[RenderableType]:
        if "checkpoint" in self.last:
            found = self.last["checkpoint"]
            yield _text(f"checkpoint at step {found['step']:,}  {found.get('path') or ''}")
        if self.skipped:
            count = "1 step" if len(self.skipped) == 1 else f"{len(self.skipped):,} steps"
            yield _text(f"skipped: {count}, the last one {self.skipped[-1]:,}", style="yellow")
        if "end" in self.last:
            yield _text(line(self.last["end"], self.num_steps))


def _text(said: str, style: str = "") -> Text:
    return Text(visible(said), style=style)


def _values(record: Record) -> Table:
    """The last values, four a line."""
    of = record.get
    memory = "memory" if of("memory_of") == "device" else "process memory"
    pairs = [
        ("loss", number(of("loss"))),
        ("bits/byte", number(of("bits_per_byte"))),
        ("grad norm", number(of("grad_norm"), 2)),
        ("learning rate", rate(of("learning_rate"))),
        ("tokens/s", number(of("tokens_per_second"), 0)),
        ("MFU", share(of("mfu"))),
        ("data wait", share(of("data_wait_share"))),
        (memory, gigabytes(of("memory_bytes"))),
    ]
    return _grid(pairs, columns=4)


def _grid(pairs: list[tuple[str, str]], columns: int) -> Table:
    drawn = Table.grid(padding=(0, 1))
    for _ in range(columns):
        drawn.add_column(style="dim", no_wrap=True)
        drawn.add_column(justify="right", no_wrap=True, min_width=7)
    for begin in range(0, len(pairs), columns):
        drawn.add_row(*(_text(part) for pair in pairs[begin : begin + columns] for part in pair))
    return drawn


def _evaluation(record: Record, before: Record) -> Table:
    """Bits per byte by source, and what they were the time before."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    drawn.add_column(f"evaluation at step {record['step']:,}", overflow="ellipsis", no_wrap=True)
    for column in ("bits/byte", "change", "loss"):
        drawn.add_column(column, justify="right", no_wrap=True)
    sources, old = record.get("sources") or {}, before.get("sources") or {}
    for name in list(sources)[:MAX_SOURCES]:
        drawn.add_row(_text(name), *_measured(sources[name], old.get(name, {})))
    if len(sources) > MAX_SOURCES:
        drawn.add_row(_text(f"… and {len(sources) - MAX_SOURCES} more"), "", "", "")
    drawn.add_row(_text("all"), *_measured(record, before))
    return drawn


def _suite(record: Record, before: Record) -> Table:
    """Accuracy and the probability of the right choice by task, and what that was the time before."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    drawn.add_column(
        visible(f"{record.get('suite', 'suite')} at step {record['step']:,}"),
        overflow="ellipsis",
        no_wrap=True,
    )
    for column in ("p(right)", "change", "acc", "items"):
        drawn.add_column(column, justify="right", no_wrap=True)
    tasks, old = record.get("tasks") or {}, before.get("tasks") or {}
    for name in list(tasks)[:MAX_SOURCES]:
        drawn.add_row(_text(name), *_scored(tasks[name], old.get(name, {})))
    if len(tasks) > MAX_SOURCES:
        drawn.add_row(_text(f"… and {len(tasks) - MAX_SOURCES} more"), "", "", "", "")
    drawn.add_row(_text("mean of tasks"), *_scored(record, before))
    return drawn


def _scored(part: dict[str, Any], before: dict[str, Any]) -> tuple[str, str, str, str]:
    now, then = part.get("gold_prob"), before.get("gold_prob")
    change = "" if now is None or then is None else f"{now - then:+.3f}"
    return number(now), change, number(part.get("acc")), number(part.get("num_items"), 0)


def _measured(part: dict[str, Any], before: dict[str, Any]) -> tuple[str, str, str]:
    now, then = part.get("bits_per_byte"), before.get("bits_per_byte")
    change = "" if now is None or then is None else f"{now - then:+.3f}"
    return number(now), change, number(part.get("loss"))
