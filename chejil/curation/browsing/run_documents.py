"""Documents of a finished run, chosen by what was decided of them, with the reasons and the changes of their texts.

Choosing reads columns alone, a row group at a time; texts are read of the row groups that hold what was chosen. In the
order of the files nothing is held but one row group; a sample holds its own rows, another order about 60 bytes a chosen
document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.curation import lookup, manifest, shards
from chejil.curation.browsing.readings import Reading
from chejil.curation.browsing.reasons import Reasons, matching, signals_of
from chejil.curation.browsing.selection import Selection, evaluated
from chejil.curation.changes.pieces import Span, pieces
from chejil.curation.changes.row_edits import Layers
from chejil.curation.decisions import SCHEMA as DECISIONS
from chejil.curation.edits import row_groups as edited
from chejil.curation.id_hashes import id_hashes
from chejil.curation.reading.documents import SCHEMA as DOCUMENTS
from chejil.errors import RunError
from chejil.filters.bounds import LANGUAGES

_OF_DOCUMENTS = ("url", "timestamp", "license", "meta", "text")
_MARKS = (
    "exact_cluster",
    "exact_cluster_size",
    "near_cluster",
    "near_cluster_size",
    "duplicate_of",
    "similarity",
)
_BLOCK = 16  # documents that are read together where the order is not that of the files


class RunDocuments:
    """A run that is read."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.content = manifest.read(root)
        self.recipe = lookup.recipe_of(root)
        self.reasons = Reasons(self.recipe)
        self.layers = Layers.of_run(root, self.recipe)
        self.shards = [name for name in lookup.shards_of(self.content) if self._has("decisions", name)]

    def _has(self, folder: str, shard: str) -> bool:
        return f"{folder}/{shard}.parquet" in self.content.files

    def _url(self, folder: str, shard: str) -> str:
        return shards.join(self.root, f"{folder}/{shard}.parquet")

    @cached_property
    def columns(self) -> dict[str, pl.DataType]:
        """What a condition may read: columns of decisions/, documents/ and signals/."""
        own = {name: DOCUMENTS.field(name).type for name in _OF_DOCUMENTS}
        first = next((name for name in self.shards if self._has("signals", name)), None)
        if first is not None:
            with shards.opened(self._url("signals", first)) as parquet:
                own |= {field.name: field.type for field in parquet.schema_arrow}
        own |= {field.name: field.type for field in DECISIONS}
        return {name: pl.Series(pl.from_arrow(pa.array([], kind))).dtype for name, kind in own.items()}

    def read(self, selection: Selection) -> Iterator[Reading]:
        """The chosen documents, in their order.

        Raises:
            ChejilError: a condition, a signal or a reason that the run does not have.
        """
        wanted = selection.check(self.columns)
        reasons = matching(selection.dropped, self.all_reasons()) if selection.dropped is not None else []
        if selection.bound is not None:
            self._check_bound(*selection.bound)
        chosen = self._chosen(selection, wanted, reasons)
        if selection.sample is None and not selection.ordered:
            return self._streamed(chosen, selection)
        return self._placed(self._ordered(chosen, selection), selection)

    def all_reasons(self) -> set[str]:
        """Reasons that any document has."""
        every = (
            lookup.table(self.root, f"decisions/{shard}", ["reasons"])["reasons"] for shard in self.shards
        )
        return {reason for column in every for reason in column.explode().drop_nulls().unique()}

    def _check_bound(self, signal: str, side: str) -> None:
        sources = self.recipe.sources
        bounds = [self.reasons.bound(source, lang, signal) for source in sources for lang in LANGUAGES]
        if all(bound is None or getattr(bound, side) is None for bound in bounds):
            raise RunError(
                f"this run has no {side} bound of {signal}",
                where=self.root,
                mend="chejil explain shows those it has",
            )

    def _chosen(
        self, selection: Selection, wanted: list[str], reasons: list[str]
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """By shard and row group: `row` of what is chosen, and what orders it."""
        columns = [*wanted, *(["kept"] if selection.kept else []), *(["reasons"] if reasons else [])]
        keep = selection.holds()
        if selection.kept:
            keep &= pl.col("kept")
        if reasons:
            keep &= pl.any_horizontal([pl.col("reasons").list.contains(reason) for reason in reasons])
        order = ["id"] if selection.sample is not None else []
        order += ["lang"] if selection.bound else []
        order = [*order, *selection.shown_signals]
        for shard in self.shards:
            start = 0
            for rows in self._tables(shard, {*columns, *order, "kept"}):
                rows = rows.with_row_index("row", start).with_columns(pl.col("row").cast(pl.Int64))
                start += len(rows)
                found = rows.filter(evaluated(rows, keep, selection.where)).select(
                    "row", *dict.fromkeys(order)
                )
                if len(found):
                    yield shard, self._keyed(found, shard, selection)

    def _tables(self, shard: str, columns: set[str]) -> Iterator[pl.DataFrame]:
        """Row groups of a shard with columns from wherever they stand; decisions/ has the last word."""
        own = {"decisions": columns & set(DECISIONS.names)}
        own["documents"] = columns & set(_OF_DOCUMENTS)
        own["signals"] = columns - own["decisions"] - own["documents"]
        streams = []
        for folder, names in own.items():
            if names and folder == "documents":
                transforms = self.recipe.transforms() if "text" in names else ()
                streams.append(edited(self.root, shard, sorted(names), transforms))
            elif names:
                streams.append(shards.row_groups(self._url(folder, shard), sorted(names)))
        for tables in zip(*streams, strict=True):
            yield pl.concat([pl.DataFrame(pl.from_arrow(table)) for table in tables], how="horizontal")

    def _keyed(self, found: pl.DataFrame, shard: str, selection: Selection) -> pl.DataFrame:
        """Columns `hash` for a sample and `key0`, `key1` … for an order, the smallest first."""
        if selection.sample is not None:
            found = found.with_columns(pl.Series("hash", id_hashes(found["id"], selection.seed)))
        keys = {}
        if selection.bound is not None:
            keys["key0"] = self._distances(found, shard, *selection.bound)
        for number, name in enumerate(selection.by):
            value = found[name.removeprefix("-")].cast(pl.Float64)
            keys[f"key{number}"] = -value if name.startswith("-") else value
        found = found.with_columns(**keys)
        if selection.bound is not None:
            found = found.filter(pl.col("key0").is_not_null())
        return found.select("row", *(["hash"] if selection.sample is not None else []), *keys)

    def _distances(self, found: pl.DataFrame, shard: str, signal: str, side: str) -> pl.Series:
        source = shard.split("/")[0]
        limits = {}
        for lang in LANGUAGES:
            bound = self.reasons.bound(source, lang, signal)
            limits[lang] = getattr(bound, side) if bound is not None else None
        low = found["lang"].fill_null("unknown").replace_strict(limits, return_dtype=pl.Float64)
        return (found[signal].cast(pl.Float64) - low).abs()

    def _ordered(self, chosen: Iterator[tuple[str, pl.DataFrame]], selection: Selection) -> pl.DataFrame:
        """`shard` (its number) and `row` of the sample, in order; nulls stand last."""
        numbers = {name: number for number, name in enumerate(self.shards)}
        kept, waiting, room = [], 0, 4 * (selection.sample or 0) + 65536
        for shard, found in chosen:
            kept.append(found.with_columns(shard=pl.lit(numbers[shard], pl.Int32)))
            waiting += len(found)
            if selection.sample is not None and waiting > room:
                kept, waiting = [_smallest(kept, selection.sample)], selection.sample
        if not kept:
            return pl.DataFrame(schema={"shard": pl.Int32, "row": pl.Int64})
        every = pl.concat(kept) if selection.sample is None else _smallest(kept, selection.sample)
        keys = [name for name in every.columns if name.startswith("key")]
        return every.sort(*keys, *([] if keys else ["hash"]), "shard", "row", nulls_last=True).select(
            "shard", "row"
        )

    def _streamed(
        self, chosen: Iterator[tuple[str, pl.DataFrame]], selection: Selection
    ) -> Iterator[Reading]:
        for shard, found in chosen:
            yield from self.readings(shard, found["row"].to_numpy(), selection.shown_signals)

    def _placed(self, places: pl.DataFrame, selection: Selection) -> Iterator[Reading]:
        """Documents at places in any order, some read together: those of a row group decode it once."""
        for block in places.iter_slices(_BLOCK):
            read: dict[tuple[int, int], Reading] = {}
            for (number,), part in block.group_by("shard", maintain_order=True):
                rows = np.sort(part["row"].to_numpy())
                found = self.readings(self.shards[number], rows, selection.shown_signals)
                read |= dict(zip([(number, int(row)) for row in rows], found, strict=True))
            yield from (read[place] for place in block.select("shard", "row").iter_rows())

    def readings(self, shard: str, rows: np.ndarray, shown: Sequence[str] = ()) -> Iterator[Reading]:
        """Those rows of a shard, sorted, each with the values of the signals that are to be shown."""
        for table, places in shards.groups_of(self._url("documents", shard), rows):
            own = rows[: len(places)]
            rows = rows[len(places) :]
            documents = table.take(places).to_pylist()
            layers = self.layers.of(shard, own)
            decisions = _taken(self._url("decisions", shard), own, None)
            signals = self._signals(shard, own, decisions, shown)
            for row, document, decision, measured in zip(own, documents, decisions, signals, strict=True):
                yield self._reading(document, decision, measured, layers.get(int(row), []), shown)

    def _signals(
        self, shard: str, rows: np.ndarray, decisions: list[dict[str, Any]], shown: Sequence[str]
    ) -> list[dict[str, Any]]:
        named = signals_of(reason for decision in decisions for reason in decision["reasons"])
        names = sorted({*named, *shown} & self.columns.keys())
        if not names or not self._has("signals", shard):
            return [{} for _ in decisions]
        return _taken(self._url("signals", shard), rows, names)

    def _reading(
        self,
        document: Mapping[str, Any],
        decision: Mapping[str, Any],
        signals: Mapping[str, Any],
        layers: list[list[Span]],
        shown: Sequence[str],
    ) -> Reading:
        source, lang = decision["source"], decision["lang"]
        place = {"source": source, "lang": lang, "file": decision["file"], "line": decision["line"]}
        own = {name: document[name] for name in _OF_DOCUMENTS if name != "text"}
        columns = {name: value for name, value in {**place, **own}.items() if value is not None}
        return Reading(
            document["id"],
            pieces(document["text"], layers),
            columns,
            decision["kept"],
            self.reasons.of(decision["reasons"], source, lang, signals),
            {name: decision[name] for name in _MARKS if decision[name] is not None},
            {name: signals[name] for name in shown},
        )


def _smallest(kept: list[pl.DataFrame], sample: int) -> pl.DataFrame:
    return pl.concat(kept).sort("hash", "shard", "row").head(sample)


def _taken(url: str, rows: np.ndarray, columns: list[str] | None) -> list[dict[str, Any]]:
    """Some sorted rows of a side table."""
    found: list[dict[str, Any]] = []
    for table, places in shards.groups_of(url, rows, columns):
        found += table.take(places).to_pylist()
    return found


def is_run(path: str) -> bool:
    """True for the folder of a run, finished or not.

    Raises:
        RunError: a run that was not finished.
    """
    if shards.size(shards.join(path, manifest.PATH)) is not None:
        return True
    if shards.size(shards.join(path, manifest.UNFINISHED)) is not None:
        raise manifest.unfinished(path)
    return False
