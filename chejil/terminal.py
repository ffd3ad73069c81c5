"""Printing: results to stdout (a table for people, JSON for programs), progress to stderr."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

STDERR = Console(stderr=True)

_STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""C0 but tab and line feed, DEL, C1 (U+009B is an escape sequence, too), and what turns the direction of writing."""


def stdout() -> Console:
    """Where results go; a pipe gets plain text as wide as it needs, so that nothing is cut off."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200, color_system=None)


def show(result: Any, json: bool, render: Callable[[Any], Iterable[RenderableType]]) -> None:
    """Print a result as JSON, or as `render` draws it."""
    if json:
        print_json(result)
        return
    _print(stdout(), render(result))


def tell(parts: Iterable[RenderableType]) -> None:
    """Print what goes before a result to stderr, in a terminal as wide as that is, in a pipe as `show` does."""
    console = STDERR if STDERR.is_terminal else Console(stderr=True, highlight=False, width=200)
    _print(console, parts)


def _print(console: Console, parts: Iterable[RenderableType]) -> None:
    for part in parts:
        if isinstance(part, str):
            console.print(visible(part), markup=False, highlight=False)
        else:
            console.print(part)


def visible(text: str) -> str:
    """Text without what steers a terminal: a document may hold escape sequences.

    >>> visible("a\\x1b[31mb") == "a\\ufffd[31mb"
    True
    """
    return _STEERING.sub("\ufffd", text)


def json_text(content: Any, option: int = 0) -> str:
    """One line of JSON, in which what steers a terminal is written as an escape.

    >>> json_text("\\x9b2J")
    '"\\\\u009b2J"\\n'
    """
    import orjson

    text = orjson.dumps(content, default=_plain, option=option | orjson.OPT_APPEND_NEWLINE).decode()
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def print_json(result: Any) -> None:
    """One JSON object or array, in UTF-8, and a line end."""
    import orjson

    plain = result.as_dict() if hasattr(result, "as_dict") else result
    stream = stdout().file
    stream.write(json_text(plain, orjson.OPT_INDENT_2))
    stream.flush()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(type(value))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table; a column whose name ends in `>` is set to the right, which numbers are."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column.endswith(">")
        drawn.add_column(column.rstrip(">"), justify="right" if right else "left", no_wrap=right)
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    return drawn


def _cell(value: Any) -> str:
    from rich.markup import escape

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return "" if value is None else escape(visible(str(value)))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
