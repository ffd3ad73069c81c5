"""The parts of a report added up: histograms of the judged signals by language, totals, and the samples that are left.

A part's sketches are rows (signal, language, bucket, count), so that those of a thousand shards are one sum of columns.
Summing is exact: counts are integers, and the buckets are the same everywhere (statistics/buckets.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.reporting import samples
from chejil.curation.stage import Unit
from chejil.curation.statistics.buckets import lower_edges
from chejil.curation.statistics.columns import Columns
from chejil.curation.statistics.summary import Summary
from chejil.filters.catalogue import SIGNALS

BUCKETS = pa.schema(
    [
        ("signal", pa.string()),
        ("lang", pa.string()),
        ("kept", pa.bool_()),
        ("key", pa.int32()),
        ("count", pa.int64()),
    ]
)
"""A filled bucket of a signal, by language and by whether the document was kept."""

BINS = 30
_LOG_SPREAD = 20.0  # a 99 % quantile that many times the median is drawn on a logarithmic scale
_FAR = 6.0  # a bound that is farther from the values than so many times their range would leave them no room


def signals_of(judged: Mapping[str, Any]) -> list[str]:
    """Signals that have a bound in any language or source, in the registry's order."""
    every = [judged["bounds"], *judged["by_source"].values()]
    named = {name for languages in every for limits in languages.values() for name in limits}
    return [name for name in SIGNALS if name in named]


def table_of(columns: Columns) -> pa.Table:
    """Sketches of a shard as rows."""
    parts = []
    for name in sorted(columns.names):
        for key in sorted(columns.keys, key=str):
            found = columns.summary(name, [key])
            parts.append(
                pl.DataFrame({"key": found.keys.astype(np.int32), "count": found.counts}).with_columns(
                    signal=pl.lit(name), lang=pl.lit(key[0]), kept=pl.lit(key[1] == "true")
                )
            )
    if not parts:
        return BUCKETS.empty_table()
    return pl.concat(parts).select(BUCKETS.names).to_arrow().cast(BUCKETS)


def extremes_of(columns: Columns) -> list[list[Any]]:
    """Smallest and largest value of each signal, nulls by language, and whether all are integers."""
    rows: list[list[Any]] = []
    for name in sorted(columns.names):
        for lang in sorted({str(key[0]) for key in columns.keys}):
            found = columns.summary(name, [key for key in columns.keys if key[0] == lang])
            rows.append([name, lang, found.low, found.high, found.whole, found.nulls])
    return rows


def summary(unit: Unit) -> dict[str, Any]:
    """All parts of a run as one."""
    totals: dict[str, Counter[tuple]] = {"sizes": Counter(), "reasons": Counter(), "clusters": Counter()}
    extremes: list[list[Any]] = []
    buckets = pl.DataFrame(pl.from_arrow(BUCKETS.empty_table()))
    chosen = pl.DataFrame(pl.from_arrow(samples.SCHEMA.empty_table()))
    for shard in unit.shards:
        part: Any = shards.read_json(shards.join(unit.root, f"work/report/totals/{shard}.json"))
        for name, counts in totals.items():
            counts.update({tuple(row[:-1]): row[-1] for row in part[name]})
        extremes = _merged([*extremes, *part["extremes"]])
        buckets = _added(buckets, _read(unit, "buckets", shard))
        chosen = samples.first(pl.concat([chosen, _read(unit, "samples", shard)]))
    return {
        "sizes": _named(totals["sizes"], ("source", "lang", "kept")),
        "reasons": _named(totals["reasons"], ("source", "lang", "reason")),
        "clusters": [[*key, count] for key, count in sorted(totals["clusters"].items())],
        "signals": dict(_signals(buckets, extremes, unit.settings)),
        "samples": chosen.drop("row", "hash", "distance").to_dicts(),
    }


def _read(unit: Unit, what: str, shard: str) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(shards.read_shard(unit.url(f"work/report/{what}", shard))))


