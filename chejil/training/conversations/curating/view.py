"""How curated conversations are drawn in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from chejil import terminal
from chejil.training.conversations.conversation import REASONS
from chejil.training.conversations.curating.counts import Curated


def curated(found: Curated) -> Iterator[RenderableType]:
    """Tables of files and of reasons, what was masked and found, and where all of it stands."""
    yield _files(found)
    if found.dropped:
        yield terminal.table(["dropped, by first reason", "conversations>"], list(found.dropped.items()))
    if found.quarantined:
        rows = [(reason, count, REASONS.get(reason)) for reason, count in found.quarantined.items()]
        yield terminal.table(["quarantined", "count>", "what it is"], rows)
    spans = [
        (name, rule, count) for name, one in found.edited.items() for rule, count in one["spans"].items()
    ]
    if spans:
        yield terminal.table(["edited by", "rule", "spans>"], spans)
    if found.not_compared:
        names = ", ".join(found.not_compared)
        yield f"not compared with {names}: --evals FOLDER says where evaluation sets lie"
    dropped, quarantined = sum(found.dropped.values()), sum(found.quarantined.values())
    yield f"{found.read:,} read = {found.kept:,} kept + {dropped:,} dropped + {quarantined:,} quarantined"
    if not found.units_done:
        yield "nothing to do: everything is done for these files and this recipe"
    yield f"conversations: {found.out}/conversations; report: {found.out}/run/report.html"


def _files(found: Curated) -> RenderableType:
    rows: list[tuple] = [
        (
            file.file,
            file.read,
            file.kept,
            file.dropped,
            file.quarantined,
            file.failed or ("not to its end" if file.is_torn else ""),
        )
        for file in found.files
    ]
    if len(rows) > 1:
        rows.append(("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:5]), ""))
    return terminal.table(["file", "read>", "kept>", "dropped>", "quarantined>", "unread"], rows)
