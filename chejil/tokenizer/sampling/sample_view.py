"""How a sample is shown: a row a stratum, what was asked and what was met."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType

from chejil import terminal
from chejil.tokenizer import corpus


def summary(content: dict[str, Any], out: str) -> Iterator[RenderableType]:
    """Tables of the strata, and what was no document."""
    unit = content["settings"]["unit"]
    heads = ("source", "lang", "there>", "asked>", "allotted>", "documents>", "bytes>", "cut>")
    rows = [
        (
            row["source"], row["lang"], f"{row['available']:,}", f"{row['asked']:,}", f"{row['allotted']:,}",
            f"{row['docs']:,}", f"{row['bytes']:,}", f"{row['cut']:,}",
        )
        for row in content["strata"]
    ]  # fmt: skip
    total = {name: sum(row[name] for row in content["strata"]) for name in ("docs", "bytes", "cut")}
    sums = (f"{sum(row[name] for row in content['strata']):,}" for name in ("available", "asked", "allotted"))
    yield terminal.table(heads, [*rows, ("all", "", *sums, *(f"{value:,}" for value in total.values()))])
    yield f"there, asked and allotted are {'documents' if unit == 'docs' else 'bytes'}; " + _cut(content)
    short = [row for row in content["strata"] if row["allotted"] < row["asked"]]
    if short:
        told = ", ".join(f"{row['source']}/{row['lang']}" for row in short)
        yield f"smaller than their quotas: {told} ({content['settings']['shortfall']})"
    if content["rejected"]:
        yield "no documents: " + corpus.told(content["rejected"])
    yield f"written to {out}"


def _cut(content: dict[str, Any]) -> str:
    return f"cut: longer than {content['settings']['max_chars']:,} characters"
