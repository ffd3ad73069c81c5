"""What a report needs beside the manifest, gathered by two stages at the end of a run.

`report/parts` (map) reads the columns of a shard's decisions and judged signals once, and the text of the few documents
that it chose; `report/summary` (gather) adds the parts up. As stages they are spread over workers, done again only for
shards that changed, and the page that closes a run reads one record of some hundred kilobytes.

Measured on one core, 53 signals judged: 0.24 s for a shard of 24,234 documents (10 µs each), 0.08 s for a small one;
the page takes 1.2 s, most of it charts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.curation import filtering, shards
from chejil.curation.dedup.shingles import content_hashes
from chejil.curation.filtering import Filter
from chejil.curation.reporting import adding_up, samples
from chejil.curation.stage import Stage, Tally, Unit
from chejil.curation.statistics.columns import Columns
from chejil.curation.statistics.groups import group_rows
from chejil.filters.bounds import Policy, bounded
from chejil.filters.buffers import TextBuffers
from chejil.filters.tokens import TOKEN_SIZES

PARTS, SUMMARY = "report/parts", "report/summary"
VERSION = 3
"""Raised when the page or what it shows changes: a finished run's page is then written again."""

SIZES = ("num_chars", "num_words", *TOKEN_SIZES)
"""Signals that are added up by source and language; those of tokens where a tokenizer was asked."""

_DECIDED = (
    "id", "source", "lang", "num_bytes", "kept", "reason", "reasons", "exact_cluster", "exact_cluster_size",
    "near_cluster", "near_cluster_size",
)  # fmt: skip


def stages(
    filters: Filter | None, scored: Sequence[str], transforms: Sequence[str], data: str
) -> list[Stage]:
    """The two stages of a recipe's filter, its scored signals and its transforms."""
    judged = _judged(filters, data)
    columns = [name for name in scored if name in SIZES or name in adding_up.signals_of(judged)]
    settings = {"columns": columns, "edits": list(transforms), **judged}
    edited = [f"edits/{name}" for name in transforms]
    reads = ("documents", *(["signals"] if scored else []), *edited, "decisions")
    return [
        Stage(PARTS, "map", count_shard, settings, reads, VERSION),
        Stage(SUMMARY, "gather", add_up, judged, (PARTS,), VERSION),
    ]


def _judged(filters: Filter | None, data: str) -> dict[str, Any]:
    """Bounds by language, and by source; languages of which nothing or everything passes have none."""
    if filters is None:
        return {"bounds": {}, "by_source": {}}
    found = filtering.resolved(filters.model_copy(update={"blocklists": {}}), data)
    return {
        "bounds": _limits(found["bounds"]),
        "by_source": {source: _limits(limits) for source, limits in found["by_source"].items()},
    }


def _limits(languages: Mapping[str, Any]) -> dict[str, Any]:
    return {lang: {} if "preset" in limits else limits for lang, limits in languages.items()}


def _policy(unit: Unit) -> Policy:
    judged = {name: unit.settings[name] for name in ("bounds", "by_source")}
    return Filter.model_validate(judged).policy(unit.shard.split("/")[0])


def count_shard(unit: Unit) -> Tally:
    """Map: decisions/, signals/ and the text of what is chosen → work/report/, three small files."""
    part, policy = _Part(), _policy(unit)
    columns = list(unit.settings["columns"])
    for rows, values in _rows(unit, columns):
        part.add(rows, dict(zip(columns, values, strict=True)), policy)
    chosen = samples.with_text(part.chosen, unit.root, unit.shard, unit.settings["edits"])
    files = [
        shards.write_shard(unit.root, unit.path("work/report/samples"), [chosen], samples.SCHEMA),
        shards.write_shard(unit.root, unit.path("work/report/buckets"), [part.buckets()], adding_up.BUCKETS),
        shards.write_json(unit.root, f"work/report/totals/{unit.shard}.json", part.totals()),
    ]
    return Tally(files)


