"""What a training came to, as tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import RenderableType

from chejil.terminal import table
from chejil.training.loop.record_lines import number


def result(done: dict[str, Any]) -> Iterable[RenderableType]:
    """What `pretrain` returns."""
    steps = f"{done['step']:,} of {done['num_steps']:,} steps, {done['tokens']:,} tokens"
    yield f"{done['name']}: {steps}, in {done['folder']}"
    if done["step"] == done["from_step"]:
        yield "nothing was left to do"
    if done["stopped_by"]:
        yield f"stopped by {done['stopped_by']}; the same command goes on from the checkpoint of step {done['step']:,}"
    measured = {**done.get("sources", {}), **done.get("languages", {})}
    if measured:
        rows = [(name, *_row(part)) for name, part in measured.items()]
        yield table(["held out", "bits/byte>", "loss>", "bytes>"], [*rows, ("all", *_row(done))])


def _row(part: dict[str, Any]) -> tuple[str, str, Any]:
    return number(part.get("bits_per_byte")), number(part.get("loss")), part.get("num_bytes")
