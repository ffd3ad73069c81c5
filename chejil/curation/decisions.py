"""Decisions: one row a document, the sum of what every stage said, and the counts that the funnel is made of."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.stage import Tally, Unit
from chejil.curation.verdicts import reasons, spread, verdicts_of

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


def decide_shard(unit: Unit) -> Tally:
    """Map: documents/, signals/ and every stage's verdicts → decisions/."""
    rows = _with_reasons(unit, _with_clusters(unit, _documents(unit)))
    table = rows.select(SCHEMA.names).to_arrow()
    file = shards.write_shard(unit.root, unit.path("decisions"), [table], SCHEMA)
    return Tally([file], {"funnel": funnel(rows)})


def _documents(unit: Unit) -> pl.DataFrame:
    documents = shards.read_shard(unit.url("documents"), ["id", "source"])
    origins = shards.read_shard(unit.url("origins"), ["file", "line", "num_bytes"])
    frame = pl.DataFrame(pl.from_arrow(documents)).hstack(pl.DataFrame(pl.from_arrow(origins)))
    if unit.settings["scored"]:
        return frame.with_columns(lang=pl.Series(shards.read_shard(unit.url("signals"), ["lang"])["lang"]))
    return frame.with_columns(lang=pl.lit(None, pl.String))


def _with_reasons(unit: Unit, rows: pl.DataFrame) -> pl.DataFrame:
    said = [reasons(unit, stage, unit.shard, len(rows)).alias(stage) for stage in unit.settings["before"]]
    every = pl.concat_list([verdict.name for verdict in said]) if said else pl.lit([], pl.List(pl.String))
    rows = rows.with_columns(said).with_columns(reasons=every)
    return rows.with_columns(kept=pl.col("reasons").list.len() == 0, reason=pl.col("reasons").list.first())


def _with_clusters(unit: Unit, rows: pl.DataFrame) -> pl.DataFrame:
    stand_ins = []
    for kind in ("exact", "near"):
        marks = _marks(unit, f"{kind}_dedup", len(rows))
        stand_ins.append(marks.select("duplicate_of", "similarity"))
        size = pl.lit(None, pl.Int32) if marks["absent"].all() else pl.col("cluster_size").fill_null(1)
        rows = rows.hstack(
            marks.select(pl.col("cluster").alias(f"{kind}_cluster"), size.alias(f"{kind}_cluster_size"))
        )
    exact, near = stand_ins
    return rows.with_columns(
        exact[name].fill_null(near[name]) if exact[name].dtype != pl.Null else near[name]
        for name in ("duplicate_of", "similarity")
    )


def _marks(unit: Unit, stage: str, num_rows: int) -> pl.DataFrame:
    columns = {
        "cluster": pl.String,
        "cluster_size": pl.Int32,
        "duplicate_of": pl.String,
        "similarity": pl.Float32,
    }
    if stage not in unit.settings["before"]:
        return pl.DataFrame(
            {name: pl.Series([None] * num_rows, dtype=kind) for name, kind in columns.items()}
        ).with_columns(absent=True)
    table = pl.DataFrame(pl.from_arrow(shards.read_shard(unit.url(verdicts_of(stage)))))
    return spread(table, num_rows, columns).with_columns(absent=False)


def funnel(rows: pl.DataFrame) -> list[dict[str, object]]:
    """Documents and bytes by source, language and first reason (null: kept), in a stated order."""
    groups = rows.group_by("source", "lang", "reason").agg(
        documents=pl.len(), bytes=pl.col("num_bytes").sum()
    )
    return groups.sort("source", "lang", "reason", nulls_last=True).to_dicts()
