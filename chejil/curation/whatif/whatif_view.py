"""What the terminal shows of an answer: what changes, by source and language and by reason, and each rule alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.cells import chop_cells
from rich.console import RenderableType

from chejil.curation.report import megabytes, share
from chejil.curation.whatif.answer import Answer
from chejil.curation.whatif.sampling import Sample
from chejil.terminal import table, visible

_MAX_RULES = 25
_MAX_OVERLAPS = 8
_TEXT_CELLS = 96  # columns on the screen; a Hangul syllable takes two


def answer(found: Answer) -> Iterator[RenderableType]:
    """The tables, the samples, the notes."""
    yield from _changes(found)
    yield _by_source(found)
    yield from _tokens(found)
    if found.risen:
        yield _by_reason("newly kept, by first reason before", found.risen)
    if found.fallen:
        yield _by_reason("newly dropped, by first reason", found.fallen)
    yield from _rules(found)
    yield from _overlaps(found)
    for sample in found.samples:
        yield _sample(sample)
    yield from (f"note: {note}" for note in found.notes)
    total = found.total
    tokens = (
        f"; {total['tokens_before']:,} tokens, then {total['tokens_after']:,}" if found.has_tokens else ""
    )
    yield (
        f"{total['documents']:,} documents: {total['kept_before']:,} kept, then {total['kept_after']:,} "
        f"(+{total['newly_kept']:,} −{total['newly_dropped']:,}); text kept {megabytes(total['bytes_before'])}, "
        f"then {megabytes(total['bytes_after'])}{tokens}"
    )


def _changes(found: Answer) -> Iterator[RenderableType]:
    if not found.changes:
        yield "the filter is that of the run: nothing changes"
        return
    rows = [(row["what"], row["before"] or "–", row["after"] or "–") for row in found.changes]
    yield table(("filter", "before", "after"), rows)


def _by_source(found: Answer) -> RenderableType:
    rows = [
        (
            row["source"], row["lang"], row["documents"], row["kept_before"], row["kept_after"],
            share(row["kept_after"], row["documents"]), row["newly_kept"], row["newly_dropped"],
            megabytes(row["bytes"]), megabytes(row["bytes_before"]), megabytes(row["bytes_after"]),
        )
        for row in found.groups
    ]  # fmt: skip
    columns = (
        "source", "language", "documents>", "kept>", "then>", "share>", "new>", "lost>", "text>", "kept>", "then>",
    )  # fmt: skip
    return table(columns, rows)


def _tokens(found: Answer) -> Iterator[RenderableType]:
    """Tokens by source and language, where the run has counted them."""
    if not found.has_tokens:
        return
    names = ("tokens", "tokens_before", "tokens_after", "tokens_newly_kept", "tokens_newly_dropped")
    rows = [
        (row["source"], row["lang"], *(row[name] for name in names),
         share(row["tokens_after"], found.total["tokens_after"]))
        for row in found.groups
    ]  # fmt: skip
    columns = ("source", "language", "tokens>", "kept>", "then>", "new>", "lost>", "of all then>")
    yield table(columns, rows)


def _by_reason(title: str, rows: list[dict[str, Any]]) -> RenderableType:
    total: dict[str, list[int]] = {}
    for row in rows:
        cell = total.setdefault(row["reason"], [0, 0])
        cell[0] += row["documents"]
        cell[1] += row["bytes"]
    ranked = sorted(total.items(), key=lambda item: (-item[1][0], item[0]))
    return table((title, "documents>", "text>"), [(name, n, megabytes(size)) for name, (n, size) in ranked])


def _rules(found: Answer) -> Iterator[RenderableType]:
    ranked = sorted(found.rules, key=lambda row: (-row["only"], -row["fails"], row["reason"], row["lang"]))
    rows = [
        (
            row["reason"], row["lang"], ", ".join(f"{edge['bound']:g}" for edge in row["bounds"]), row["fails"],
            row["only"], "–" if row["kept_without"] is None else f"{row['kept_without']:+,}", row["near_dropped"],
            row["near_kept"],
        )
        for row in ranked[:_MAX_RULES]
        if row["fails"] or row["near_kept"]
    ]  # fmt: skip
    if rows:
        columns = (
            "rule alone", "language", "bound>", "fails>", "only it>", "kept without>", "near, dropped>", "near, kept>",
        )  # fmt: skip
        yield table(columns, rows)
    if rows and len(ranked) > _MAX_RULES:
        yield f"{len(ranked) - _MAX_RULES} more rules, which alone drop no more than these: --json has all"


def _overlaps(found: Answer) -> Iterator[RenderableType]:
    names, matrix = found.overlap["reasons"], found.overlap["documents"]
    top = sorted(range(len(names)), key=lambda at: -matrix[at][at])[:_MAX_OVERLAPS]
    if len(top) > 1:
        rows = [(f"{n} {names[one]}", *(matrix[one][other] for other in top)) for n, one in enumerate(top, 1)]
        yield table(("fail for both", *(f"{number}>" for number in range(1, len(top) + 1))), rows)


def _sample(sample: Sample) -> str:
    head = (
        f"{'newly kept' if sample.is_kept else 'newly dropped'}: {sample.id} ({sample.source}, {sample.lang})"
    )
    changes = [f"  {_change(change)}" for change in sample.changes]
    text = visible(" ".join(sample.text.split()))
    return "\n".join([head, *changes, *(f"  │ {line}" for line in chop_cells(text, _TEXT_CELLS))])


def _change(change: dict[str, Any]) -> str:
    sign = "now" if change["is_new"] else "no longer"
    if "value" not in change:
        return f"{sign} {change['reason']}"
    value = "undefined" if change["value"] is None else f"{change['value']:,.4g}"
    return (
        f"{sign} {change['reason']}: {value}, bound {change['before'] or '–'}, then {change['after'] or '–'}"
    )
