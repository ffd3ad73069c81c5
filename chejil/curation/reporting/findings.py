"""What the stages found: duplicates and their clusters, evaluation texts, edited spans, normalising, quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chejil.curation.manifest import Manifest
from chejil.curation.report import share, totals
from chejil.curation.reporting import charts
from chejil.curation.reporting.excerpts import language_tag
from chejil.curation.reporting.layout import bar, code, excerpt, say, section, table, text, word

_MAX_SOURCES = 40
_MAX_TASKS = 300
_LINE_CHARS = 120
_CLASSES = ((2, 2), (3, 3), (4, 5), (6, 10), (11, 30), (31, 100), (101, 1000), (1001, None))


def duplicates(run: Manifest, clusters: Iterable[Sequence[Any]], samples: Iterable[Mapping[str, Any]]) -> str:
    """Cluster sizes, the largest clusters, and which sources share documents."""
    sizes: dict[str, Counter[int]] = {}
    for kind, size, documents in clusters:
        sizes.setdefault(kind, Counter())[size] += documents
    largest = [row for row in samples if row["kind"] == "cluster"]
    body = "".join(
        _clusters(kind, found, [row for row in largest if row["side"] == kind])
        for kind, found in sorted(sizes.items())
    )
    body += "".join(_shared(run, name) for name in run.shared)
    return section("duplicates", say("Duplicates"), body)


def _clusters(kind: str, sizes: Mapping[int, int], largest: Sequence[Mapping[str, Any]]) -> str:
    classes = [found for found in _in_classes(sizes) if found[1] or found[0] in ("2", "3", "4–5")]
    label = f"{kind} duplicates, clusters by size: " + ", ".join(
        f"{name}: {count:,}" for name, count, _ in classes
    )
    chart = charts.bars(label, [name for name, _, _ in classes], [count for _, count, _ in classes])
    rows = [(name, f"{count:,}", f"{documents:,}") for name, count, documents in classes if count]
    heads = (say("documents in the cluster"), f">{say('clusters')}", f">{say('documents')}")
    caption = say("{kind} duplicates: clusters by size; heights are logarithmic.", kind=word(kind))
    lines = [(f"{row['value']:,.0f}", text(row["source"]), _line(row)) for row in largest]
    note = say("The largest clusters of {kind} duplicates, a line of one document each.", kind=word(kind))
    listed = table(note, (f">{say('size')}", say("source"), say("text")), lines)
    return f"<div class=pair><figure>{chart}</figure>{table(caption, heads, rows)}</div>{listed}"


def _line(row: Mapping[str, Any]) -> str:
    plain = " ".join(row["text"].split())
    return f'<span class=t dir=auto lang="{language_tag(row["lang"])}">{excerpt(plain, _LINE_CHARS)}</span>'


def _in_classes(sizes: Mapping[int, int]) -> Iterator[tuple[str, int, int]]:
    """Name, clusters and documents of each class; a cluster that was cut by a shard that stopped counts as one."""
    for low, high in _CLASSES:
        mine = {
            size: documents
            for size, documents in sizes.items()
            if low <= size and (high is None or size <= high)
        }
        name = (
            f"{low}"
            if low == high
            else ("> 1k" if high is None else f"{low}–{'1k' if high == 1000 else high}")
        )
        yield name, sum(-(-documents // size) for size, documents in mine.items()), sum(mine.values())


def _shared(run: Manifest, name: str) -> str:
    """Which sources have documents of which others."""
    found = run.shared[name]
    others = sorted({other for row in found.values() for other in row})[:_MAX_SOURCES]
    every = {source: counts["documents"] for (source,), counts in totals(run.funnel, "source").items()}
    rows = [(text(source), *_shares(row, others, every.get(source))) for source, row in found.items()]
    title = say(
        "Documents of a source that another has too ({kind} duplicates), whether they were kept or not.",
        kind=word(name.replace("_dedup", "")),
    )
    return table(
        title,
        (say("documents of"), *(f">{say('in {name}', name=text(o))}" for o in others)),
        rows[:_MAX_SOURCES],
    )


def _shares(row: Mapping[str, int], others: Iterable[str], every: int | None) -> Iterator[str]:
    for other in others:
        count = row.get(other, 0)
        yield f"{count:,} <small>{share(count, every) if every else ''}</small>" if count else ""


def contamination(run: Manifest) -> str:
    """Evaluation items by task: how many were found in how many documents."""
    most = max((found["items_found"] for found in run.contamination.values()), default=0)
    rows = [
        (
            text(task),
            f"{found['items']:,}",
            f"{found['items_found']:,}",
            share(found["items_found"], found["items"]),
            bar(found["items_found"], most),
            f"{found['documents']:,}",
            f"{found['items_common']:,}",
        )
        for task, found in list(run.contamination.items())[:_MAX_TASKS]
    ]
    heads = [say("task"), f">{say('items')}", f">{say('found')}", f">{say('share')}", "|"]
    heads += (f">{say('in documents')}", f">{say('common sentences')}")
    note = say(
        "Items of evaluation sets that stand in documents. A model trained on those documents would be asked what it "
        "has read. Common sentences are said by many, and do not count."
    )
    return section("contamination", say("Evaluation texts in documents"), table(note, heads, rows))


def edits(run: Manifest) -> str:
    """Spans that transforms changed: personal data by kind, boilerplate by rule."""
    rows = [
        (code(transform), code(rule), f"{count:,}")
        for transform, edited in run.edited.items()
        for rule, count in sorted(edited["spans"].items(), key=lambda item: (-item[1], item[0]))
    ]
    changed = ", ".join(f"{code(name)} {edited['documents']:,}" for name, edited in run.edited.items())
    note = say(
        "Documents with changed spans: {counts}. Every span lies in edits/ and can be undone.", counts=changed
    )
    heads = (say("transform"), say("kind"), f">{say('spans')}")
    return section(
        "edits",
        say("Personal data and other spans that were changed"),
        table(note, heads, rows) if rows else "",
    )


def normalised(run: Manifest) -> str:
    """Documents that normalising changed, by kind."""
    changed: Counter[str] = Counter()
    for entry in run.inputs:
        changed.update(entry["changed"])
    order = sorted(
        ((kind, count) for kind, count in changed.items() if count), key=lambda item: (-item[1], item[0])
    )
    rows = [(code(kind), f"{count:,}", share(count, run.documents)) for kind, count in order]
    heads = (say("kind"), f">{say('documents')}", f">{say('of all')}")
    note = say("Characters were normalised in these documents.")
    return section("normalised", say("Normalising"), table(note, heads, rows))


def quarantine(run: Manifest) -> str:
    """Records that were no documents, by reason."""
    order = sorted(run.quarantined.items(), key=lambda item: (-item[1], item[0]))
    rows = [(code(reason), f"{count:,}") for reason, count in order]
    note = say(
        "Records that could not be read as documents. They lie in quarantine/ with the reason and the bytes."
    )
    return section("quarantine", say("Quarantine"), table(note, (say("reason"), f">{say('records')}"), rows))