def _rows(unit: Unit, columns: Sequence[str]) -> Iterator[tuple[pl.DataFrame, np.ndarray]]:
    """Decisions of a row group with the number and a hash of each row, and (columns, rows) of its signals."""
    start = 0
    decisions = shards.row_groups(unit.url("decisions"), _DECIDED)
    measured = shards.row_groups(unit.url("signals"), columns) if columns else None
    for table in decisions:
        values = np.empty((len(columns), table.num_rows))
        if measured is not None:
            signals = next(measured)
            for number, name in enumerate(columns):
                values[number] = signals[name].to_numpy()
        hashes = content_hashes(TextBuffers.of(table["id"]))[:, 0]
        rows = pl.DataFrame(pl.from_arrow(table)).with_columns(
            pl.col("lang").fill_null("unknown"),
            pl.Series("hash", hashes, pl.UInt64),
            row=pl.int_range(start, start + table.num_rows, dtype=pl.Int64),
        )
        start += table.num_rows
        yield rows, values


class _Part:
    """What was counted of a shard."""

    def __init__(self) -> None:
        self.columns = Columns()
        self.chosen = pl.DataFrame(schema=samples.TYPES)
        self.sizes: Counter[tuple] = Counter()
        self.reasons: Counter[tuple] = Counter()
        self.clusters: Counter[tuple[str, int]] = Counter()

    def add(self, rows: pl.DataFrame, signals: Mapping[str, np.ndarray], policy: Policy) -> None:
        """Count a batch, and choose from it."""
        if signals:
            self._measured(rows, signals)
        self._sizes(rows, signals)
        self._reasons(rows)
        for kind in ("exact", "near"):
            sizes = rows[f"{kind}_cluster_size"].drop_nulls().value_counts()
            self.clusters.update({(kind, size): count for size, count in sizes.iter_rows() if size > 1})
        judged = {name: signals[name] for name in bounded(policy)}
        self.chosen = samples.first(pl.concat([self.chosen, samples.chosen(rows, judged, policy)]))

    def _measured(self, rows: pl.DataFrame, signals: Mapping[str, np.ndarray]) -> None:
        keys, groups = group_rows(
            [rows["lang"].to_arrow().cast(pa.string()), rows["kept"].to_arrow()], len(rows)
        )
        keys, places, starts = self.columns.ordered(keys, groups)
        self.columns.add(list(signals), signals.values(), keys, starts, places)

    def _sizes(self, rows: pl.DataFrame, signals: Mapping[str, np.ndarray]) -> None:
        measured = [pl.Series(name, signals[name]).fill_nan(0) for name in SIZES if name in signals]
        sums = (
            rows.select("source", "lang", "kept", "num_bytes")
            .hstack(measured)
            .group_by("source", "lang", "kept")
        )
        for row in sums.agg(pl.len().alias("documents"), pl.all().sum()).to_dicts():
            key = (row.pop("source"), row.pop("lang"), row.pop("kept"))
            self.sizes.update({(*key, name): int(value) for name, value in row.items()})

    def _reasons(self, rows: pl.DataFrame) -> None:
        """How often each reason holds, and how often it is the only one."""
        many = rows.select("source", "lang", "reasons", alone=pl.col("reasons").list.len() == 1).explode(
            "reasons"
        )
        found = many.filter(pl.col("reasons").is_not_null()).group_by("source", "lang", "reasons")
        for source, lang, reason, count, alone in found.agg(pl.len(), pl.col("alone").sum()).iter_rows():
            self.reasons.update(
                {(source, lang, reason, "documents"): count, (source, lang, reason, "alone"): alone}
            )

    def buckets(self) -> pa.Table:
        """The sketches as rows."""
        return adding_up.table_of(self.columns)

    def totals(self) -> dict[str, Any]:
        """The counts as lists of key and number, in their order."""
        named = {"sizes": self.sizes, "reasons": self.reasons, "clusters": self.clusters}
        found = {
            name: [[*key, count] for key, count in sorted(counts.items())] for name, counts in named.items()
        }
        return {**found, "extremes": adding_up.extremes_of(self.columns)}


def add_up(unit: Unit) -> Tally:
    """Gather: all parts → one record; its counts are what the page reads."""
    return Tally([], adding_up.summary(unit))
