"""Line deduplication: lines that recur across documents are removed from them, each occurrence or all but the first.

A site prints its own notices on each of its pages ("무단 전재 및 재배포 금지", no reprint without leave), and a crawl
has thousands of those pages. Which lines these are no list can say, but counting can: CCNet (Wenzek et al. 2020,
section 3.2) and dolma remove what stands in more than one document. Of the Korean and English web pages that we have
even a limit of ten takes 4.8 % of the bytes, most of it wrongly: `import numpy as np`, "Save the model.", headings of
a series, sentences that statutes share. What more than ten pages of a site and 30 % of them have is 0.6 % of the
bytes: 90 lines, of which 83 are menus, notices or markup, six are code and one is a formula of statutes. So a line
goes that stands in more than `max_documents` of its scope (its site, its source, or the corpus) and in `min_share` of
them. What makes two lines the same stands in `line_keys.py`. A line that recurs within one document only is the
business of a bound, not of this stage.

Put it behind the deduplication of documents: only documents that the stages before have kept are counted, and a page
in fifty copies has no fifty boilerplate lines. A document of which nothing is left is dropped (`emptied:line_dedup`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import edits
from chejil.curation.blocklists import hosts
from chejil.curation.dedup import emptied
from chejil.curation.dedup.emptied import Kept
from chejil.curation.dedup.line_keys import Lines, lines_of
from chejil.curation.dedup.recurrence import CountWriter, Recurrent, find_key, find_recurrent, shift_of
from chejil.curation.dedup.shingles import content_hashes
from chejil.curation.edits import Edited
from chejil.curation.place import Place, made_with
from chejil.curation.stage import Stage, Tally, Unit
from chejil.filters.buffers import TextBuffers
from chejil.filters.spans import Spans

NAME = "line_dedup"
RULE = "recurrent_line"
_COLUMNS = ("text", "id", "source", "url")
_NEWLINE = ord("\n")


class LineDedup(BaseModel):
    """Remove lines that stand in many documents; every line that goes is kept in edits/line_dedup."""

    model_config = ConfigDict(extra="forbid")

    unit: Literal["line", "paragraph"] = Field(
        "line", description="What is compared and removed: lines, or what stands between blank lines."
    )
    scope: Literal["host", "source", "all"] = Field(
        "host",
        description="Documents are counted by the host of their URL (those that have none are left alone), by source, "
        "or all together.",
    )
    max_documents: int = Field(
        10, ge=1, description="A line goes that stands in more documents of its scope than so many, …"
    )
    min_share: float = Field(
        0.3, ge=0, le=1, description="… and in at least this share of them; 0: whatever share, as in CCNet."
    )
    min_letters: int = Field(
        10, ge=1, description="Lines with fewer letters are left alone; digits and punctuation are none."
    )
    keep_first: bool = Field(False, description="Leave a line in one of the documents that have it.")


def stages(settings: LineDedup, place: Place) -> list[Stage]:
    """Keys by shard, those that recur, the edits, and what they leave empty."""
    counted = settings.model_dump(include={"unit", "scope", "min_letters", "keep_first"})
    key = {**counted, **place.edited, "before": list(place.deciders), "made_with": made_with()}
    share = {"min_share": settings.min_share}
    counts, recurrent = f"{NAME}/counts", f"{NAME}/recurrent"
    reads = (*place.reads, *place.verdicts)
    limit = {"counts": counts, "limit": settings.max_documents}
    return [
        Stage(counts, "map", count_lines, key, reads),
        Stage(recurrent, "split", find_recurrent, limit, (counts,)),
        Stage(edits.folder(NAME), "map", cut_lines, {**key, **share}, (recurrent, *reads)),
        emptied.stage(NAME, place),
    ]


def count_lines(unit: Unit) -> Tally:
    """Map: documents/ that are kept so far → work/line_dedup/counts/, in how many documents each line stands.

    A scope has a key too, which each of its documents has: so a line's share is known where its count is."""
    first, kept = 0, Kept.of(unit)
    with CountWriter(unit, f"work/{unit.stage}", unit.settings["keep_first"], by_document=True) as counts:
        for table in edits.documents(unit, _COLUMNS):
            scope, lines = _scoped(table, unit, kept.rows(first, table.num_rows))
            counts.documents(table["id"])
            docs = np.flatnonzero(scope)
            counts.add(scope[docs], docs + first, np.zeros(len(docs), np.int32))
            counts.add(lines.key, lines.doc + first, lines.start)
            first += table.num_rows
    return Tally([counts.record])


