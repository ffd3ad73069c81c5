"""What one run has changed in its own documents: before and after its transforms, and what normalising did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from chejil.curation import lookup, manifest, shards
from chejil.curation.browsing.run_documents import RunDocuments
from chejil.curation.comparison import settings_changes
from chejil.curation.comparison.samples import own_spans
from chejil.curation.edits import folder
from chejil.curation.explain import changed_spans
from chejil.curation.id_hashes import id_hashes


@dataclass(frozen=True)
class OwnChanges:
    """`documents` of the run and those that `changed` by edits; spans by rule, documents by kind of normalising."""

    run: str
    documents: int
    changed: int
    edited: list[dict[str, Any]]
    normalised: list[dict[str, Any]]
    samples: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def own_changes(root: str, samples: int = 3, seed: int = 0) -> OwnChanges:
    """What a run's transforms have changed, with samples of each transform.

    Raises:
        RunError: no finished run.
    """
    content, recipe = manifest.read(root), lookup.recipe_of(root)
    transforms, changed, chosen = recipe.transforms(), 0, list[pl.DataFrame]()
    for shard in lookup.shards_of(content):
        rows = _changed_rows(root, shard, transforms)
        changed += rows["row"].n_unique()
        if samples and len(rows):
            chosen = [_smallest([*chosen, _hashed(root, shard, rows, seed)], samples)]
    edited = [
        {"transform": name, "rule": rule, "spans": count}
        for name, said in content.edited.items()
        for rule, count in said["spans"].items()
    ]
    normalised = [
        {"kind": row["kind"], "documents": row["one"]}
        for row in settings_changes.normalised(content, content)
    ]
    return OwnChanges(root, content.documents, changed, edited, normalised, list(_read(root, chosen)))


def _changed_rows(root: str, shard: str, transforms: list[str]) -> pl.DataFrame:
    """`row` and `transform` of each document with an edit, once for each transform."""
    parts = [pl.DataFrame(schema={"row": pl.Int64, "transform": pl.String})]
    for name in transforms:
        for table in shards.row_groups(shards.join(root, f"{folder(name)}/{shard}.parquet"), ["row"]):
            rows = pl.DataFrame({"row": pl.Series(pl.from_arrow(table["row"])).unique().cast(pl.Int64)})
            parts.append(rows.with_columns(transform=pl.lit(name)))
    return pl.concat(parts)


def _hashed(root: str, shard: str, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    numbers = rows["row"].unique().sort()
    found = shards.groups_of(shards.join(root, f"decisions/{shard}.parquet"), numbers.to_numpy(), ["id"])
    ids = [pl.Series(pl.from_arrow(table["id"].combine_chunks().take(places))) for table, places in found]
    every = pl.concat(ids)
    named = pl.DataFrame({"row": numbers, "id": every, "hash": id_hashes(every, seed)})
    return rows.join(named, on="row").with_columns(shard=pl.lit(shard))


def _smallest(tables: list[pl.DataFrame], samples: int) -> pl.DataFrame:
    every = pl.concat(tables).sort("transform", "hash", "shard", "row")
    return every.group_by("transform", maintain_order=True).head(samples).select(every.columns)


def _read(root: str, chosen: list[pl.DataFrame]) -> Iterator[dict[str, Any]]:
    run = RunDocuments(root)
    for place in (row for table in chosen for row in table.to_dicts()):
        reading = next(run.readings(place["shard"], np.array([place["row"]])))
        spans = own_spans(reading)
        original = _original(root, place["shard"], place["row"])
        if original is not None:
            text = lookup.text_of(root, place["shard"], place["row"])
            pairs = changed_spans(original, text)
            normal = [
                {"in": "run", "rules": ["normalise"], "before": was, "after": now} for was, now in pairs
            ]
            spans = [*normal, *spans]
        yield {
            "id": reading.id,
            "change": place["transform"],
            "source": reading.columns["source"],
            "lang": reading.columns.get("lang"),
            "spans": spans,
        }


def _original(root: str, shard: str, row: int) -> str | None:
    """A document as it was read; None if normalising changed nothing."""
    url = shards.join(root, f"origins/{shard}.parquet")
    table, places = next(shards.groups_of(url, np.array([row]), ["original"]))
    return table["original"][int(places[0])].as_py()
