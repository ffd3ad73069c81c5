"""The edits of some documents of a shard, and what was found in them, as layers for `pieces`.

Edits are sorted by document, so of each file the row numbers (4 bytes an edit) are read once and then only the row
groups that hold one of the documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chejil.curation import edits, shards
from chejil.curation.changes.pieces import Mark, Span
from chejil.curation.decontamination.decontaminate import FOUND
from chejil.curation.recipe import Recipe

Extent = tuple[int, int]
"""First and last document of a row group."""


class Layers:
    """Layers of a run's documents: one a transform of its recipe, and one for what decontamination found and left."""

    def __init__(self, root: str, transforms: Iterable[str], hits_behind: int | None = None) -> None:
        """Hits stand behind so many transforms; None where a recipe does not look for any."""
        self.root, self.transforms, self.hits_behind = root, tuple(transforms), hits_behind
        self._extents: dict[str, list[Extent]] = {}  # of the shard that was asked for last

    @classmethod
    def of_run(cls, root: str, recipe: Recipe) -> Layers:
        """Those of a run's recipe."""
        hits = recipe.stage("decontaminate") is not None
        return cls(
            root, recipe.transforms(), len(recipe.transforms(before="decontaminate")) if hits else None
        )

    def of(self, shard: str, rows: np.ndarray) -> Mapping[int, list[list[Span]]]:
        """By row: the layers of those documents in which anything was changed or found. `rows` are sorted."""
        found: dict[int, list[list[Span]]] = {}
        files = [(name, f"{edits.folder(name)}/{shard}.parquet") for name in self.transforms]
        if self.hits_behind is not None:
            files.insert(self.hits_behind, ("", f"{FOUND}/{shard}.parquet"))
        for number, (name, path) in enumerate(files):
            url = shards.join(self.root, path)
            if url not in self._extents:
                self._extents = {known: extent for known, extent in self._extents.items() if shard in known}
                self._extents[url] = _extents(url)
            table = rows_of(url, rows, self._extents[url])
            for row, span in zip(table["row"].to_pylist(), _spans(name, table), strict=True):
                layers = found.setdefault(row, [[] for _ in files])
                layers[number].append(span)
        return {row: [_apart(layer) for layer in layers] for row, layers in found.items()}


def _spans(name: str, table: pa.Table) -> list[Span]:
    """Edits of a transform, or hits, which change nothing."""
    places = [table[column].to_pylist() for column in ("start", "end")]
    if not name:
        names = table["task"].to_pylist()
        marks = [Mark("decontaminate", task) for task in names]
        return [Span(start, end, mark, None) for start, end, mark in zip(*places, marks, strict=True)]
    columns = [*places, table["rule"].to_pylist(), table["after"].to_pylist()]
    return [
        Span(start, end, Mark(name, rule), after.encode())
        for start, end, rule, after in zip(*columns, strict=True)
    ]


def _apart(spans: list[Span]) -> list[Span]:
    """Sorted, without overlaps: two evaluation items may have the same words, and one mark is enough to show them."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def rows_of(url: str, rows: np.ndarray, extents: Sequence[Extent] | None = None) -> pa.Table:
    """Rows of a side table whose column `row` is one of some sorted rows; its row groups are looked at if not known."""
    with shards.opened(url) as parquet:
        tables = [parquet.schema_arrow.empty_table()]
        for number, (first, last) in enumerate(_extents(url) if extents is None else extents):
            if np.searchsorted(rows, first) < np.searchsorted(rows, last, "right"):
                with shards.reading(url):
                    table = parquet.read_row_group(number, use_threads=False)
                tables.append(table.filter(pc.is_in(table["row"], pa.array(rows, pa.int32()))))
        return pa.concat_tables(tables)


def _extents(url: str) -> list[Extent]:
    columns = [table["row"] for table in shards.row_groups(url, ["row"])]
    return [(column[0].as_py(), column[-1].as_py()) for column in columns]
