"""A mixture in a terminal: shares and epochs by source, the ledger, what caps changed, and warnings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType

from chejil import terminal
from chejil.training.mixing.mixing import Mix
from chejil.training.planning import ledger_view
from chejil.training.planning.ledger_view import short


def mix(found: Mix) -> Iterator[RenderableType]:
    """Tables and lines."""
    settings = found.settings
    stages = f", {len(found.mixture.stages)} stages" if len(found.mixture.stages) > 1 else ""
    yield f"{settings.name}: {short(settings.total_tokens)} tokens in rows of {settings.row_tokens:,}{stages}"
    yield terminal.table(
        (
            "source",
            "bytes>",
            "bytes %>",
            "tokens>",
            "tokens %>",
            "rows>",
            "bytes/token>",
            "epochs>",
            "effective>",
        ),
        [
            (
                row.source,
                short(row.tokens * row.bytes_per_token) if row.bytes_per_token else "?",
                f"{row.byte_share:.3%}",
                short(row.tokens),
                f"{row.token_share:.3%}",
                found.sequences[row.source],
                f"{row.bytes_per_token:.3f}" if row.bytes_per_token else "?",
                f"{row.epochs:.2f}" if row.epochs is not None else "?",
                short(row.effective_tokens) if row.effective_tokens is not None else "?",
            )
            for row in found.sources
        ],
    )
    if found.left_out:
        yield f"left out: {', '.join(found.left_out)}"
    for name, (asked, given) in found.changed.items():
        yield f"caps: {name} asked for {asked:.3%} of the bytes, has {given:.3%}"
    yield from ledger_view.ledger(found.ledger)
    yield from (f"warning: {warning}" for warning in found.warnings)


def sampled(content: dict[str, Any]) -> Iterator[RenderableType]:
    """The law of counts of sampled shards."""
    law = content["law"]
    yield terminal.table(
        ("source", "lang", "documents>", "copies>", "expected>", "±>", "z>", "text>", "written>"),
        [
            (
                row["source"], row["lang"], row["documents"], row["copies"], f"{row['expected_copies']:,.1f}",
                f"{row['standard_deviation']:.1f}", f"{row['z']:+.2f}", short(row["bytes"]),
                short(row["copied_bytes"]),
            )
            for row in content["groups"]
        ],
    )  # fmt: skip
    yield f"{law['documents']:,} documents, {law['copies']:,} copies of them ({law['expected_copies']:,.1f} expected)"
