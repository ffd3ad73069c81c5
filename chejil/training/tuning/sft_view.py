"""What a fine-tuning reads and comes to, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import RenderableType

from chejil.terminal import table
from chejil.training.conversations import conversation_view
from chejil.training.loop.record_lines import number
from chejil.training.tuning.sft_data import SftData


def data(found: SftData) -> Iterable[RenderableType]:
    """Counts, the audit and its sample."""
    counts = found.counts()
    learnt, tokens = counts["learnt_tokens"], counts["tokens"]
    yield (
        f"{counts['conversations']:,} conversations, {tokens:,} tokens, {learnt:,} learnt ({learnt / tokens:.1%}); "
        f"{counts['held_out']:,} held out, {counts['measured']:,} of them measured"
    )
    if counts["cut"]:
        yield f"{counts['cut']:,} conversations are cut to the context"
    if counts["left_out"]:
        yield table(["left out", "count>"], list(counts["left_out"].items()))
    for name in found.torn:
        yield f"not read to its end: {name}"
    yield from conversation_view.audit(found.audit)


def result(done: Mapping[str, Any]) -> Iterable[RenderableType]:
    """What `sft` returns."""
    yield f"{done['name']}: {done['step']:,} of {done['num_steps']:,} steps, in {done['folder']}"
    if done["step"] == done["from_step"]:
        yield "nothing was left to train"
    if done["stopped_by"]:
        yield f"stopped by {done['stopped_by']}; the same command goes on from the checkpoint of step {done['step']:,}"
        return
    held = done["held_out"]
    if held:
        before = held["languages_before"] or {}
        rows = [
            (name, number(before.get(name, {}).get("loss"), 4), number(part["loss"], 4), part["num_tokens"])
            for name, part in held["languages"].items()
        ]
        whole = ("all", number(held["before"], 4), number(held["loss"], 4), held["num_tokens"])
        yield table([f"held out, best at step {held['step']:,}", "base>", "now>", "tokens>"], [*rows, whole])
        if held["before"] is not None and held["loss"] is not None and held["loss"] > held["before"]:
            yield "worse than the base: a lower schedule.learning_rate, or fewer epochs"
    kind = "model" if "model" in done else "adapter"
    yield f"{kind}: {done[kind]}"