def cut_lines(unit: Unit) -> Tally:
    """Map: documents/ that are kept so far → edits/line_dedup/, a row a line that goes."""
    known, kept, first = Recurrent.of(unit, f"{NAME}/recurrent"), Kept.of(unit), 0

    def find(table: pa.Table) -> Edited:
        nonlocal first
        scope, lines = _scoped(table, unit, kept.rows(first, table.num_rows))
        rows = np.arange(first, first + table.num_rows)
        first += table.num_rows
        share = unit.settings["min_share"]
        spans = recurrent_lines(TextBuffers.of(table["text"]), scope, lines, known, rows, share)
        return spans, [""] * len(spans)

    return edits.write_row_edits(unit, _COLUMNS, find)


def _scoped(table: pa.Table, unit: Unit, kept: np.ndarray) -> tuple[np.ndarray, Lines]:
    """Each document's scope, (num_docs) uint64, 0 for those that are left alone, and the lines of the others."""
    scope = np.where(kept, _scope(table, unit.settings["scope"]), np.uint64(0))
    texts, min_letters = TextBuffers.of(table["text"]), unit.settings["min_letters"]
    return scope, lines_of(texts, scope, min_letters, unit.settings["unit"] == "paragraph")


def _scope(table: pa.Table, scope: str) -> np.ndarray:
    if scope == "all":
        return np.ones(table.num_rows, np.uint64)
    names = table["source"]
    if scope == "host":
        names = hosts(pl.Series(pl.from_arrow(table["url"]))).to_arrow()
    return content_hashes(TextBuffers.of(names))[:, 0]


def recurrent_lines(
    texts: TextBuffers, scope: np.ndarray, lines: Lines, known: Recurrent, rows: np.ndarray, min_share: float
) -> Spans:
    """Spans of the lines that recur in so large a share of their scope's documents.

    Args:
        scope: (num_docs) uint64.
        rows: (num_docs) each document's row in its shard: in that of the first occurrence a line stays.
    """
    hit = np.zeros(len(lines.key), bool)
    shift = shift_of(known.directory)
    _look_up(
        scope,
        lines.key,
        lines.doc,
        rows,
        known.keys,
        known.count,
        known.row,
        known.directory,
        shift,
        min_share,
        hit,
    )
    doc, start, end = (column[hit] for column in (lines.doc, lines.start, lines.end))
    _take_the_break_before(texts.data, texts.offsets, doc, start, end)
    num = len(doc)
    return Spans(doc, start, end, np.zeros(num, np.int64), np.ones(num, np.float32), (RULE,))


@njit(cache=True, nogil=True)
def _look_up(scope, keys, doc, rows, known, count, first_row, directory, shift, min_share, hit):
    least, last = 0.0, -1
    for line in range(len(keys)):
        place = find_key(known, directory, shift, keys[line])
        if place < 0:
            continue
        if doc[line] != last:
            last = doc[line]
            whole = find_key(known, directory, shift, scope[last])
            # A scope that has a recurrent line has as many documents, and recurs.
            least = min_share * count[whole]
        hit[line] = count[place] >= least and first_row[place] != rows[last]


@njit(cache=True, nogil=True)
def _take_the_break_before(data, offsets, doc, start, end):
    """Of lines at the end of a text, the first begins with the line breaks before it: none are left to hang there."""
    num = len(doc)
    for last in range(num):
        if (last + 1 < num and doc[last + 1] == doc[last]) or end[last] < offsets[doc[last] + 1] - offsets[
            doc[last]
        ]:
            continue
        first = last
        while first and doc[first - 1] == doc[first] and end[first - 1] == start[first]:
            first -= 1
        base = offsets[doc[last]]
        before = end[first - 1] if first and doc[first - 1] == doc[first] else 0
        while start[first] > before and data[base + start[first] - 1] == _NEWLINE:
            start[first] -= 1
