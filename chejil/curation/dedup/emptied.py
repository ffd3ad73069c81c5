"""Documents that a transform leaves empty, and those that it looks at: the two sides of a transform that also decides.

A page that is nothing but lines of its site loses all of them. An empty document in clean/ would be a training example
without a token, and to leave the page as it is would keep what was to go: so it is dropped, with a reason of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit

from chejil.curation import edits, shards
from chejil.curation.dedup.word_hashes import WHITE_SPACE, word_characters
from chejil.curation.place import EDITS, Place, verdicts_of
from chejil.curation.stage import Stage, Tally, Unit
from chejil.curation.verdicts import Verdicts
from chejil.filters.buffers import TextBuffers
from chejil.filters.unicode_classes import next_char

VERDICTS = pa.schema([("reasons", pa.list_(pa.string()))])


@dataclass(frozen=True)
class Kept:
    """Which documents of a shard the stages before have kept; None: no stage before drops any."""

    verdicts: Verdicts | None

    @classmethod
    def of(cls, unit: Unit) -> Kept:
        """Of the stages in `settings["before"]`."""
        return cls(Verdicts.of(unit, unit.shard) if unit.settings["before"] else None)

    def rows(self, first: int, num: int) -> np.ndarray:
        """Those from row `first` on, (num) bool."""
        if self.verdicts is None:
            return np.ones(num, bool)
        return (self.verdicts.window(first, num)["reasons"].list.len() == 0).to_numpy()


def stage(transform: str, place: Place) -> Stage:
    """The stage that says which documents a transform has emptied."""
    settings = {EDITS: [*place.transforms, transform], "transform": transform}
    return Stage(
        verdicts_of(transform), "map", find_emptied, settings, (*place.reads, edits.folder(transform))
    )


def find_emptied(unit: Unit) -> Tally:
    """Map: documents/ and edits/ → work/<transform>/verdicts/, a reason for each document of which nothing is left."""
    name = unit.settings["transform"]
    changed = shards.read_shard(unit.url(edits.folder(name)), ["row"])["row"]
    touched = np.unique(changed.to_numpy())
    path = unit.path(f"work/{unit.stage}")
    return Tally([shards.write_shard(unit.root, path, _judged(unit, touched, f"emptied:{name}"), VERDICTS)])


def _judged(unit: Unit, touched: np.ndarray, reason: str) -> Iterator[pa.Table]:
    first = 0
    for table in edits.documents(unit, ["text"]):
        here = touched[slice(*np.searchsorted(touched, [first, first + table.num_rows]))] - first
        texts, gone = TextBuffers.of(table["text"]), np.zeros(table.num_rows, bool)
        _mark_blank(texts.data, texts.offsets, word_characters(), here, gone)
        offsets = np.concatenate([[0], np.cumsum(gone)]).astype(np.int32)
        reasons = pa.repeat(pa.scalar(reason), int(offsets[-1]))
        yield pa.table({"reasons": pa.ListArray.from_arrays(pa.array(offsets), reasons)})
        first += table.num_rows


@njit(cache=True, nogil=True)
def _mark_blank(data, offsets, character, docs, gone):
    """Mark those of the documents that hold nothing but white space."""
    for doc in docs:
        at, end, blank = offsets[doc], offsets[doc + 1], True
        while at < end and blank:
            code, at = next_char(data, at)
            blank = character[code] == WHITE_SPACE
        gone[doc] = blank
