"""What the terminal shows of a comparison: what was told, what came of it, and samples of each change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from chejil.curation.browsing.reasons import number
from chejil.curation.comparison.comparison import KINDS, Comparison
from chejil.curation.comparison.own_changes import OwnChanges
from chejil.curation.report import megabytes
from chejil.terminal import table, visible

_MAX_ROWS = 40
_MAX_SPANS = 8
_MAX_CHARS = 160
_TITLES = {
    "newly_kept": "dropped in one, kept in the other",
    "newly_dropped": "kept in one, dropped in the other",
    "other_reason": "dropped in both, for another first reason",
    "only_one": "in the one run alone",
    "only_other": "in the other run alone",
    "text": "another text",
}


def comparison(found: Comparison) -> Iterator[RenderableType]:
    """Two runs."""
    columns = ("", "run", "name", "documents>", "kept>")
    yield table(columns, [(side, *getattr(found, side).values()) for side in ("one", "other")])
    yield from _told(found)
    yield from _verdicts(found)
    yield from _texts(found)
    for title, samples in _by_change(found.samples):
        yield from _samples(title, samples)
    same = found.unchanged
    yield (
        f"{found.documents['both']:,} documents in both: {same['kept']:,} kept "
        f"and {same['dropped']:,} dropped in both for the same reason"
    )
    if found.same:
        yield "nothing differs: the same documents, verdicts and texts"


def _told(found: Comparison) -> Iterator[RenderableType]:
    for rows, name in ((found.settings, "setting"), (found.versions, "package"), (found.inputs, "file")):
        if rows:
            cells = [(row[name], _value(row["one"]), _value(row["other"])) for row in rows]
            yield from _limited((name, "one", "other"), cells)
    differing = [row for row in found.folders if row["differ"] or row["only_one"] or row["only_other"]]
    if differing:
        columns = ("files of", "same>", "differ>", "only one>", "only other>")
        yield table(columns, [tuple(row.values()) for row in differing])


def _value(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    return "–" if value is None else str(value)


def _verdicts(found: Comparison) -> Iterator[RenderableType]:
    for kind in KINDS:
        rows = [row for row in found.verdicts if row["change"] == kind]
        if rows:
            rows.sort(key=lambda row: -row["documents"])
            cells = [
                (
                    row["source"],
                    _arrow(row, "lang"),
                    _arrow(row, "reason"),
                    row["documents"],
                    megabytes(row["bytes"]),
                )
                for row in rows
            ]
            yield from _limited((_TITLES[kind], "language", "first reason", "documents>", "text>"), cells)


def _arrow(row: Mapping[str, Any], name: str) -> str:
    absent = "unknown" if name == "lang" else "kept"
    one, other = row[f"{name}_one"], row[f"{name}_other"]
    if row["change"].startswith("only_"):
        return (one if row["change"] == "only_one" else other) or absent
    return (one or absent) if one == other else f"{one or absent} → {other or absent}"


def _texts(found: Comparison) -> Iterator[RenderableType]:
    if found.texts:
        cells = [
            (row["source"], row["lang"] or "unknown", row["both_kept"], row["documents"])
            for row in found.texts
        ]
        yield from _limited(("another text", "language", "kept in both", "documents>"), cells)
    edited = [row for row in found.edited if row["one"] != row["other"]]
    if edited:
        yield table(
            ("transform", "rule", "spans in one>", "in the other>"), [tuple(row.values()) for row in edited]
        )
    normalised = [row for row in found.normalised if row["one"] != row["other"]]
    if normalised:
        yield table(
            ("normalised", "documents in one>", "in the other>"), [tuple(row.values()) for row in normalised]
        )


def _limited(columns: tuple[str, ...], rows: list[tuple]) -> Iterator[RenderableType]:
    yield table(columns, rows[:_MAX_ROWS])
    if len(rows) > _MAX_ROWS:
        yield f"… {len(rows) - _MAX_ROWS:,} more rows; --json has all"


def _by_change(samples: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    order = sorted(samples, key=lambda one: (KINDS.index(one["change"]), one["reason"] or ""))
    for (kind, reason), group in groupby(order, key=lambda one: (one["change"], one["reason"])):
        yield f"{_TITLES[kind]}{f': {reason}' if reason else ''}", list(group)


def _samples(title: str, samples: Iterable[Mapping[str, Any]]) -> Iterator[RenderableType]:
    yield Text(visible(title), "bold")
    for sample in samples:
        yield Text(f"  {_line(sample['id'])}  {sample['source']} · {sample['lang'] or 'unknown'}")
        yield from (Text(f"    {_line(why)}", "cyan") for why in sample.get("why", ()))
        yield from _spans(sample.get("spans", ()))
        if not sample.get("spans"):
            yield Text(f"    │ {_line(sample['excerpt'])}", "bright_black")


def _spans(spans: Iterable[Mapping[str, Any]]) -> Iterator[Text]:
    spans = list(spans)
    for span in spans[:_MAX_SPANS]:
        line = Text(f"    {_line(', '.join(span['rules']))}", overflow="fold")
        line.append(f" (in {span['in']}) " if span["in"] in ("one", "other") else " ")
        line.append(f"[-{_line(span['before'])}-]" if span["before"] else "", "red")
        line.append(f"{{+{_line(span['after'])}+}}" if span["after"] else "", "green")
        yield line
    if len(spans) > _MAX_SPANS:
        yield Text(f"    … {len(spans) - _MAX_SPANS:,} more; --json has all")


def _line(text: str) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= _MAX_CHARS else f"{line[: _MAX_CHARS // 2]} … {line[-_MAX_CHARS // 2 :]}"


def own_changes(found: OwnChanges) -> Iterator[RenderableType]:
    """One run: before and after its transforms."""
    yield f"{found.run}: {found.changed:,} of {found.documents:,} documents changed by transforms"
    if found.edited:
        yield from _limited(("transform", "rule", "spans>"), [tuple(row.values()) for row in found.edited])
    if found.normalised:
        yield table(("normalised", "documents>"), [tuple(row.values()) for row in found.normalised])
    for transform, group in groupby(found.samples, key=lambda one: one["change"]):
        yield Text(visible(transform), "bold")
        for sample in group:
            yield Text(f"  {_line(sample['id'])}  {sample['source']} · {sample['lang'] or 'unknown'}")
            yield from _spans(sample["spans"])
