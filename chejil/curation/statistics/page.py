"""Statistics as one self-contained page in the style of a run's report: no script, no request to anywhere.

Histograms are SVG, a path each (300 bytes): of all documents, and over it of those that the run kept. Groups fold out
below a column; the summary of each is a `details` element, which the keyboard opens.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from chejil.curation.report import megabytes, share
from chejil.curation.reporting.layout import document
from chejil.curation.statistics import footers
from chejil.curation.statistics.statistics import TOP, Statistics, Values
from chejil.curation.statistics.view import (
    GROUPS,
    by_year,
    ends,
    kept_of,
    listings,
    middle,
    nulls,
    shown,
    size_columns,
    unit,
)

_WIDTH, _HEIGHT = 192, 34
_STYLE = """svg { display: block; width: 9rem; height: 2rem; }
.all { fill: var(--line); } .only, .kept { fill: var(--bar); }
summary { cursor: pointer; color: var(--soft); font-size: .85rem; }
caption { text-align: left; color: var(--soft); font-size: .8rem; }
"""


def page(found: Statistics) -> str:
    """The whole page."""
    parts = [
        _head(found),
        _groups(found),
        _duplicates(found),
        *_listings(found),
        _years(found),
        _columns(found),
        _files(found),
    ]
    return document(", ".join(found.paths), "".join(parts), _STYLE)


def _head(found: Statistics) -> str:
    total = found.total
    tiles = [(f"{total.documents:,}", "documents")]
    if total.kept is not None:
        tiles.append((f"{total.kept:,}", kept_of(total)))
    tiles += [(megabytes(total.bytes), "of text")] if total.bytes is not None else []
    tiles += [(f"{total.words:,}", "words (eojeol)")] if total.words is not None else []
    if total.bytes_per_token is not None:
        sample = found.settings.share_tokenized
        said = "tokens" if sample >= 1 else f"tokens, from a sample of {sample:.2%}"
        tiles += [(f"{total.tokens:,}", said), (f"{total.bytes_per_token:.3f}", "bytes a token")]
    cells = "".join(f"<div><b>{value}</b><span>{label}</span></div>" for value, label in tiles)
    stopped_files = [(row["file"], row["what"]) for row in found.failed]
    stopped_files += [(name, "its compressed stream ends or breaks too early") for name in found.torn]
    failed = "".join(
        f"<li><code>{html.escape(file)}</code> {html.escape(what)}</li>" for file, what in stopped_files
    )
    stopped = (
        f'<section class="stopped"><h2>Files that stopped</h2><ul>{failed}</ul></section>' if failed else ""
    )
    return f'<h1>{html.escape(", ".join(found.paths))}</h1><div class="tiles">{cells}</div>{stopped}\n'


def _groups(found: Statistics) -> str:
    sizes = size_columns(found)
    rows = [
        [*(shown(v, name) for name, v in g.values.items()), *(getattr(g, name) for name, _ in sizes)]
        for g in found.groups
    ]
    heads = [*found.settings.by, *(title for _, title in sizes)]
    return _section(f"By {' and '.join(found.settings.by)}", heads, rows)


def _duplicates(found: Statistics) -> str:
    rows = [
        (kind, d["clusters"], d["documents"], d["copies"], f"{d['share']:.2%}", d["dropped"], d["largest"])
        for kind, d in ((kind.replace("_", " "), d) for kind, d in found.duplicates.items())
    ]
    heads = ("", "clusters>", "documents>", "more than one>", "share>", "dropped>", "largest cluster>")
    return _section("Duplicates", heads, rows)


def _listings(found: Statistics) -> Iterator[str]:
    for title, rows, different in listings(found, TOP):
        every = found.documents
        cells = [(shown(name, title), documents, share(documents, every)) for name, documents in rows]
        yield _section(
            f"{title[0].upper()}{title[1:]}: {different:,} different", (title, "documents>", "share>"), cells
        )


def _years(found: Statistics) -> str:
    years = by_year(found)
    if not set(years) - {"–"}:
        return ""
    rows = [
        (year, sum(months), _Raw(_svg([(months, "only")] if len(months) == 12 else [], f"{year} by month")))
        for year, months in years.items()
    ]
    return _section("Dates", ("year", "documents>", "by month"), rows)


def _columns(found: Statistics) -> str:
    rows = "".join(_column(found, name) for name in found.names)
    heads = (
        "column",
        "per",
        "null>",
        "5 %>",
        "median>",
        "95 %>",
        "mean>",
        "from",
        "all, and kept" if found.is_run else "",
        "to",
    )
    head = _cells(heads, head=True)
    table = f"<table><thead>{head}</thead>{rows}</table>"
    return f"<section><h2>Columns of numbers</h2>{table}</section>\n" if rows else ""


def _title(values: Values) -> str:
    return " / ".join(shown(value, name) for name, value in values.items())


def _column(found: Statistics, name: str) -> str:
    """A body of a table: the column, and below it the groups on the same scale."""
    edges, scale = found.summary(name).edges()
    body = _cells(_row(found, name, name, {}, edges, scale))
    if len(found.groups) > 1 and edges:
        rows = "".join(
            _cells(
                _row(
                    found,
                    name,
                    _title(g.values),
                    g.values,
                    edges,
                    scale,
                )
            )
            for g in found.groups[:GROUPS]
        )
        title = html.escape(f"by {', '.join(found.settings.by)}")
        folded = f"<details><summary>{title}</summary><table>{rows}</table></details>"
        body += f"<tr><td colspan=10>{folded}</td></tr>"
    return f"<tbody>{body}</tbody>"


def _row(
    found: Statistics, name: str, title: str, values: Values, edges: tuple[float, ...], scale: str
) -> tuple[Any, ...]:
    summary = found.summary(name, values)
    low, high, layers = "", "", []
    if edges:
        layers = [(summary.histogram(edges, scale).counts, "all" if found.is_run else "only")]
        low, high = (f"{end:,.4g}" for end in ends(edges, scale, summary))
    if edges and found.is_run:
        layers.append((found.summary(name, values, kept=True).histogram(edges, scale).counts, "kept"))
    drawn = _Raw(_svg(layers, f"histogram of {name}" + (f": {title}" if values else "")))
    scaled = f"{high} (log)" if scale == "log" else high
    return title, unit(name), nulls(summary), *middle(summary), low, drawn, scaled


class _Raw(str):
    """What is HTML already."""


def _svg(layers: Sequence[tuple[Sequence[int], str]], label: str) -> str:
    """Bars as one path a layer, all on the scale of the largest."""
    most = max((max(counts, default=0) for counts, _ in layers), default=0)
    if not most:
        return ""
    paths = "".join(f'<path class="{kind}" d="{_bars(counts, most)}"/>' for counts, kind in layers)
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none"'
    return f'<svg {box} role="img" aria-label="{html.escape(label)}">{paths}</svg>'


def _bars(counts: Sequence[int], most: int) -> str:
    width = _WIDTH / len(counts)
    return "".join(
        f"M{place * width:.1f} {_HEIGHT}v-{max(1.0, _HEIGHT * count / most):.1f}h{width - 0.6:.1f}V{_HEIGHT}z"
        for place, count in enumerate(counts)
        if count
    )


def _files(found: Statistics) -> str:
    sizes = footers.sizes(found.part.files)
    named = (("file_bytes", "files, bytes"), ("file_rows", "files, rows"),
             ("row_group_rows", "row groups, rows"), ("row_group_bytes", "row groups, bytes unpacked"))  # fmt: skip
    rows = [(title, *sizes[name].values()) for name, title in named if sizes[name]]
    what = "clean shards" if found.kind == "run" else "files"
    title = f"{sizes['files']:,} {what}, {megabytes(sizes['bytes'])}, {sizes['row_groups']:,} row groups"
    differ = [
        (
            d["column"],
            d["type"] or "missing",
            d["other"] or "missing",
            len(d["files"]),
            ", ".join(d["files"][:GROUPS]),
        )
        for d in footers.differences(found.part.files)
    ]
    heads = ("column", "in most files", "in others", "files>", "these")
    return _section(title, ("", "smallest>", "median>", "largest>"), rows) + _section(
        "Schemas that differ", heads, differ
    )


def _section(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    right = [head.endswith(">") for head in heads]
    body = "".join(_cells(row, right) for row in rows)
    if not body:
        return ""
    table = f"<table><thead>{_cells(heads, head=True)}</thead><tbody>{body}</tbody></table>"
    return f"<section><h2>{html.escape(title)}</h2>{table}</section>\n"


def _cells(values: Sequence[Any], right: Sequence[bool] | None = None, head: bool = False) -> str:
    tag = "th" if head else "td"
    cells: list[str] = []
    for value in values:
        is_number = isinstance(value, int | float) or (head and str(value).endswith(">"))
        name = " class=n" if is_number or (right is not None and right[len(cells)]) else ""
        cells.append(f"<{tag}{name}>{_cell(value.rstrip('>') if head else value)}</{tag}>")
    return f"<tr>{''.join(cells)}</tr>"


def _cell(value: Any) -> str:
    if isinstance(value, _Raw):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return "" if value is None else html.escape(str(value))
