"""How trained and extended tokenizers are shown on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType

from chejil import terminal
from chejil.tokenizer.training import Trained


def trained(rows: Sequence[Trained]) -> Iterator[RenderableType]:
    """A line a tokenizer."""
    columns = ("tokenizer", "tokens>", "with reserved>", "merges>", "count of the last>", "hash")
    yield terminal.table(
        columns,
        ((row.folder, row.tokens, row.size, row.merges, row.last_count, row.hash[:12]) for row in rows),
    )
