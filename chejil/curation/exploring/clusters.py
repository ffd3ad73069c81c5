"""Clusters of duplicates of a run: the largest ones, their members, and two members word by word.

Of every shard only the documents in a cluster are held, 40 bytes each and their ids of the members alone.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from chejil.curation import lookup
from chejil.curation.dedup.word_diff import Diff, word_diff
from chejil.curation.manifest import Manifest
from chejil.curation.recipe import Recipe

KINDS = ("near", "exact")
MAX_MEMBERS = 200
_MARKS = ["id", "source", "file", "line", "lang", "kept", "num_bytes", "duplicate_of", "similarity"]


def largest(root: str, content: Manifest, kind: str, most: int = 200) -> pl.DataFrame:
    """`cluster`, `documents`, `kept`, `sources`, the largest first."""
    cluster = f"{kind}_cluster"
    parts = []
    for shard in lookup.shards_of(content):
        rows = lookup.table(root, f"decisions/{shard}", ["source", "kept", cluster])
        own = rows.filter(pl.col(cluster).is_not_null())
        parts.append(own.group_by(cluster, "source").agg(pl.len().alias("n"), pl.col("kept").sum()))
    if not parts:
        return pl.DataFrame(schema={"cluster": pl.String, "documents": pl.Int64})
    return (
        pl.concat(parts)
        .group_by(pl.col(cluster).alias("cluster"))
        .agg(
            pl.col("n").sum().cast(pl.Int64).alias("documents"),
            pl.col("kept").sum().cast(pl.Int64),
            pl.col("source").unique().sort().str.join(", ").alias("sources"),
        )
        .filter(pl.col("documents") > 1)
        .sort(pl.col("documents"), pl.col("cluster"), descending=[True, False])
        .head(most)
    )


def members(root: str, content: Manifest, kind: str, cluster: Any) -> tuple[list[dict[str, Any]], int]:
    """Decisions of a cluster's documents with `shard` and `row`, kept ones first, at most MAX_MEMBERS; and how many
    documents the cluster has."""
    parts = []
    for shard in lookup.shards_of(content):
        rows = lookup.table(root, f"decisions/{shard}", [*_MARKS, f"{kind}_cluster"]).with_row_index("row")
        own = rows.filter(pl.col(f"{kind}_cluster") == cluster)
        parts.append(own.with_columns(shard=pl.lit(shard)))
    if not parts:
        return [], 0
    order = pl.concat(parts).sort(~pl.col("kept"), maintain_order=True)
    return order.head(MAX_MEMBERS).to_dicts(), len(order)


def compared(root: str, recipe: Recipe, one: dict[str, Any], other: dict[str, Any]) -> tuple[str, str, Diff]:
    """Both texts as near_dedup read them, and where they differ."""
    transforms = recipe.transforms(before="near_dedup") if recipe.stage("near_dedup") else []
    first, second = (lookup.text_of(root, doc["shard"], doc["row"], transforms) for doc in (one, other))
    return first, second, word_diff(first, second)
