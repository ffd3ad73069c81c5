"""How a merge is shown: what was written, how far the models are apart, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from chejil import terminal
from chejil.training.tuning.merging import Merged


def merged(found: Merged) -> Iterator[RenderableType]:
    """Lines and tables."""
    layers = f"{found.adapted_layers} layers of rank {found.rank}"
    yield f"{found.adapter} ({layers}) merged into {found.base}: {found.out}, weights in {found.dtype}"
    yield f"parameters: {found.parameters:,}; logits compared at {found.places} places, in fp32"
    rows = [
        (one.what, f"{one.largest:.2e}", f"{one.mean:.2e}", f"{one.same_token:.1%}")
        for one in found.differences
    ]
    yield terminal.table(("logits", "largest>", "mean>", "same likeliest token>"), rows)
    files = [(name, one["bytes"], one["hash"]) for name, one in found.files.items()]
    yield terminal.table(("file", "bytes>", "xxh3-128"), files)
    for line in found.notes:
        yield f"note: {line}"
