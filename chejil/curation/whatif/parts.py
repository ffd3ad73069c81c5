"""The counting of a part of a shard: signals are judged twice, as the run did and as is asked, and forgotten.

Only columns that a bound or a rule of the source names are read, a few row groups at a time (131,072 documents, about
50 MB for 30 signals). Of a document that later deciders know of, its bits go back (41 bytes and up); of all others
counts, and the sampled ones with the smallest hash of their id, so that a sample does not depend on the workers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chejil.curation import shards
from chejil.curation.id_hashes import id_hashes
from chejil.curation.whatif import deciders
from chejil.curation.whatif.counting import (
    Effects,
    Funnels,
    Rows,
    count_effects,
    single_reasons,
)
from chejil.curation.whatif.judging import Columns, Judge, language_codes, set_bit
from chejil.errors import RunError
from chejil.filters.tokens import NUM_TOKENS

DOCUMENTS_A_PART = 1 << 20
_DOCUMENTS_A_BATCH = 1 << 17

Sampled = dict[tuple[bool, int], list[tuple[int, str, int]]]
"""By direction (True: newly kept) and first reason: hash of the id, shard and row; the smallest hashes first."""


@dataclass(frozen=True)
class Part:
    """What is to be counted: `number` of `of` parts of a shard's row groups.

    Args:
        said_before, said_after: folders with the verdicts of later deciders, where those do not wait to be asked.
        tokens: whether tokens were counted by the run, and are to be added up.
        deferred: rows of the shard that wait until the later deciders are asked, sorted.
        late: later deciders, and their reasons.
    """

    root: str
    shard: str
    number: int
    of: int
    before: Judge
    after: Judge
    early: tuple[str, ...]
    late: tuple[str, ...]
    late_reasons: tuple[str, ...]
    said_before: str | None
    said_after: str | None
    deferred: np.ndarray
    samples: int
    seed: int
    tokens: bool = False

    @property
    def source(self) -> str:
        """The source of its documents."""
        return self.shard.split("/", maxsplit=1)[0]

    def url(self, folder: str) -> str:
        """A table of the shard."""
        return shards.join(self.root, f"{folder}/{self.shard}.parquet")


@dataclass
class Counted:
    """What was counted of one part; `deferred` are in the order of their rows."""

    shard: str
    number: int
    funnels: Funnels
    effects: Effects
    deferred: list[Rows] = field(default_factory=list)
    sampled: Sampled = field(default_factory=dict)


@dataclass
class _Said:
    """What deciders other than the filter said of a shard: rows by bit."""

    early: list[tuple[int, np.ndarray]]
    before: list[tuple[int, np.ndarray]]
    after: list[tuple[int, np.ndarray]]

    @classmethod
    def of(cls, part: Part) -> _Said:
        def read(
            root: str | None, names: Sequence[str], reasons: tuple[str, ...]
        ) -> list[tuple[int, np.ndarray]]:
            return [
                (bit, np.sort(rows))
                for name in names
                if root is not None
                for bit, rows in deciders.said(root, name, part.shard, reasons)
            ]

        return cls(
            read(part.root, part.early, part.before.early),
            read(part.said_before, part.late, part.late_reasons),
            read(part.said_after, part.late, part.late_reasons),
        )


def count(part: Part) -> Counted:
    """Count one part of a shard."""
    num_before, num_after = len(part.before.reasons), len(part.after.reasons)
    late = len(part.late_reasons)
    found = Counted(
        part.shard, part.number, Funnels.empty(num_before + late, num_after + late), Effects.empty(num_after)
    )
    said = _Said.of(part)
    for first, batch in _batches(part):
        _count_batch(part, said, first, batch, found)
    return found


def _count_batch(part: Part, said: _Said, first: int, batch: Columns, found: Counted) -> None:
    lang, num_bytes = language_codes(batch["lang"]), batch["num_bytes"].to_numpy()
    before = part.before.judge(batch, part.source)
    after = part.after.judge_again(batch, part.source, part.before, before)
    for bit, given in _here(said.early, first, len(lang)):
        set_bit(before, given, bit)
        set_bit(after, given, bit)
    late_before, late_after = (_late(given, first, len(lang)) for given in (said.before, said.after))
    rows = Rows(before, after, late_before, late_after, lang, num_bytes, _tokens(part, batch))
    is_deferred = np.zeros(len(lang), bool)
    is_deferred[_within(part.deferred, first, len(lang))] = True
    _count_effects(part, batch, rows, is_deferred, found)
    if is_deferred.any():
        found.deferred.append(rows.at(is_deferred))
    decided = np.flatnonzero(~is_deferred)
    reasons = found.funnels.add(rows.at(decided), len(part.before.reasons), len(part.after.reasons))
    changed = Changed.of(decided + first, *reasons)
    if part.samples and len(changed.row):
        take_smallest(found.sampled, changed, part.url("decisions"), part.shard, part.samples, part.seed)


def _count_effects(part: Part, batch: Columns, rows: Rows, is_deferred: np.ndarray, found: Counted) -> None:
    single, effects = single_reasons(rows.after), found.effects
    count_effects(
        rows.after, single, rows.lang, rows.num_bytes, rows.late_after, is_deferred,
        effects.fails, effects.only, effects.lifted, effects.overlap,
    )  # fmt: skip
    part.after.near(batch, part.source, single, effects.near)


def _within(rows: np.ndarray, first: int, num: int) -> np.ndarray:
    """Those of some sorted rows that lie in a batch, counted from its start."""
    return rows[slice(*np.searchsorted(rows, [first, first + num]))] - first


def _here(said: list[tuple[int, np.ndarray]], first: int, num: int) -> Iterator[tuple[int, np.ndarray]]:
    for bit, rows in said:
        yield bit, _within(rows, first, num)


def _tokens(part: Part, batch: Columns) -> np.ndarray:
    """Tokens of each document, those of an empty one 0, (num_docs) int64."""
    if not part.tokens:
        return np.zeros(len(batch["num_bytes"]), np.int64)
    return pc.fill_null(batch[NUM_TOKENS], 0).to_numpy()


def _late(said: list[tuple[int, np.ndarray]], first: int, num: int) -> np.ndarray:
    bits = np.zeros(num, np.uint64)
    for bit, rows in _here(said, first, num):
        bits[rows] |= np.uint64(1 << bit)
    return bits


def _batches(part: Part) -> Iterator[tuple[int, Columns]]:
    """First row and columns of every batch of the part."""
    signals, fixed = part.before.columns(part.source)
    others = part.after.columns(part.source)
    tokens = {NUM_TOKENS} if part.tokens else set()
    wanted = {
        "signals": signals | others[0] | tokens,
        "documents": fixed | others[1],
        "decisions": {"num_bytes"},
    }
    with ExitStack() as files:
        tables = {
            folder: (_opened(files, part.url(folder), names), sorted(names))
            for folder, names in wanted.items()
            if names
        }
        groups = tables["signals"][0].metadata
        sizes = np.array([groups.row_group(number).num_rows for number in range(groups.num_row_groups)])
        ends = np.cumsum(sizes)
        low, high = (len(sizes) * number // part.of for number in (part.number, part.number + 1))
        while low < high:
            start = ends[low] - sizes[low]
            end = min(max(low + 1, int(np.searchsorted(ends, start + _DOCUMENTS_A_BATCH, "right"))), high)
            yield int(start), _columns(part, tables, range(low, end))
            low = end


def _opened(files: ExitStack, url: str, names: set[str]) -> pq.ParquetFile:
    """A table, languages as codes."""
    return files.enter_context(shards.opened(url, read_dictionary=sorted(names & {"lang"})))


def _columns(part: Part, tables: dict[str, tuple[pq.ParquetFile, list[str]]], groups: range) -> Columns:
    found: dict[str, pa.ChunkedArray] = {}
    sizes = set()
    for folder, (file, names) in tables.items():
        with shards.reading(part.url(folder)):
            table = file.read_row_groups(list(groups), columns=names, use_threads=False)
        found |= {name: table[name] for name in names if name not in found}
        sizes.add(table.num_rows)
    if len(sizes) > 1:
        what = "its signals, documents and decisions do not have the same rows"
        raise RunError(what, where=part.shard, mend=f"chejil verify {part.root} names what changed")
    return found


@dataclass(frozen=True)
class Changed:
    """Documents whose decision changes: row, True for newly kept, and the first reason (after; before, if kept)."""

    row: np.ndarray
    is_risen: np.ndarray
    reason: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, first_before: np.ndarray, first_after: np.ndarray) -> Changed:
        """Those of some rows whose decision changes."""
        at = np.flatnonzero((first_before < 0) != (first_after < 0))
        is_risen = first_after[at] < 0
        return cls(rows[at], is_risen, np.where(is_risen, first_before[at], first_after[at]))


def take_smallest(sampled: Sampled, changed: Changed, url: str, shard: str, samples: int, seed: int) -> None:
    """Enter changed documents (sorted by row) into the sample where the hash of their id is among the smallest."""
    hashes = _hashes(url, changed.row, seed)
    cells = changed.reason.astype(np.int32) << 1 | changed.is_risen
    for number in np.unique(cells).tolist():
        cell, here = (bool(number & 1), number >> 1), np.flatnonzero(cells == number)
        least = here[np.argpartition(hashes[here], min(samples, len(here)) - 1)[:samples]]
        new = [(int(hashes[at]), shard, int(changed.row[at])) for at in least]
        sampled[cell] = sorted([*sampled.get(cell, []), *new])[:samples]


def join_samples(sampled: Sampled, other: Sampled, samples: int) -> None:
    """Add what was sampled elsewhere."""
    for cell, new in other.items():
        sampled[cell] = sorted([*sampled.get(cell, []), *new])[:samples]


def _hashes(url: str, rows: np.ndarray, seed: int) -> np.ndarray:
    """Hash of the id of each of these rows, (num_rows) uint64: that of every other sample, 0.3 µs each."""
    found = []
    for table, places in shards.groups_of(url, rows, ["id"]):
        ids = table["id"].take(pa.array(places)).to_pylist()
        found.append(id_hashes(ids, seed))
    return np.concatenate(found)
