"""Statistics in the terminal: sizes by group, what the documents say of themselves, and every column of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from chejil.curation.reading.documents import REASONS
from chejil.curation.report import megabytes, share
from chejil.curation.statistics import footers, tallies
from chejil.curation.statistics.statistics import Group, Statistics
from chejil.curation.statistics.summary import Summary
from chejil.curation.statistics.tallies import ALIASES
from chejil.errors import ChejilError
from chejil.filters.catalogue import SIGNALS
from chejil.terminal import table

BLOCKS = " ▁▂▃▄▅▆▇█"
TERMINAL_BINS = 16
GROUPS = 40
"""Groups, and files of a difference, that are listed; JSON has all."""

_FEW = 6


def statistics(found: Statistics) -> Iterator[RenderableType]:
    """Everything, as tables."""
    yield f"{', '.join(found.paths)}: {headline(found)}"
    if found.groups:
        yield by_group(found)
    yield from _quarantined(found)
    yield from _duplicates(found)
    yield from _words(found)
    yield from _files(found)
    if found.names:
        yield columns(found)
    yield from (f"stopped: {_stopped(row)}" for row in found.failed)
    yield from (f"torn: {name}: its compressed stream ends or breaks too early" for name in found.torn)


def _stopped(row: Mapping[str, Any]) -> str:
    return str(ChejilError(row["what"], where=row["where"] or row["file"], mend=row["mend"]))


def _quarantined(found: Statistics) -> Iterator[RenderableType]:
    counts = tallies.most_common(Counter(found.part.quarantined), len(REASONS))
    if counts:
        rows = [(reason, number, REASONS.get(reason or "", "")) for reason, number in counts]
        yield table(("quarantined", "records>", ""), rows)


def headline(found: Statistics) -> str:
    """Documents and bytes in one line."""
    total = found.total
    parts = [f"{total.documents:,} documents"]
    if total.kept is not None:
        parts.append(f"{total.kept:,} {kept_of(total)}")
    if total.bytes is not None:
        parts.append(f"{megabytes(total.bytes)} of text")
    if total.kept_bytes is not None:
        parts.append(f"{megabytes(total.kept_bytes)} kept")
    if found.part.quarantined:
        parts.append(f"{sum(found.part.quarantined.values()):,} records quarantined")
    if total.bytes_per_token is not None:
        said = (
            ""
            if found.settings.share_tokenized >= 1
            else f" (of a sample of {found.settings.share_tokenized:.2%})"
        )
        parts.append(f"{total.tokens:,} tokens, {total.bytes_per_token:.3f} bytes a token{said}")
    return ", ".join(parts)


def kept_of(total: Group) -> str:
    """What stands behind the number of the kept: their share, of what a run judged."""
    judged = total.judged or 0
    of = f" of {judged:,} in runs" if judged < total.documents else ""
    return f"kept{of} ({share(total.kept or 0, judged)})"


def size_columns(found: Statistics) -> list[tuple[str, str]]:
    """Attributes of groups that are known, and what they are called."""
    names = [("documents", "documents>"), ("kept", "kept>"), ("bytes", "bytes>"), ("kept_bytes", "bytes kept>"),
             ("chars", "characters>"), ("words", "words>"), ("tokens", "tokens>"),
             ("bytes_per_token", "bytes/token>")]  # fmt: skip
    return [pair for pair in names if any(getattr(group, pair[0]) is not None for group in found.groups)]


def by_group(found: Statistics) -> RenderableType:
    """Sizes by group, and of all."""
    sizes, by = size_columns(found), found.settings.by
    rows = [_group_row(group, by, sizes) for group in found.groups[:GROUPS]]
    if len(found.groups) > 1:
        rows.append(["all", *[""] * (len(by) - 1), *(getattr(found.total, name) for name, _ in sizes)])
    if len(found.groups) > GROUPS:
        rows.insert(GROUPS, [f"… and {len(found.groups) - GROUPS} more", *[""] * (len(by) + len(sizes) - 1)])
    return table([*by, *(title for _, title in sizes)], [row[: len(by) + len(sizes)] for row in rows])


def _group_row(group: Group, by: Sequence[str], sizes: Sequence[tuple[str, str]]) -> list[Any]:
    return [*(shown(group.values[name], name) for name in by), *(getattr(group, name) for name, _ in sizes)]


def shown(value: str | None, name: str) -> str:
    """A value of a column as tables have it; a dash where there is none, of languages the name that runs give it."""
    return ("unknown" if name in ALIASES["lang"] else "–") if value is None else value


def _duplicates(found: Statistics) -> Iterator[RenderableType]:
    rows = [
        (
            kind.replace("_", " "),
            one["clusters"],
            one["documents"],
            one["copies"],
            f"{one['share']:.2%}",
            one["dropped"],
            one["largest"],
        )
        for kind, one in found.duplicates.items()
    ]
    if rows:
        columns = (
            "duplicates",
            "clusters>",
            "documents>",
            "more than one>",
            "share>",
            "dropped>",
            "largest>",
        )
        yield table(columns, rows)


def listings(found: Statistics, top: int) -> Iterator[tuple[str, list[tuple[str | None, int]], int]]:
    """What is tallied beside sources and languages: title, the most frequent values, how many different ones."""
    kind, domains = found.domains
    named: dict[str, Counter[str | None]] = {kind: domains}
    named |= {name: found.part.tallies.get(name, Counter()) for name in ("license", "lang", "source")}
    for title, counts in named.items():
        if title not in found.settings.by and set(counts) - {None}:
            yield title, tallies.most_common(counts, top), len(set(counts) - {None})


def _words(found: Statistics) -> Iterator[RenderableType]:
    for title, rows, different in listings(found, 10):
        cells = [(shown(name, title), number, share(number, found.documents)) for name, number in rows]
        yield table((f"{title} ({different:,} different)", "documents>", "share>"), cells)
    years = by_year(found)
    if set(years) - {"–"}:
        yield table(("year", "documents>", "months"), [(y, sum(m), spark(m)) for y, m in years.items()])


def by_year(found: Statistics) -> dict[str, list[int]]:
    """Documents by year, a number a month; what has no date is one number under a dash."""
    years: dict[str, list[int]] = {}
    counts = found.part.tallies.get("month", Counter())
    for month, number in sorted(counts.items(), key=lambda item: (item[0] is None, item[0] or "")):
        if month is None or month == tallies.NO_MONTH:
            years["–"] = [years.get("–", [0])[0] + number]
        else:
            years.setdefault(month[:4], [0] * 12)[int(month[5:7]) - 1] += number
    return years


def spark(counts: Sequence[int]) -> str:
    """A histogram of blocks; what is not empty is not invisible.

    >>> spark([0, 1, 50, 100])
    ' ▁▄█'
    """
    most = max(counts, default=0)
    return "".join(BLOCKS[max(1, round(8 * number / most))] if number else " " for number in counts)


def _files(found: Statistics) -> Iterator[RenderableType]:
    sizes = footers.sizes(found.part.files)
    if not sizes["files"]:
        return
    what = "clean shards" if found.kind == "run" else "files"
    rows: list[tuple] = [
        (f"{what}, bytes", sizes["files"], *_spread(sizes["file_bytes"])),
        (f"{what}, rows", sizes["files"], *_spread(sizes["file_rows"])),
        ("row groups, rows", sizes["row_groups"], *_spread(sizes["row_group_rows"])),
        ("row groups, bytes unpacked", sizes["row_groups"], *_spread(sizes["row_group_bytes"])),
    ]
    yield table(("sizes", "number>", "smallest>", "median>", "largest>"), [row for row in rows if row[1]])
    differences = footers.differences(found.part.files)
    if differences:
        columns = ("schemas differ: column", "in most files", "in others", "files>", "these")
        yield table(columns, [_difference(row) for row in differences])


def _spread(sizes: dict[str, int] | None) -> tuple[Any, ...]:
    return tuple(sizes.values()) if sizes else ("", "", "")


def _difference(row: dict[str, Any]) -> tuple[Any, ...]:
    more = f", … and {len(row['files']) - _FEW} more" if len(row["files"]) > _FEW else ""
    these = ", ".join(row["files"][:_FEW]) + more
    return row["column"], row["type"] or "missing", row["other"] or "missing", len(row["files"]), these


def columns(found: Statistics) -> RenderableType:
    """Every column of numbers."""
    rows = []
    for name in found.names:
        summary = found.summary(name)
        rows.append((name, unit(name), nulls(summary), *middle(summary), *drawn(summary)))
    heads = ("column", "per", "null>", "5 %>", "median>", "95 %>", "mean>", "from>", "1 % to 99 %", "to>")
    return table(heads, rows)


def unit(name: str) -> str:
    """What a signal counts; nothing of other columns."""
    return SIGNALS[name].unit if name in SIGNALS else ""


def nulls(summary: Summary) -> str:
    """Share of rows without a value, whether it is null or the file has no such column; and that of infinite values."""
    without = summary.nulls + summary.missing
    rows = summary.count + without + summary.infinite
    said = [f"{without / rows:.1%}"] if without else []
    return ", ".join([*said, f"±∞ {summary.infinite / rows:.1%}"] if summary.infinite else said)


def middle(summary: Summary) -> tuple[float | int | None, ...]:
    """The 5 %, 50 % and 95 % quantiles, and the mean."""
    quantiles = (number(summary.quantile(q), summary) for q in (0.05, 0.5, 0.95))
    return *quantiles, summary.mean


def number(value: float | None, summary: Summary) -> float | int | None:
    """A value of a column, as an integer where all are."""
    return int(value) if value is not None and summary.whole else value


def drawn(summary: Summary) -> tuple[Any, ...]:
    """Where the histogram begins, its blocks, and where it ends; `log` where its scale is logarithmic."""
    found = summary.drawn(TERMINAL_BINS)
    if not found.counts:
        return "", "", ""
    blocks = f"{spark(found.counts):<{TERMINAL_BINS}}" + (" log" if found.scale == "log" else "")
    low, high = ends(found.edges, found.scale, summary)
    return low, blocks, high


def ends(
    edges: Sequence[float], scale: str, summary: Summary
) -> tuple[float | int | None, float | int | None]:
    """Where the bins begin and end; of bins of integers the last one, and not the edge behind it."""
    return number(edges[0], summary), number(edges[-1] - (scale == "integer"), summary)
