"""Decisions: one row a document, the sum of what every stage said, and the counts that the funnel is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.place import Place
from chejil.curation.stage import Stage, Tally, Unit
from chejil.curation.verdicts import Verdicts

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("lang", pa.string()),
        ("num_bytes", pa.int64()),
        ("kept", pa.bool_()),
        ("reason", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("exact_cluster", pa.string()),
        ("exact_cluster_size", pa.int32()),
        ("near_cluster", pa.string()),
        ("near_cluster_size", pa.int32()),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
    ]
)
"""`reason` is the first of `reasons`, null where the document is kept; `similarity` is that to `duplicate_of`.

A cluster is null, its size 1, for a document that has no duplicates, and null in a run that does not look for any.
"""


def stage(place: Place) -> Stage:
    """The stage that adds up what every decider said."""
    reads = ("documents", *(["signals"] if place.scored else []), *place.verdicts)
    settings = {"before": list(place.deciders), "scored": place.scored}
    return Stage("decisions", "map", decide_shard, settings, reads)


def decide_shard(unit: Unit) -> Tally:
    """Map: documents/, signals/ and every stage's verdicts → decisions/, a row group at a time."""
    counts: list[dict[str, Any]] = []
    tables = _decided(unit, counts)
    file = shards.write_shard(unit.root, unit.path("decisions"), tables, SCHEMA)
    return Tally([file], {"funnel": added_up(counts)})


def _decided(unit: Unit, counts: list[dict[str, Any]]) -> Iterator[pa.Table]:
    verdicts = Verdicts.of(unit, unit.shard)
    start = 0
    for rows in _documents(unit):
        window = verdicts.window(start, len(rows))
        start += len(rows)
        rows = rows.hstack(window).with_columns(kept=pl.col("reasons").list.len() == 0)
        rows = rows.with_columns(reason=pl.col("reasons").list.first())
        counts += funnel(rows)
        yield rows.select(SCHEMA.names).to_arrow()


def _documents(unit: Unit) -> Iterator[pl.DataFrame]:
    """id, source, file, line, num_bytes and lang, a row group at a time."""
    columns = [("documents", ["id", "source"]), ("origins", ["file", "line", "num_bytes"])]
    if unit.settings["scored"]:
        columns.append(("signals", ["lang"]))
    for tables in zip(
        *(shards.row_groups(unit.url(folder), names) for folder, names in columns), strict=True
    ):
        rows = pl.concat([pl.DataFrame(pl.from_arrow(table)) for table in tables], how="horizontal")
        yield rows if "lang" in rows.columns else rows.with_columns(lang=pl.lit(None, pl.String))


def funnel(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Documents and bytes by source, language and first reason (null: kept)."""
    groups = rows.group_by("source", "lang", "reason")
    return groups.agg(documents=pl.len(), bytes=pl.col("num_bytes").sum()).to_dicts()


def added_up(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Funnel rows of many batches as one funnel, sorted by source, language and reason, null last."""
    total: dict[tuple, Counter[str]] = {}
    for row in rows:
        key = (row["source"], row["lang"], row["reason"])
        sizes = {name: row[name] for name in ("documents", "bytes", "tokens") if name in row}
        total.setdefault(key, Counter()).update(sizes)
    keys = sorted(total, key=lambda key: tuple((part is None, part or "") for part in key))
    return [dict(zip(("source", "lang", "reason"), key, strict=True), **total[key]) for key in keys]
