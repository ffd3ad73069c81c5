"""How an export is shown: what was written, how a text begins, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from chejil import terminal
from chejil.training.exporting.export import Exported


def exported(found: Exported) -> Iterator[RenderableType]:
    """Lines and a table."""
    counts = ", ".join(f"{count:,} ({name})" for name, count in found.parameters.items())
    yield f"{found.training}, step {found.step:,}: {found.out}, weights in {found.dtype}"
    yield f"parameters: {counts}"
    begins = "nothing in front" if found.begins_with is None else f"{found.begins_with} in front"
    yield f"texts: {begins}, {found.ends_with or 'nothing'} behind; rows without a token: {found.unused_rows:,}"
    rows = [(name, one["bytes"], one["hash"]) for name, one in found.files.items()]
    yield terminal.table(("file", "bytes>", "xxh3-128"), rows)
    for line in found.warnings:
        yield f"warning: {line}"
