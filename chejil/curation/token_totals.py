"""Tokens of what a run kept, by source and language, from the columns that it stored."""

from __future__ import annotations

from collections import Counter

import polars as pl

from chejil.curation import finished_files, shards
from chejil.curation.manifest import Manifest
from chejil.curation.recipe import Recipe
from chejil.filters.tokens import NUM_TOKENS, TOKEN_SIZES

Tokens = dict[tuple[str, str | None], Counter[str]]
"""`num_tokens` and `num_tokenized_bytes` by source and language; an unknown language is None."""


def tokens_kept(root: str, run: Manifest, recipe: Recipe) -> Tokens:
    """The totals; none where the recipe names no tokenizer.

    Raises:
        RunError: tables of the run are missing.
    """
    score = recipe.stage("score")
    if score is None or NUM_TOKENS not in score.names:
        return {}
    found: Tokens = {}
    for entry in run.inputs:
        paths = [f"{folder}/{entry['shard']}.parquet" for folder in ("decisions", "signals")]
        finished_files.refuse_missing(root, paths)
        urls = [shards.join(root, path) for path in paths]
        groups = (
            shards.row_groups(urls[0], ["source", "lang", "kept"]),
            shards.row_groups(urls[1], TOKEN_SIZES),
        )
        for decided, measured in zip(*groups, strict=True):
            rows = pl.DataFrame(pl.from_arrow(decided)).hstack(pl.DataFrame(pl.from_arrow(measured)))
            sums = rows.filter("kept").group_by("source", "lang").agg(pl.col(TOKEN_SIZES).sum())
            for source, lang, *sizes in sums.iter_rows():
                sizes_by_name = dict(zip(TOKEN_SIZES, sizes, strict=True))
                found.setdefault((source, lang), Counter()).update(sizes_by_name)
    return found
