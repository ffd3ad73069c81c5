"""Compares two finished runs: what they were told, which documents they have, what they decided, what the texts became.

The counts are sums of one table: documents by source, language and first reason on both sides. Of every kind of change
and its reason a few documents are kept as samples, those whose id has the smallest hash, and only these are read again
for values, bounds and spans.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from chejil.curation.comparison import settings_changes
from chejil.curation.comparison.paired_documents import Pairs, Side, paired
from chejil.curation.comparison.samples import Place, Samples
from chejil.curation.id_hashes import id_hashes

KINDS = ("newly_kept", "newly_dropped", "other_reason", "only_one", "only_other", "text")
"""What may have become of a document: dropped in one run and kept in the other; the other way round; dropped in both
for another first reason; in one run alone; another final text (which may be beside a changed verdict)."""

_KEYS = (
    "source",
    "lang_one",
    "lang_other",
    "reason_one",
    "reason_other",
    "in_one",
    "in_other",
    "text_changed",
)
_SCHEMA = {
    **dict.fromkeys(_KEYS[:5], pl.String()), **dict.fromkeys(_KEYS[5:], pl.Boolean()),
    "documents": pl.UInt32(), "bytes": pl.Int64(),
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """What two runs differ in.

    `one` and `other` have run, name, documents and kept; `documents` those in `both`, `only_one` and `only_other`.
    `verdicts` counts documents and bytes by change, source, language and the first reasons; `unchanged` those with the
    same verdict for the same first reason. `texts` counts documents whose final text differs, `edited` spans by rule
    and `normalised` documents by kind, in both runs.
    """

    one: Mapping[str, Any]
    other: Mapping[str, Any]
    settings: list[dict[str, Any]]
    inputs: list[dict[str, Any]]
    versions: list[dict[str, Any]]
    folders: list[dict[str, Any]]
    documents: Mapping[str, int]
    unchanged: Mapping[str, int]
    verdicts: list[dict[str, Any]]
    texts: list[dict[str, Any]]
    edited: list[dict[str, Any]]
    normalised: list[dict[str, Any]]
    samples: list[dict[str, Any]]

    @property
    def same(self) -> bool:
        """True if the runs have the same documents, verdicts and texts."""
        return not (self.verdicts or self.texts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "same": self.same}


def compare(one: str, other: str, samples: int = 3, seed: int = 0) -> Comparison:
    """Compare two finished runs.

    Args:
        samples: documents of each kind of change and reason.

    Raises:
        RunError: a folder that holds no finished run.
    """
    sides = Side.of(one), Side.of(other)
    counts, chosen = _counted(*sides, samples, seed)
    mine, theirs = (side.content for side in sides)
    return Comparison(
        one=_run(sides[0], counts, "one"),
        other=_run(sides[1], counts, "other"),
        settings=settings_changes.settings(sides[0].recipe, sides[1].recipe),
        inputs=settings_changes.inputs(mine, theirs),
        versions=settings_changes.versions(mine, theirs),
        folders=settings_changes.folders(mine, theirs),
        documents=_documents(counts),
        unchanged=_unchanged(counts),
        verdicts=_verdicts(counts),
        texts=_texts(counts),
        edited=settings_changes.edited(mine, theirs),
        normalised=settings_changes.normalised(mine, theirs),
        samples=Samples(*sides).read(chosen) if samples else [],
    )


def _counted(one: Side, other: Side, samples: int, seed: int) -> tuple[pl.DataFrame, list[Place]]:
    """Documents by `_KEYS` and change, and the places of the samples."""
    counts, chosen = [pl.DataFrame(schema=_SCHEMA)], list[pl.DataFrame]()
    for pairs in paired(one, other):
        rows = pairs.rows.with_columns(
            in_one=pl.col("row_one").is_not_null(), in_other=pl.col("row_other").is_not_null()
        )
        size = pl.coalesce("num_bytes_other", "num_bytes_one").sum().cast(pl.Int64)
        counts.append(rows.group_by(_KEYS).agg(documents=pl.len(), bytes=size).select(list(_SCHEMA)))
        if samples:
            chosen = _smallest([*chosen, *_changed(Pairs(rows, one), seed)], samples)
    every = pl.concat(counts).group_by(_KEYS).agg(pl.col("documents", "bytes").sum())
    every = every.with_columns(change=_change()).sort("change", *_KEYS, nulls_last=True)
    return every, [Place(**row) for table in chosen for row in table.to_dicts()]


def _change() -> pl.Expr:
    """One of `KINDS` but text; null where the verdict and its first reason are the same."""
    one, other = pl.col("reason_one"), pl.col("reason_other")
    return (
        pl.when(~pl.col("in_other")).then(pl.lit("only_one"))
        .when(~pl.col("in_one")).then(pl.lit("only_other"))
        .when(one.is_not_null() & other.is_null()).then(pl.lit("newly_kept"))
        .when(one.is_null() & other.is_not_null()).then(pl.lit("newly_dropped"))
        .when(one.is_not_null() & other.is_not_null() & (one != other)).then(pl.lit("other_reason"))
    )  # fmt: skip


def _changed(pairs: Pairs, seed: int) -> list[pl.DataFrame]:
    """Places of the documents of which something changed; a changed text is a change of its own."""
    changed = pairs.rows.select(change=_change())["change"]
    text = pairs.rows["text_changed"].fill_null(False)
    found = pairs.with_ids(changed.is_not_null() | text)
    if not len(found):
        return []
    found = found.with_columns(pl.Series("hash", id_hashes(found["id"], seed)))
    columns = ["id", "hash", "shard_one", "row_one", "shard_other", "row_other"]
    reason = pl.coalesce("reason_other", "reason_one")
    verdicts = found.select(*columns, change=_change(), reason=reason).filter(pl.col("change").is_not_null())
    texts = found.filter("text_changed").select(
        *columns, change=pl.lit("text"), reason=pl.lit(None, pl.String)
    )
    return [verdicts, texts]


def _smallest(tables: list[pl.DataFrame], samples: int) -> list[pl.DataFrame]:
    """Of each change and reason those with the smallest hashes."""
    if not tables:
        return []
    order = ["change", "reason", "hash", "id", "shard_one", "row_one", "shard_other", "row_other"]
    rows = pl.concat(tables).sort(order, nulls_last=True)
    return [rows.group_by("change", "reason", maintain_order=True).head(samples).select(rows.columns)]


def _run(side: Side, counts: pl.DataFrame, name: str) -> dict[str, Any]:
    here = counts.filter(f"in_{name}")
    kept = here.filter(pl.col(f"reason_{name}").is_null())
    return {
        "run": side.root,
        "name": side.content.name,
        "documents": _sum(here),
        "kept": _sum(kept),
    }


def _sum(counts: pl.DataFrame) -> int:
    return int(counts["documents"].sum())


def _documents(counts: pl.DataFrame) -> dict[str, int]:
    one, other = pl.col("in_one"), pl.col("in_other")
    parts = {"both": one & other, "only_one": ~other, "only_other": ~one}
    return {name: _sum(counts.filter(condition)) for name, condition in parts.items()}


def _unchanged(counts: pl.DataFrame) -> dict[str, int]:
    same = counts.filter(pl.col("change").is_null())
    kept = pl.col("reason_one").is_null()
    return {"kept": _sum(same.filter(kept)), "dropped": _sum(same.filter(~kept))}


def _verdicts(counts: pl.DataFrame) -> list[dict[str, Any]]:
    keys = ["change", "source", "lang_one", "lang_other", "reason_one", "reason_other"]
    return _added(counts.filter(pl.col("change").is_not_null()), keys)


def _texts(counts: pl.DataFrame) -> list[dict[str, Any]]:
    """By source, language and whether both runs kept the document."""
    kept = pl.col("reason_one").is_null() & pl.col("reason_other").is_null()
    changed = counts.filter(pl.col("text_changed").fill_null(False)).with_columns(
        lang="lang_other", both_kept=kept
    )
    return _added(changed, ["source", "lang", "both_kept"])


def _added(counts: pl.DataFrame, keys: Iterable[str]) -> list[dict[str, Any]]:
    return (
        counts.group_by(keys).agg(pl.col("documents", "bytes").sum()).sort(keys, nulls_last=True).to_dicts()
    )
