"""What `chejil encode` has done, in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from chejil.curation.report import megabytes
from chejil.terminal import table
from chejil.tokenizer import corpus
from chejil.tokenizer.encoding.encoding import Encoded

GROUPS = 40
"""Sources and languages that are listed; JSON has all."""


def encoded(done: Encoded) -> Iterator[RenderableType]:
    """Sizes by source and language, and how fast it went."""
    content = done.content
    yield f"{done.root}: {content['documents']:,} documents, {content['tokens']:,} tokens of {content['dtype']}"
    rows = [
        (row["source"], row["lang"], row['documents'], row['tokens'], megabytes(row["bytes"]),
         f"{row['bytes_per_token']:.3f}")
        for row in content["groups"][:GROUPS]
    ]  # fmt: skip
    yield table(("source", "lang", "documents>", "tokens>", "text>", "bytes a token>"), rows)
    if len(content["groups"]) > GROUPS:
        yield f"and {len(content['groups']) - GROUPS} more"
    if content["rejected"]:
        yield f"no documents: {corpus.told(content['rejected'])}"
    yield _pace(done)
    yield from (f"stopped: {row['where'] or row['unit']}: {row['what']}" for row in content["failed"])


def _pace(done: Encoded) -> str:
    if not done.units:
        return "nothing was left to do"
    speed = done.num_bytes / 1e6 / done.seconds, done.tokens / done.seconds
    return f"now: {done.documents:,} documents in {done.seconds:.1f} s, {speed[0]:.1f} MB/s, {speed[1]:,.0f} tokens/s"
