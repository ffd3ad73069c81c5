"""What each stage that decides says of a shard, and what all of them say together.

A stage that decides leaves one file a shard: the filter a row a document with every reason (`reasons`), a
deduplication a row a document that has duplicates. The decision is their sum: kept if no stage gives a reason; the
first reason in the order of the recipe is the one that the funnel counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from chejil.curation import shards
from chejil.curation.stage import Unit


def kept_rows(unit: Unit, shard: str, num_rows: int) -> np.ndarray:
    """Which documents of a shard the stages in `settings["before"]` have kept, (num_rows) bool."""
    kept = np.ones(num_rows, bool)
    for stage in unit.settings["before"]:
        kept &= ~fails(unit, stage, shard, num_rows)
    return kept


def fails(unit: Unit, stage: str, shard: str, num_rows: int) -> np.ndarray:
    """Which documents of a shard this stage gives a reason for, (num_rows) bool."""
    return (reasons(unit, stage, shard, num_rows).list.len() > 0).to_numpy()


def reasons(unit: Unit, stage: str, shard: str, num_rows: int) -> pl.Series:
    """Reasons of one stage, list[str] a document, empty where it has none."""
    table = pl.from_arrow(shards.read_shard(unit.url(verdicts_of(stage), shard)))
    assert isinstance(table, pl.DataFrame)
    if "reasons" in table.columns:
        return table["reasons"]
    return (
        spread(table, num_rows, {"duplicate_of": pl.String})["duplicate_of"]
        .to_frame()
        .select(
            pl.when(pl.col("duplicate_of").is_not_null())
            .then(pl.lit([f"duplicate:{kind_of(stage)}"], pl.List(pl.String)))
            .otherwise(pl.lit([], pl.List(pl.String)))
            .alias("reasons")
        )["reasons"]
    )


def verdicts_of(stage: str) -> str:
    """Folder in which a stage that decides leaves its verdicts."""
    return f"work/{stage}/verdicts"


def kind_of(stage: str) -> str:
    """`exact` for exact_dedup, `near` for near_dedup."""
    return stage.split("_dedup")[0]


def spread(
    marks: pl.DataFrame, num_rows: int, columns: Mapping[str, pl.DataType | type[pl.DataType]]
) -> pl.DataFrame:
    """Marks by `row` laid over all rows of the shard, null where a document has none."""
    rows = pl.DataFrame({"row": pl.int_range(num_rows, dtype=pl.Int32, eager=True)})
    return rows.join(marks.select("row", *columns), on="row", how="left", maintain_order="left").drop("row")