def _added(rows: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    keys = [name for name in BUCKETS.names if name != "count"]
    return pl.concat([rows, more]).group_by(keys).agg(pl.col("count").sum())


def _merged(rows: list[list[Any]]) -> list[list[Any]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for name, lang, low, high, whole, nulls in rows:
        old = found.get((name, lang), [name, lang, None, None, True, 0])
        lows, highs = (
            [v for v in (old[2], low) if v is not None],
            [v for v in (old[3], high) if v is not None],
        )
        row = [
            name,
            lang,
            min(lows, default=None),
            max(highs, default=None),
            old[4] and whole,
            old[5] + nulls,
        ]
        found[name, lang] = row
    return [found[key] for key in sorted(found)]


def _named(counts: Counter[tuple], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows by their keys, what was counted beside them."""
    rows: dict[tuple, dict[str, Any]] = {}
    for (*key, name), count in sorted(counts.items()):
        rows.setdefault(tuple(key), dict(zip(keys, key, strict=True)))[name] = count
    return list(rows.values())


def _signals(
    buckets: pl.DataFrame, extremes: list[list[Any]], judged: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each judged signal the edges of its bins, and counts, median and extremes by language."""
    for name in signals_of(judged):
        mine = buckets.filter(signal=name)
        rows = {row[1]: row for row in extremes if row[0] == name}
        if not rows:
            continue
        judges = [lang for lang, limits in judged["bounds"].items() if name in limits and lang in rows]
        langs = judges or list(rows)  # a language that is not judged would stretch the axis of those that are
        whole = _summary(mine.filter(pl.col("lang").is_in(langs)), [rows[lang] for lang in langs])
        edges, scale = axis(whole, list(_ends(judged, name)))
        found = {lang: _of_language(mine.filter(lang=lang), row, edges, scale) for lang, row in rows.items()}
        yield name, {"edges": edges, "scale": scale, "whole": whole.whole, "langs": found}


def _ends(judged: Mapping[str, Any], name: str) -> Iterator[float]:
    for languages in (judged["bounds"], *judged["by_source"].values()):
        for limits in languages.values():
            ends = limits.get(name, {})
            yield from (float(ends[side]) for side in ("low", "high") if ends.get(side) is not None)


def _of_language(rows: pl.DataFrame, row: list[Any], edges: list[float], scale: str) -> dict[str, Any]:
    found = _summary(rows, [row])
    counts = list(found.histogram(tuple(edges), scale).counts) if edges else []
    return {
        "counts": counts,
        "documents": found.count + found.nulls,
        "undefined": found.nulls,
        "median": found.quantile(0.5),
        "low": found.low,
        "high": found.high,
    }


def _summary(buckets: pl.DataFrame, rows: list[list[Any]]) -> Summary:
    added = buckets.group_by("key").agg(pl.col("count").sum()).sort("key")
    lows, highs = (
        [row[2] for row in rows if row[2] is not None],
        [row[3] for row in rows if row[3] is not None],
    )
    return Summary(
        count=int(added["count"].sum()),
        nulls=sum(row[5] for row in rows),
        infinite=0,
        missing=0,
        low=min(lows, default=None),
        high=max(highs, default=None),
        total=Fraction(0),
        whole=all(row[4] for row in rows),
        keys=added["key"].to_numpy().astype(np.int64),
        counts=added["count"].to_numpy(),
    )


def axis(found: Summary, bounds: list[float]) -> tuple[list[float], str]:
    """Edges of the bins, and whether they are linear or log: from 1 % to 99 % of the values, and to near bounds.

    What lies beyond stands in the outer bins. Zeros stand in the first bin of a logarithmic axis.
    """
    low, high = found.quantile(0.01), found.quantile(0.99)
    if low is None or high is None:
        return [], "linear"
    if low == high:
        low, high = float(found.low or 0), float(found.high or 0)
    positive = float(lower_edges(found.keys[found.keys > 0])[0]) if (found.keys > 0).any() else None
    if low >= 0 and positive and high / max(found.quantile(0.5) or 0.0, positive) > _LOG_SPREAD:
        ends = [bound for bound in bounds if bound > 0]
        least, most = min(max(low, positive), *ends, high), max(high, *ends, least_step(low, high))
        return np.geomspace(max(least, most * 1e-9), most, BINS + 1).tolist(), "log"
    room = high - low or max([1.0, *map(abs, bounds)])
    near = [bound for bound in bounds if low - _FAR * room <= bound <= high + _FAR * room]
    low, high = min([low, *near]), max([high, *near])
    if found.whole and high - low < BINS and all(bound.is_integer() for bound in near):
        return np.arange(np.floor(low), np.floor(high) + 2).tolist(), "linear"
    return np.linspace(low, high if high > low else low + 1, BINS + 1).tolist(), "linear"


def least_step(low: float, high: float) -> float:
    """The largest value, or a little more than the smallest where they are one."""
    return high if high > low else low * 2 + 1e-9
