"""The report of a run: one self-contained HTML file, no script, no request to anywhere.

It holds what the manifest holds and nothing that differs between two runs, so it is compared byte for byte like
every other file of a run.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chejil.curation.manifest import Manifest

PATH = "report.html"

Rows = Iterable[Mapping[str, Any]]


def page(run: Manifest) -> str:
    """The whole page."""
    style = (resources.files("chejil.curation") / "report.css").read_text("utf-8")
    parts = [
        _head(run),
        _funnel(run),
        _by_source(run),
        _reasons(run),
        _contamination(run),
        _changes(run),
        _edits(run),
        *(_shared(run, name) for name in run.shared),
        _quarantine(run),
        _foot(run),
    ]
    title = html.escape(f"{run.name} · Chejil")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>\n{style}</style></head>\n'
        f"<body><main>\n{''.join(parts)}</main></body></html>\n"
    )


def totals(
    rows: Rows, *by: str, where: Callable[[Mapping[str, Any]], bool] = lambda row: True
) -> dict[tuple, Counter]:
    """Documents and bytes of funnel rows, added up by columns; the keys in order of their bytes, largest first."""
    sums: dict[tuple, Counter] = {}
    for row in rows:
        if where(row):
            key = tuple(row[column] for column in by)
            sums.setdefault(key, Counter()).update(documents=row["documents"], bytes=row["bytes"])
    return dict(sorted(sums.items(), key=lambda item: (-item[1]["bytes"], str(item[0]))))


def megabytes(number: float) -> str:
    """Bytes as people read them.

    >>> megabytes(1_234_567), megabytes(999)
    ('1.2 MB', '1.0 kB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number / 1e3:,.1f} kB"


def share(part: float, whole: float) -> str:
    """A percentage, a dash of nothing.

    >>> share(1, 8), share(0, 0)
    ('12.5 %', '–')
    """
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _head(run: Manifest) -> str:
    kept = sum(row["bytes"] for row in run.funnel if row["reason"] is None)
    every = sum(row["bytes"] for row in run.funnel)
    tiles = [
        (f"{run.documents:,}", "documents read"),
        (f"{run.kept:,}", f"kept ({share(run.kept, run.documents)})"),
        (megabytes(kept), f"of text kept ({share(kept, every)})"),
        (f"{run.quarantined.total():,}", "records quarantined"),
    ]
    cells = "".join(f"<div><b>{value}</b><span>{label}</span></div>" for value, label in tiles)
    failed = "".join(
        f"<li><code>{html.escape(e['shard'])}</code> {html.escape(e['what'])}</li>" for e in run.failed
    )
    stopped = (
        f'<section class="stopped"><h2>Shards that stopped</h2><ul>{failed}</ul></section>' if failed else ""
    )
    about = f"<p>{html.escape(run.about)}</p>" if run.about else ""
    return f'<h1>{html.escape(run.name)}</h1>{about}<div class="tiles">{cells}</div>{stopped}\n'


def _funnel(run: Manifest) -> str:
    """What is left after each kind of reason, in the order of the recipe."""
    steps = totals(run.funnel, "reason", where=lambda row: row["reason"] is not None)
    groups: dict[str, Counter] = {}
    for (reason,), counts in steps.items():
        groups.setdefault(reason_group(reason), Counter()).update(counts)
    left, rows = run.documents, [("read", run.documents, 0)]
    for name in (group for stage in run.stages for group in GROUPS.get(stage["name"], ())):
        if name in groups:
            left -= groups[name]["documents"]
            rows.append((f"after {name}", left, groups[name]["documents"]))
    body = "".join(
        f"<tr><td>{label}</td><td class=n>{docs:,}</td><td class=n>{f'−{gone:,}' if gone else ''}</td>"
        f"<td class=w>{_bar(docs, run.documents)}</td></tr>"
        for label, docs, gone in rows
    )
    return _section("Funnel", ("", "documents>", "dropped>", ""), body)


GROUPS = {
    "filter/verdicts": ("empty", "blocklists", "language", "bounds", "rules"),
    "exact_dedup/verdicts": ("exact duplicates",),
    "near_dedup/verdicts": ("near duplicates",),
    "decontaminate/verdicts": ("evaluation texts",),
    "line_dedup/verdicts": ("emptied by line_dedup",),
    "substring_dedup/verdicts": ("emptied by substring_dedup",),
}
"""Kinds of reasons that a stage gives, in its order."""


def reason_group(reason: str) -> str:
    """The kind of a reason.

    >>> reason_group("num_words:low"), reason_group("duplicate:near")
    ('bounds', 'near duplicates')
    """
    kind, _, rest = reason.partition(":")
    return {
        "empty": "empty",
        "url": "blocklists",
        "language": "language",
        "rule": "rules",
        "duplicate": f"{rest} duplicates",
        "contaminated": "evaluation texts",
        "emptied": f"emptied by {rest}",
    }.get(kind, "bounds")


def _by_source(run: Manifest) -> str:
    every = totals(run.funnel, "source", "lang")
    kept = totals(run.funnel, "source", "lang", where=lambda row: row["reason"] is None)
    body = ""
    for (source, lang), counts in every.items():
        left = kept.get((source, lang), Counter())
        body += (
            f"<tr><td>{html.escape(source)}</td><td>{lang or 'unknown'}</td><td class=n>{counts['documents']:,}</td>"
            f"<td class=n>{left['documents']:,}</td><td class=n>{share(left['documents'], counts['documents'])}</td>"
            f"<td class=n>{megabytes(counts['bytes'])}</td><td class=n>{megabytes(left['bytes'])}</td>"
            f"<td class=w>{_bar(left['bytes'], counts['bytes'])}</td></tr>"
        )
    columns = ("source", "language", "documents>", "kept>", "", "text>", "kept>", "share of text kept")
    return _section("By source and language", columns, body)


def _reasons(run: Manifest) -> str:
    dropped = totals(run.funnel, "reason", where=lambda row: row["reason"] is not None)
    most = max((counts["documents"] for counts in dropped.values()), default=0)
    body = "".join(
        f"<tr><td><code>{html.escape(reason)}</code></td><td class=n>{counts['documents']:,}</td>"
        f"<td class=n>{share(counts['documents'], run.documents)}</td><td class=n>{megabytes(counts['bytes'])}</td>"
        f"<td class=w>{_bar(counts['documents'], most)}</td></tr>"
        for (reason,), counts in sorted(dropped.items(), key=lambda item: (-item[1]["documents"], item[0]))
    )
    return _section("Dropped, by first reason", ("reason", "documents>", "of all>", "text>", ""), body)


def _contamination(run: Manifest) -> str:
    body = "".join(
        f"<tr><td>{html.escape(task)}</td><td class=n>{found['items']:,}</td><td class=n>{found['items_found']:,}</td>"
        f"<td class=n>{share(found['items_found'], found['items'])}</td><td class=n>{found['documents']:,}</td>"
        f"<td class=n>{found['items_common']:,}</td></tr>"
        for task, found in run.contamination.items()
    )
    columns = ("task", "items>", "found>", "", "in documents>", "common sentences>")
    return _section("Evaluation texts in documents", columns, body)


def _changes(run: Manifest) -> str:
    changed: Counter[str] = Counter()
    for entry in run.inputs:
        changed.update(entry["changed"])
    body = "".join(
        f"<tr><td>{kind}</td><td class=n>{count:,}</td><td class=n>{share(count, run.documents)}</td></tr>"
        for kind, count in changed.most_common()
        if count
    )
    return _section("Documents changed by normalising, by kind", ("kind", "documents>", "of all>"), body)


def _edits(run: Manifest) -> str:
    """Spans that transforms changed, by rule."""
    body = "".join(
        f"<tr><td>{transform}</td><td>{rule}</td><td class=n>{count:,}</td></tr>"
        for transform, edited in run.edited.items()
        for rule, count in sorted(edited["spans"].items(), key=lambda item: -item[1])
    )
    changed = ", ".join(f"{name} {edited['documents']:,}" for name, edited in run.edited.items())
    return _section(f"Text changed in documents ({changed})", ("transform", "rule", "spans>"), body)


def _shared(run: Manifest, name: str) -> str:
    """Which sources have documents of which others."""
    table = run.shared[name]
    others = sorted({other for row in table.values() for other in row})
    every = {source: counts["documents"] for (source,), counts in totals(run.funnel, "source").items()}
    body = "".join(
        f"<tr><td>{html.escape(source)}</td>{_shared_cells(row, others, every.get(source))}</tr>"
        for source, row in table.items()
    )
    title = f"Documents of a source that another has too, {name.replace('_dedup', '')} duplicates, whether kept or not"
    return _section(title, ("of", *(f"in {html.escape(other)}>" for other in others)), body)


def _shared_cells(row: Mapping[str, int], others: Iterable[str], every: int | None) -> str:
    counts = ((row.get(other, 0), share(row.get(other, 0), every) if every else "") for other in others)
    return "".join(
        f"<td class=n>{f'{count:,} <small>{of}</small>' if count else ''}</td>" for count, of in counts
    )


def _quarantine(run: Manifest) -> str:
    body = "".join(
        f"<tr><td><code>{reason}</code></td><td class=n>{count:,}</td></tr>"
        for reason, count in run.quarantined.most_common()
    )
    return _section("Quarantine: records that are no documents", ("reason", "records>"), body)


def _foot(run: Manifest) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(run.versions.items()))
    return f"<footer>{html.escape(versions)}</footer>\n"


def _section(title: str, columns: Iterable[str], body: str) -> str:
    if not body:
        return ""
    head = "".join(f"<th class=n>{c[:-1]}</th>" if c.endswith(">") else f"<th>{c}</th>" for c in columns)
    return f"<section><h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></section>\n"


def _bar(part: float, whole: float) -> str:
    return f'<i style="width:{100 * part / whole:.2f}%"></i>' if part else ""
