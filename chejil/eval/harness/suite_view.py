"""What `chejil eval suite` shows of a suite that it has written."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from chejil import terminal
from chejil.eval.harness.suite_items import Written


def tables(found: Written) -> Iterator[RenderableType]:
    """Tasks, then what it costs and how it is used."""
    rows = [
        (name, f"{task['items']:,}", f"{task['of']:,}", ", ".join(task["metrics"]))
        for name, task in found.header["tasks"].items()
    ]
    yield terminal.table(("task", "items>", "of>", "metrics"), rows)
    yield f"{found.items:,} items, {found.candidates:,} candidates, {found.tokens:,} tokens each time"
    yield f"written: {found.path}; in a training's config: evaluation: {{suite: {found.path}}}"
