"""Edits: what a transform changes in the documents, as spans in a side table; the documents stay as they are.

A transform (`strip_boilerplate`, `line_dedup`, `substring_dedup`, `mask_pii`) writes one row a span: where, by which
rule, what stood there and what stands there now. Every stage that comes after it in the recipe reads the documents with
its edits applied, a copy of bytes at about 1 GB/s, so no second corpus is written, a changed transform redoes what
follows it and nothing before, and every change can be shown, counted and undone. `start` and `end` are byte offsets in
the text that the transform read: the document with the edits of the transforms before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from chejil.curation import shards
from chejil.curation.stage import Tally, Unit
from chejil.filters.buffers import TextBuffers
from chejil.filters.spans import Spans

EDITS = pa.schema(
    [
        ("row", pa.int32()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("rule", pa.string()),
        ("confidence", pa.float32()),
        ("before", pa.large_string()),
        ("after", pa.large_string()),
    ]
)
"""A row a span, in the order of documents and places; `row` is the document's in its shard."""

Edited = tuple[Spans, Sequence[str]]
"""Spans of a batch, and what stands in the place of each."""


def folder(transform: str) -> str:
    """Where a transform's edits lie below the run's folder."""
    return f"edits/{transform}"


def write_edits(unit: Unit, find: Callable[[TextBuffers], Edited]) -> Tally:
    """Map: documents/, edited by the transforms before → edits/<transform>/, a row group of them at a time."""
    return write_row_edits(unit, ["text"], lambda table: find(TextBuffers.of(table["text"])))


def write_row_edits(unit: Unit, columns: Sequence[str], find: Callable[[pa.Table], Edited]) -> Tally:
    """The same for a transform that asks for more of a document than its text."""
    spans, rows = Counter[str](), Counter[str]()
    tables = _edited(unit, columns, find, spans, rows)
    file = shards.write_shard(unit.root, unit.path(unit.stage), tables, EDITS)
    return Tally([file], {"edited": {"spans": dict(sorted(spans.items())), **rows}})


def _edited(
    unit: Unit,
    columns: Sequence[str],
    find: Callable[[pa.Table], Edited],
    counts: Counter[str],
    rows: Counter[str],
) -> Iterator[pa.Table]:
    start = 0
    for table in documents(unit, columns):
        spans, after = find(table)
        edits = _table(TextBuffers.of(table["text"]), spans, after, start)
        start += table.num_rows
        counts.update(edits["rule"].to_pylist())
        rows["documents"] += pc.count_distinct(edits["row"]).as_py()
        yield edits


def _table(texts: TextBuffers, spans: Spans, after: Sequence[str], first_row: int) -> pa.Table:
    rules = pa.array(spans.rules, pa.string()).take(pa.array(spans.rule))
    columns = {
        "row": spans.doc + first_row,
        "start": spans.start,
        "end": spans.end,
        "rule": rules,
        "confidence": spans.confidence,
        "before": pa.array(list(spans.texts(texts)), pa.large_string()),
        "after": pa.array(after, pa.large_string()),
    }
    return pa.table(columns).cast(EDITS)


def documents(unit: Unit, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Row groups of a map unit's documents, with the edits of the transforms before it (`settings["edits"]`)."""
    return row_groups(unit.root, unit.shard, columns, unit.settings.get("edits", ()))


def row_groups(
    root: str, shard: str, columns: Sequence[str], transforms: Iterable[str]
) -> Iterator[pa.Table]:
    """Row groups of a shard's documents with edits applied to `text`, in the order of the transforms."""
    streams = [_Edits(root, shard, transform) for transform in transforms]
    start = 0
    for table in shards.row_groups(shards.join(root, f"documents/{shard}.parquet"), columns):
        end = start + table.num_rows
        for stream in streams:
            edits = stream.upto(end)
            if edits is not None:
                place = table.schema.get_field_index("text")
                table = table.set_column(place, "text", _applied(table["text"], edits, start))
        start = end
        yield table


class _Edits:
    """The edits of one shard by one transform, in step with its documents: a row group of them has no more."""

    def __init__(self, root: str, shard: str, transform: str) -> None:
        url = shards.join(root, f"{folder(transform)}/{shard}.parquet")
        self._groups = shards.row_groups(url, ["row", "start", "end", "after"])
        self._next = next(self._groups, None)

    def upto(self, end: int) -> pa.Table | None:
        """Those of the documents before row `end` that were not given yet; None where there are none."""
        edits = self._next
        if edits is None or edits["row"][0].as_py() >= end:
            return None
        self._next = next(self._groups, None)
        return edits


def _applied(texts: pa.ChunkedArray, edits: pa.Table, first_row: int) -> pa.LargeStringArray:
    doc = edits["row"].to_numpy().astype(np.int64) - first_row
    return apply(texts, doc, edits["start"].to_numpy(), edits["end"].to_numpy(), edits["after"])


def apply(
    texts: pa.Array | pa.ChunkedArray,
    doc: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    after: pa.Array | pa.ChunkedArray | list[str],
) -> pa.LargeStringArray:
    """Texts with the bytes `start` to `end` of document `doc` replaced; sorted, without overlaps.

    >>> apply(pa.array(["가나다", "b"]), np.array([0]), np.array([3]), np.array([6]), ["-"]).to_pylist()
    ['가-다', 'b']
    """
    old, new = TextBuffers.of(texts), TextBuffers.of(after)
    num_bytes = int(old.num_bytes.sum() + new.num_bytes.sum() - (end - start).sum())
    out, offsets = np.empty(num_bytes, np.uint8), np.zeros(len(old) + 1, np.int64)
    splice(old.data, old.offsets, doc.astype(np.int64), start, end, new.data, new.offsets, out, offsets)
    return pa.LargeStringArray.from_buffers(len(old), pa.py_buffer(offsets), pa.py_buffer(out))


@njit(cache=True, nogil=True)
def splice(data, offsets, doc, start, end, new_data, new_offsets, out, out_offsets):
    """Copy what lies between the edits, and each edit's new bytes; fills `out` and `out_offsets` from 1 on."""
    at, edit = 0, 0
    for row in range(len(offsets) - 1):
        position = offsets[row]
        while edit < len(doc) and doc[edit] == row:
            at = copied(data, position, offsets[row] + start[edit], out, at)
            at = copied(new_data, new_offsets[edit], new_offsets[edit + 1], out, at)
            position = offsets[row] + end[edit]
            edit += 1
        at = copied(data, position, offsets[row + 1], out, at)
        out_offsets[row + 1] = at


@njit(cache=True, nogil=True)
def copied(data, first, last, out, at):
    """Copy bytes to `out[at:]`; returns where the next ones go."""
    out[at : at + last - first] = data[first:last]
    return at + last - first


def of_row(root: str, shard: str, row: int, transforms: Iterable[str]) -> list[Mapping[str, Any]]:
    """The edits of one document, each with its `transform`."""
    found: list[Mapping[str, Any]] = []
    for transform in transforms:
        for table in shards.row_groups(shards.join(root, f"{folder(transform)}/{shard}.parquet")):
            edits = table.filter(pc.equal(table["row"], row)).drop_columns(["row"])
            found += [{"transform": transform, **edit} for edit in edits.to_pylist()]
    return found
