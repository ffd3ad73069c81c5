"""Exact-substring deduplication: text that stands in the corpus twice is cut, all but its first occurrence.

Lee et al. 2022, "Deduplicating training data makes language models better", section 4: a suffix array of the corpus,
8 bytes of disk a byte of text beside the text itself, built on one machine. Here the same bytes are found by hashes
of windows in two rounds (`windows.py`): few anchors of all documents first, then all windows of those places alone
whose anchor recurs. Each round is a map, then a split by ranges of keys, so that it runs on as many machines as there
are shards, and no step holds more than a row group, its own range, or what recurs in its own shard.

What is promised, for `min_bytes` = N: of any N bytes (that begin with a character) that stand in the corpus more than
once, one occurrence is first, and all others are cut, with the exception of what the last one shares with the first
where they overlap. Nothing is cut that is not covered by such a window. Which occurrence is first stands in
`recurrence.py`: it is always in a document that the stages before have kept, since no others are looked at. N bytes
of UTF-8 are N English characters, N/3 Korean ones: of either about a quarter as many tokens.

Cuts lie between characters, and between words where a blank is near (`whole_words`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import edits, shards
from chejil.curation.dedup import emptied, windows
from chejil.curation.dedup.emptied import Kept
from chejil.curation.dedup.recurrence import CountWriter, Recurrent, find_recurrent
from chejil.curation.dedup.windows import MAX_STRETCH, Stretches
from chejil.curation.edits import Edited
from chejil.curation.place import Place
from chejil.curation.shards import ShardWriter
from chejil.curation.stage import Stage, Tally, Unit
from chejil.filters.buffers import TextBuffers
from chejil.filters.spans import Spans

NAME = "substring_dedup"
RULE = "repeated_substring"

STRETCHES = pa.schema([("row", pa.int32()), ("first", pa.int64()), ("end", pa.int64())])
"""Windows of a shard that may recur: of the document in `row` those from byte `first` up to, but not at, `end`."""

_ANCHOR_SHARE = 0.5
_WORD_BYTES = 48  # an eojeol of 16 syllables
_BLANK = 0x20  # ASCII white space, which is all but a few in text


class SubstringDedup(BaseModel):
    """Cut text that stands elsewhere word for word; every cut is kept in edits/substring_dedup."""

    model_config = ConfigDict(extra="forbid")

    min_bytes: int = Field(
        240,
        ge=32,
        le=1 << 16,
        description="The shortest text that is cut, in bytes of UTF-8: so many English characters, or a third of "
        "as many Korean ones.",
    )
    whole_words: bool = Field(
        True, description="A cut begins and ends between words, if the next blank inside it is near."
    )


def stages(settings: SubstringDedup, place: Place) -> list[Stage]:
    """Anchors, those that recur; windows about them, those that recur; the edits, and what they leave empty."""
    anchor = int(settings.min_bytes * _ANCHOR_SHARE)
    key = {"size": settings.min_bytes, "anchor": anchor, **place.edited, "before": list(place.deciders)}
    reads = (*place.reads, *place.verdicts)
    counts, found, cand, recurrent = (
        f"{NAME}/{name}" for name in ("anchors", "recurrent_anchors", "windows", "recurrent_windows")
    )
    cut = {**key, "whole_words": settings.whole_words}
    return [
        Stage(counts, "map", write_anchors, key, reads),
        Stage(found, "split", find_recurrent, {"counts": counts, "limit": 1}, (counts,)),
        Stage(cand, "map", write_windows, key, (found, *reads)),
        Stage(
            recurrent, "split", find_recurrent, {"counts": cand, "limit": 1}, (f"{cand}",), rows_a_part=1 << 22
        ),
        Stage(edits.folder(NAME), "map", cut_repeated, cut, (recurrent, cand, *reads)),
        emptied.stage(NAME, place),
    ]  # fmt: skip


def write_anchors(unit: Unit) -> Tally:
    """Map: documents/ that are kept so far → work/substring_dedup/anchors/, how often each chosen anchor occurs."""
    with CountWriter(unit, f"work/{unit.stage}", placed=False, by_document=False) as counts:
        for _, _, texts in _kept(unit):
            keys = windows.anchors(texts, unit.settings["size"], unit.settings["anchor"])
            counts.add(keys, *np.zeros((2, len(keys)), np.int32))
    return Tally([counts.record])


def write_windows(unit: Unit) -> Tally:
    """Map: documents/ that are kept so far → work/substring_dedup/stretches/, where anchors recur, and windows/, how
    often and where first each window occurs there."""
    known = Recurrent.of(unit, f"{NAME}/recurrent_anchors")
    size, anchor = unit.settings["size"], unit.settings["anchor"]
    with ExitStack() as files:
        path = unit.path(f"work/{NAME}/stretches")
        where = files.enter_context(ShardWriter(unit.root, path, STRETCHES))
        counts = files.enter_context(CountWriter(unit, f"work/{unit.stage}", placed=True, by_document=False))
        for first, table, texts in _kept(unit):
            found = windows.stretches(texts, size, anchor, known)
            where.write(pa.table({"row": found.doc + first, "first": found.first, "end": found.end}))
            counts.documents(table["id"])
            for part in found.parts(MAX_STRETCH):
                keys, docs, starts = windows.window_keys(texts, size, part)
                counts.add(keys, docs + first, starts)
    assert where.record is not None
    return Tally([counts.record, where.record])


def cut_repeated(unit: Unit) -> Tally:
    """Map: documents/ that are kept so far → edits/substring_dedup/, a row a run of bytes that goes."""
    known, size = Recurrent.of(unit, f"{NAME}/recurrent_windows"), unit.settings["size"]
    table = shards.read_shard(unit.url(f"work/{NAME}/stretches"))
    row, start, end = (table[name].to_numpy().astype(np.int64) for name in STRETCHES.names)
    first = 0

    def find(documents: pa.Table) -> Edited:
        nonlocal first
        texts = TextBuffers.of(documents["text"])
        here = slice(*np.searchsorted(row, [first, first + len(texts)]))
        where = Stretches(row[here] - first, start[here], end[here])
        doc, low, high = windows.repeated(texts, size, where, known, first)
        first += len(texts)
        if unit.settings["whole_words"]:
            _to_words(texts.data, texts.offsets, doc, low, high, min(_WORD_BYTES, size // 4))
        num = len(doc)
        spans = Spans(doc, low, high, np.zeros(num, np.int64), np.ones(num, np.float32), (RULE,))
        return spans.where(low < high), [""] * int(np.count_nonzero(low < high))

    return edits.write_row_edits(unit, ["text"], find)


def _kept(unit: Unit) -> Iterator[tuple[int, pa.Table, TextBuffers]]:
    """Row groups: the row of the first document, the documents, and their texts, empty for those dropped before."""
    first, kept = 0, Kept.of(unit)
    for table in edits.documents(unit, ["id", "text"]):
        mask = kept.rows(first, table.num_rows)
        texts = table["text"] if mask.all() else pc.if_else(pa.array(mask), table["text"], "")
        yield first, table, TextBuffers.of(texts)
        first += table.num_rows


@njit(cache=True, nogil=True)
def _to_words(data, offsets, doc, low, high, most):
    """Shrink cuts to begin and end behind white space, if there is any among their first and last `most` bytes."""
    for cut in range(len(doc)):
        base, num_bytes = offsets[doc[cut]], offsets[doc[cut] + 1] - offsets[doc[cut]]
        at = low[cut]
        while at and at - low[cut] < most and at < high[cut] and data[base + at - 1] > _BLANK:
            at += 1
        if at == 0 or data[base + at - 1] <= _BLANK:
            low[cut] = at
        at = high[cut]
        while at < num_bytes and high[cut] - at < most and at > low[cut] and data[base + at - 1] > _BLANK:
            at -= 1
        if at == num_bytes or data[base + at - 1] <= _BLANK:
            high[cut] = at
