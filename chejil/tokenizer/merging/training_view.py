"""How trained and extended tokenizers are shown on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType

from chejil import terminal
from chejil.tokenizer import corpus
from chejil.tokenizer.merging.training import Trained


def trained(rows: Sequence[Trained]) -> Iterator[RenderableType]:
    """A line a tokenizer."""
    columns = ("tokenizer", "tokens>", "with reserved>", "merges>", "count of the last>", "hash")
    yield terminal.table(
        columns,
        ((row.folder, row.tokens, row.size, row.merges, row.last_count, row.hash[:12]) for row in rows),
    )


def extended(content: dict[str, Any]) -> Iterator[RenderableType]:
    """What was added, what it brought, and what the model needs."""
    rows = [
        (f"tokens per {kind}", content["before"][kind], content["after"][kind])
        for kind in ("eojeol", "word")
        if content["before"][kind] is not None
    ]
    yield terminal.table(
        ("", "before>", "after>"), [("tokens", content["base_size"], content["size"]), *rows]
    )
    yield (
        f"added: {content['characters']:,} characters, {content['merges']:,} merges, "
        f"{content['reserved']:,} reserved tokens"
    )
    yield f"the model's embedding must grow by {content['new_rows']:,} rows, from {content['model_rows']:,}"
    if content["rejected"]:
        yield f"no documents: {corpus.told(content['rejected'])}"
    yield f"written to {content['folder']}"
