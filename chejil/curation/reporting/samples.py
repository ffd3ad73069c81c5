"""Which documents a report shows: a few for each reason, on both sides of each bound, kept ones, large clusters.

A sample is a few rows of a group, the first by distance and then by a hash of the id: so the choice among a thousand
shards is the choice among each shard's choice, and neither order nor workers change it. A shard chooses first, by
columns alone, and then reads the text of what it chose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from chejil.curation import edits, shards
from chejil.filters.bounds import Policy

EACH = 2
"""Documents of a reason or of one side of a bound, by language."""

KEPT_EACH = 4
CLUSTERS = 8
"""Largest clusters of a kind."""

TEXT_CHARS = 300

GROUP = ("kind", "name", "side", "inside", "lang")
_ORDER = ("distance", "hash", "source", "id")

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("side", pa.string()),
        ("inside", pa.bool_()),
        ("lang", pa.string()),
        ("distance", pa.float64()),
        ("hash", pa.uint64()),
        ("source", pa.string()),
        ("id", pa.string()),
        ("value", pa.float64()),
        ("reasons", pa.list_(pa.string())),
        ("text", pa.large_string()),
    ]
)
"""`kind` is reason, kept, bound or cluster; `name` the reason, source, signal or cluster; `side` low or high, of a
cluster exact or near; `inside` whether it passes; `value` the signal's, of a cluster its size."""

_CHOSEN = [name for name in SCHEMA.names if name != "text"]
TYPES = pl.DataFrame(pl.from_arrow(SCHEMA.empty_table())).select(_CHOSEN).schema


def first(rows: pl.DataFrame) -> pl.DataFrame:
    """What is left of many choices: the first few of each group, and the largest clusters."""
    ordered = rows.sort(*GROUP, *_ORDER, nulls_last=True)
    clusters = ordered.filter(kind="cluster").unique(["side", "name"], keep="first", maintain_order=True)
    clusters = clusters.sort("side", "distance", "name").group_by("side", maintain_order=True).head(CLUSTERS)
    parts = [
        ordered.filter(kind=kind).group_by(GROUP, maintain_order=True).head(number)
        for kind, number in _NUMBERS
    ]
    return pl.concat([part.select(rows.columns) for part in (*parts, clusters)])


_NUMBERS = (("reason", EACH), ("bound", EACH), ("kept", KEPT_EACH))


def chosen(rows: pl.DataFrame, signals: Mapping[str, np.ndarray], policy: Policy | None) -> pl.DataFrame:
    """The choice of a batch.

    Args:
        rows: row, id, hash, source, lang, reason, reasons, and cluster and size by kind.
        signals: the judged ones, (num_rows) float64, NaN where undefined.
    """
    parts = [_by_reason(rows), _kept(rows), *_clusters(rows)]
    if policy is not None:
        parts += _at_bounds(rows, signals, policy)
    return first(
        pl.concat([part.select(pl.col(name).cast(kind) for name, kind in TYPES.items()) for part in parts])
    )


def _plain(rows: pl.DataFrame, kind: str, **columns: Any) -> pl.DataFrame:
    values = {"name": "", "side": "", "inside": False, "distance": 0.0, "value": None, **columns}
    made = {name: value if isinstance(value, pl.Expr) else pl.lit(value) for name, value in values.items()}
    return rows.with_columns(kind=pl.lit(kind), **made)


def _by_reason(rows: pl.DataFrame) -> pl.DataFrame:
    dropped = rows.filter(pl.col("reason").is_not_null())
    few = dropped.sort("hash", "row").group_by("reason", "lang", maintain_order=True).head(EACH)
    return _plain(few.select(rows.columns), "reason", name=pl.col("reason"))


def _kept(rows: pl.DataFrame) -> pl.DataFrame:
    kept = rows.filter(pl.col("reason").is_null())
    few = kept.sort("hash", "row").group_by("source", "lang", maintain_order=True).head(KEPT_EACH)
    return _plain(few.select(rows.columns), "kept", name=pl.col("source"), inside=True)


