"""What a measurement shows: documents, bytes and bits per byte by domain, then what is to be known of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import RenderableType

from chejil import terminal
from chejil.eval import comparison, measures
from chejil.eval.bits.run import Measured
from chejil.eval.comparison_view import rounded
from chejil.eval.results import BITS, BYTES, NATS, TaskResult
from chejil.tokenizer import corpus

_HEADS = ("documents of", "documents>", "bytes>", "bytes/token>", "bits/byte>", "±>")


@dataclass(frozen=True)
class DomainBits:
    """Bits per byte of a domain, of a language, or of all (`all`); the error is by bootstrap over documents.

    `with_ends` counts the nats of the documents' ends, too, as `chejil pretrain` does.
    """

    name: str
    documents: int
    bytes: int
    tokens: int
    bits_per_byte: float | None
    error: float | None
    with_ends: float | None


@dataclass(frozen=True)
class ShownBits:
    """A measurement for people and programs; `mean_over_domains` is unweighted, `all` among the domains is by bytes."""

    path: str | None
    model: str
    context: int
    stride: int
    begin: str
    domains: tuple[DomainBits, ...]
    mean_over_domains: float | None
    mean_error: float | None
    units_kept: int
    notes: tuple[str, ...]


def shown(found: Measured) -> ShownBits:
    """What there is to show, in the process that has the result."""
    assert found.result is not None
    result, settings = measures.with_pooled(found.result), found.result.settings
    compared = comparison.compare({result.model.name: found.result})
    values = {
        measures.task_of(row): value
        for table in compared.tables
        for row, value in zip(table.rows, table.columns[0].values, strict=True)
    }
    mean = next(table.columns[0].mean for table in compared.tables if table.name == measures.DOMAINS)
    return ShownBits(
        found.path, result.model.name, int(settings["context"] or 0), int(settings["stride"] or 0),
        str(settings["begin"]), tuple(_row(task, values[task.task]) for task in result.tasks), mean.value,
        mean.error, found.kept, tuple(_notes(found)),
    )  # fmt: skip


def _row(task: TaskResult, value: comparison.Value) -> DomainBits:
    num_bytes, tokens = (int(sum(item.scores[name] for item in task.items)) for name in (BYTES, "tokens"))
    nats = math.fsum(item.scores[name] for item in task.items for name in (NATS, "end_nats"))
    ends = nats / math.log(2) / num_bytes if num_bytes else None
    return DomainBits(task.task, len(task.items), num_bytes, tokens, value.value, value.error, ends)


def _notes(found: Measured) -> Iterator[str]:
    assert found.result is not None
    empty = sum(not item.scores[BYTES] for task in found.result.tasks for item in task.items)
    if empty:
        yield f"{empty:,} empty documents count nothing"
    if found.rejected:
        yield f"records that are no documents: {corpus.told(found.rejected)}"
    for name, number in found.unknown.items():
        yield (
            f"{name}: {number:,} unknown tokens; they stand for text that is not predicted, so the bits are too few"
        )


def tables(found: ShownBits) -> Iterator[RenderableType]:
    """The table, then lines."""
    rows = [
        (
            one.name, f"{one.documents:,}", f"{one.bytes:,}", rounded(one.bytes / max(1, one.tokens), 2),
            rounded(one.bits_per_byte, 4), rounded(one.error, 4),
        )
        for one in found.domains
    ]  # fmt: skip
    yield f"{found.model}: {BITS.replace('_', ' ')}"
    yield terminal.table(_HEADS, rows)
    yield f"mean over domains, each the same: {rounded(found.mean_over_domains, 4)}±{rounded(found.mean_error, 4)}"
    yield f"windows of {found.context:,} tokens, {found.stride:,} apart; documents begin with {found.begin}"
    yield from (f"note: {note}" for note in found.notes)
    yield f"written: {found.path}"
