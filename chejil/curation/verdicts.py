"""What each stage that decides says of a shard, and what all of them say together.

A stage that decides leaves one file a shard: the filter a row a document with every reason (`reasons`), a
deduplication a row a document that has duplicates. The decision is their sum: kept if no stage gives a reason; the
first reason in the order of the recipe is the one that the funnel counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from chejil.curation import shards
from chejil.curation.stage import Unit

_KINDS = ("exact", "near")
_MARKS = {"cluster": pl.String, "cluster_size": pl.Int32, "duplicate_of": pl.String, "similarity": pl.Float32}


@dataclass(frozen=True)
class Verdicts:
    """What every stage in `settings["before"]` says of one shard, by stage, in the order of the recipe."""

    stages: Mapping[str, pl.DataFrame]

    @classmethod
    def of(cls, unit: Unit, shard: str) -> Verdicts:
        """Read them; reasons are few, so a shard's are small."""
        return cls({stage: _read(unit, stage, shard) for stage in unit.settings["before"]})

    def kept(self, num_rows: int) -> np.ndarray:
        """Which documents no stage gives a reason for, (num_rows) bool."""
        return (self.window(0, num_rows)["reasons"].list.len() == 0).to_numpy()

    def window(self, start: int, num_rows: int) -> pl.DataFrame:
        """Rows `start` and following: reasons, and cluster, size, stand-in and similarity of each deduplication."""
        parts = {stage: _window(table, start, num_rows) for stage, table in self.stages.items()}
        reasons = [part["reasons"].alias(stage) for stage, part in parts.items() if "reasons" in part.columns]
        marks = {kind: parts.get(f"{kind}_dedup") for kind in _KINDS}
        reasons += [_duplicate(kind, part) for kind, part in marks.items() if part is not None]
        order = [name for name in self.stages if name in {series.name for series in reasons}]
        rows = pl.DataFrame({"row": pl.int_range(num_rows, dtype=pl.Int32, eager=True)}).with_columns(reasons)
        every = pl.concat_list(order) if order else pl.lit([], pl.List(pl.String))
        return rows.with_columns(reasons=every).select("reasons").hstack(_clusters(marks, num_rows))


def _read(unit: Unit, stage: str, shard: str) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(shards.read_shard(unit.url(f"work/{stage}/verdicts", shard))))


def _window(table: pl.DataFrame, start: int, num_rows: int) -> pl.DataFrame:
    """Rows `start` and following of a shard; marks are spread over them, null where a document has none."""
    if "reasons" in table.columns:
        return table.slice(start, num_rows)
    rows = pl.DataFrame({"row": pl.int_range(start, start + num_rows, dtype=pl.Int32, eager=True)})
    return rows.join(table.select("row", *_MARKS), on="row", how="left", maintain_order="left").drop("row")


def _duplicate(kind: str, marks: pl.DataFrame) -> pl.Series:
    dropped = pl.col("duplicate_of").is_not_null()
    reason = pl.when(dropped).then(pl.lit([f"duplicate:{kind}"])).otherwise(pl.lit([], pl.List(pl.String)))
    return marks.select(reason.alias(f"{kind}_dedup")).to_series()


def _clusters(marks: Mapping[str, pl.DataFrame | None], num_rows: int) -> pl.DataFrame:
    """Columns of both deduplications; all null for one that the recipe does not have."""
    none = pl.DataFrame({name: pl.Series([None] * num_rows, dtype=kind) for name, kind in _MARKS.items()})
    exact, near = (none if marks[kind] is None else marks[kind] for kind in _KINDS)
    assert exact is not None
    assert near is not None
    columns: dict[str, pl.Series] = {}
    for kind, part in zip(_KINDS, (exact, near), strict=True):
        size = part["cluster_size"] if part is none else part["cluster_size"].fill_null(1)
        columns |= {f"{kind}_cluster": part["cluster"], f"{kind}_cluster_size": size}
    either = {
        name: exact[name].zip_with(exact[name].is_not_null(), near[name])
        for name in ("duplicate_of", "similarity")
    }
    return pl.DataFrame({**columns, **either})