def _clusters(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for kind in ("exact", "near"):
        size = pl.col(f"{kind}_cluster_size")
        many = rows.filter(size > 1).sort(-size, f"{kind}_cluster", "hash", "row")
        largest = many.unique(f"{kind}_cluster", keep="first", maintain_order=True).head(CLUSTERS)
        name = pl.col(f"{kind}_cluster")
        yield _plain(largest, "cluster", name=name, side=kind, distance=-size.cast(pl.Float64), value=size)


def _at_bounds(
    rows: pl.DataFrame, signals: Mapping[str, np.ndarray], policy: Policy
) -> Iterator[pl.DataFrame]:
    """Just inside: what was kept and is nearest to the bound; just outside: what falls by it and is nearest.

    One table for all: a data frame of two rows costs a millisecond, and there are some four hundred choices.
    """
    kept, hashes = rows["reason"].is_null().to_numpy(), rows["hash"].to_numpy()
    languages = rows["lang"].to_numpy()
    found: list[tuple[str, str, bool, float, float]] = []
    places: list[int] = []
    for lang, limits in policy.languages.items():
        mine = np.flatnonzero(languages == lang)
        for name, bound in limits.items() if not isinstance(limits, str) and len(mine) else ():
            values = signals[name][mine]
            for side, beyond in _beyond(values, bound.low, bound.high):
                for inside, those in ((True, kept[mine] & (beyond <= 0)), (False, beyond > 0)):
                    few = nearest(np.flatnonzero(those), np.abs(beyond), hashes[mine])
                    places += mine[few].tolist()
                    found += [(name, side, inside, abs(float(beyond[at])), float(values[at])) for at in few]
    if found:
        columns = ["name", "side", "inside", "distance", "value"]
        chosen = pl.DataFrame(found, schema=columns, orient="row").with_columns(kind=pl.lit("bound"))
        yield rows[places].drop(columns, strict=False).hstack(chosen)


def _beyond(values: np.ndarray, low: float | None, high: float | None) -> Iterator[tuple[str, np.ndarray]]:
    """How far values lie outside of either end that is closed; below 0 inside."""
    if low is not None:
        yield "low", low - values
    if high is not None:
        yield "high", values - high


def nearest(places: np.ndarray, distances: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """The EACH of some places that have the smallest distance, of equal ones those of the smallest hash.

    >>> nearest(np.array([0, 1, 2]), np.array([2.0, 1.0, 2.0]), np.array([9, 9, 1])).tolist()
    [1, 2]
    """
    if len(places) > EACH:
        mine = distances[places]
        places = places[mine <= np.partition(mine, EACH - 1)[EACH - 1]]
    return places[np.lexsort((places, hashes[places], distances[places]))][:EACH]


def with_text(rows: pl.DataFrame, root: str, shard: str, transforms: Sequence[str]) -> pa.Table:
    """Chosen rows of a shard with the beginning of their text, as it is after all edits: what is masked stays so."""
    places = np.unique(rows["row"].to_numpy())
    texts = dict(zip(places.tolist(), _texts(root, shard, places, transforms), strict=True))
    text = pl.Series("text", [texts[row] for row in rows["row"].to_list()], pl.String)
    return rows.with_columns(text).to_arrow().select(SCHEMA.names).cast(SCHEMA)


def _texts(root: str, shard: str, places: np.ndarray, transforms: Iterable[str]) -> list[str]:
    parts: list[str] = []
    streams = [_Edits(root, shard, name) for name in transforms]
    url = shards.join(root, f"documents/{shard}.parquet")
    done = 0
    for table, here in shards.groups_of(url, places, ["text"]):
        texts = table["text"].combine_chunks().take(pa.array(here))
        rows = places[done : done + len(here)]
        done += len(here)
        for stream in streams:
            texts = stream.applied(texts, rows)
        # One more than is shown tells that there is more.
        parts += pc.utf8_slice_codeunits(texts, 0, TEXT_CHARS + 1).to_pylist()
    return parts


class _Edits:
    """One transform's edits of some rows of a shard."""

    def __init__(self, root: str, shard: str, transform: str) -> None:
        self._url = shards.join(root, f"{edits.folder(transform)}/{shard}.parquet")
        self._groups = shards.row_groups(self._url, ["row", "start", "end", "after"])
        self._waiting: pa.Table | None = next(self._groups, None)

    def applied(self, texts: pa.Array, rows: np.ndarray) -> pa.Array:
        """Texts of these rows with the edits; rows come in their order."""
        for table in self._upto(int(rows[-1])):
            found = np.isin(table["row"].to_numpy(), rows)
            if found.any():
                few = table.filter(pa.array(found))
                doc = np.searchsorted(rows, few["row"].to_numpy())
                texts = edits.apply(texts, doc, few["start"].to_numpy(), few["end"].to_numpy(), few["after"])
        return texts

    def _upto(self, last: int) -> Iterator[pa.Table]:
        """Row groups whose first row is not behind `last`; edits of one row stand in one row group."""
        while self._waiting is not None and self._waiting["row"][0].as_py() <= last:
            yield self._waiting
            if self._waiting["row"][-1].as_py() > last:
                return
            self._waiting = next(self._groups, None)


def by_group(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Samples by kind and name, in their order."""
    ordered = sorted(rows, key=lambda row: (row["kind"], row["name"]))
    return {key: list(some) for key, some in groupby(ordered, lambda row: (row["kind"], row["name"]))}
