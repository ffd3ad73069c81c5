"""Which matches are leaks: how much of an item stands in a document, and how much that says.

Two questions, and both must be answered: is enough of the item there (share of its weight, or of one field's), and is
what is there more than chance (weight: 1 a syllable or function word, 2 any other word)? What weighs 20, thirteen
words or seven eojeol, is no chance wherever it stands (Brown et al. 2020, appendix C). What weighs less must be nearly
whole and either stand on lines or cells of its own, as items do where data sets are copied, or bring a second field of
the same item with it, as premise and alternative do. So an idiom that a sentence quotes is no leak, though an item is
that idiom.

What is short and stands in many documents of the corpus is a common sentence (the same appendix passes over what more
than ten documents share), unless the document holds several items of the task: then it is a copy of the set.
A training item that fits the place better than the evaluation item explains it, and it is no leak.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation.decontamination.alignment import COLUMNS, Matches

SURE, SHORT, COMMON = "long", "short", "common"
"""Kinds of evidence: enough by its weight; short, but by itself; short and found in many documents."""


class Evidence(BaseModel):
    """How much makes a leak. A Hangul syllable weighs 1, a word of another script 2."""

    model_config = ConfigDict(extra="forbid")

    weight: int = Field(20, ge=8, description="What weighs so much is no chance: 13 words, 20 syllables.")
    share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of the item, or of one field, from three times `weight` on; below, up to short_share.",
    )
    short_weight: int = Field(6, ge=6, description="The least that counts on a line of its own.")
    short_share: float = Field(0.75, gt=0, le=1, description="Share of the field, if short.")
    joined_share: float = Field(
        0.75,
        gt=0.1,
        le=1,
        description="Share of the item, if two fields stand together that weigh 12; at 24 a tenth less is enough.",
    )
    quoted_weight: int = Field(16, ge=8, description="The least that counts within a line, as one field.")
    max_documents: int = Field(
        10, ge=1, description="Documents that a short text may stand in before it is a common sentence."
    )
    copied_items: int = Field(
        5, ge=2, description="Items of one task in a document that make it a copy of the set, common or not."
    )


def judged(
    matches: Matches, weights: np.ndarray, is_training: np.ndarray, evidence: Evidence
) -> pl.DataFrame:
    """The leaks among the matches of a batch, in the order of documents and places.

    Args:
        weights: weight of each item of the index.
        is_training: whether it is of a training split.

    Returns:
        The columns of `Matches`, `weight` (the item's) and `evidence` (SURE or SHORT).
    """
    found = pl.DataFrame(matches.table, schema=list(COLUMNS), orient="row")
    found = found.with_columns(
        weight=pl.Series(weights[matches["item"]]), training=pl.Series(is_training[matches["item"]])
    )
    found = found.with_columns(evidence=_kind(evidence)).drop_nulls("evidence")
    order = ["doc", "start", "end", "item"]
    return _unexplained(found).drop("training").sort(order)


def _kind(wanted: Evidence) -> pl.Expr:
    """SURE, SHORT, or null where it is too little."""
    covered, field_covered = pl.col("covered"), pl.col("field_covered")
    item_share, field_share = covered / pl.col("weight"), field_covered / pl.col("field_weight")
    sure = _enough(covered, item_share, wanted) | _enough(field_covered, field_share, wanted)
    # One alternative of four is a common phrase; a premise, or one of two sentences, may be evidence by itself.
    is_main = (pl.col("field") == 0) | (3 * pl.col("field_weight") >= pl.col("weight"))
    missing = pl.col("field_weight") - field_covered
    foreign = pl.max_horizontal(missing, "between") + pl.col("beside")
    alone = (field_covered >= wanted.short_weight) & (field_share >= wanted.short_share)
    alone &= foreign <= pl.max_horizontal(0, field_covered - wanted.short_weight - 2)
    quoted = (field_covered >= wanted.quoted_weight) & (field_share >= 0.9)
    # Two fields side by side: the more of them is there, the more may be missing.
    least = wanted.joined_share - (covered.clip(12, 24) - 12) / 120
    joined = (covered >= 12) & (item_share >= least) & (pl.col("fields_found") >= 2)
    return pl.when(sure).then(pl.lit(SURE)).when(is_main & (alone | quoted) | joined).then(pl.lit(SHORT))


def _enough(covered: pl.Expr, share: pl.Expr, wanted: Evidence) -> pl.Expr:
    """Weight and share together: the less is there, the larger a share it must be."""
    surplus = (covered - wanted.weight) / (2 * wanted.weight)
    least = wanted.short_share - (wanted.short_share - wanted.share) * surplus.clip(0, 1)
    return (covered >= wanted.weight) & (share >= least)


def _unexplained(found: pl.DataFrame) -> pl.DataFrame:
    """Without training items, and without what a training item at the same place explains better.

    Better is what has more of its text there, or as much and less that is missing. An item that stands in both splits
    is a leak.
    """
    there = pl.when(pl.col("fields_found") > 1).then("covered").otherwise("field_covered")
    found = found.with_columns(there=there, share=pl.col("field_covered") / pl.col("field_weight"))
    training = found.filter("training").select("doc", "start", "end", "there", "share")
    found = found.filter(~pl.col("training")).with_row_index("match")
    pairs = found.join(training, on="doc", suffix="_training")
    shared = pl.min_horizontal("end", "end_training") - pl.max_horizontal("start", "start_training")
    is_better = (pl.col("there_training") > pl.col("there")) | (
        (pl.col("there_training") == pl.col("there")) & (pl.col("share_training") > pl.col("share"))
    )
    explained = pairs.filter(is_better & (2 * shared >= pl.col("end") - pl.col("start")))["match"].unique()
    return found.filter(~pl.col("match").is_in(explained.implode())).drop("match", "there", "share")
