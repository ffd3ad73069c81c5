"""Counts a piece of a corpus, in whatever process: a part, which adds up with other parts in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.curation import decisions, shards
from chejil.curation.dedup.shingles import content_hashes
from chejil.curation.reading.documents import REASONS
from chejil.curation.statistics import batches, footers, tallies
from chejil.curation.statistics.batches import CLUSTER_SIZES, Rows, Wanted
from chejil.curation.statistics.columns import Columns
from chejil.curation.statistics.footers import File
from chejil.curation.statistics.groups import group_rows, plain
from chejil.curation.statistics.inputs import PIECE_ROW_GROUPS, Input
from chejil.curation.statistics.text_counts import text_sizes
from chejil.errors import SourceError
from chejil.filters.buffers import TextBuffers
from chejil.filters.tokens import NUM_TOKENIZED_BYTES, NUM_TOKENS, count_tokens


@dataclass(frozen=True)
class Settings:
    """What is asked for.

    Args:
        by: columns to group by.
        tokenizer: path or URL of a tokenizer.json, or of a folder that holds one; the text is read for it.
        tokenizer_sample: share of the documents that it counts, chosen by a hash of their content.
        text: False: the text of bare shards is not read.
    """

    by: tuple[str, ...] = ("source", "lang")
    tokenizer: str | None = None
    tokenizer_sample: float = 1.0
    text: bool = True

    @property
    def share_tokenized(self) -> float:
        """Share of the documents whose tokens are known; stored ones are those of all."""
        return self.tokenizer_sample if self.tokenizer is not None else 1.0

    @property
    def wanted(self) -> Wanted:
        """What is read for it."""
        return Wanted(self.by, self.text or self.tokenizer is not None, self.tokenizer is not None)


@dataclass
class Part:
    """What was counted.

    Args:
        columns: summaries by `by` and, last, whether the document was kept ("true", "false"; None of bare shards).
        funnel: documents and bytes by source, language and first reason; of runs.
        clusters: documents by kind and size of their cluster; of runs.
        fields: columns of `by` that had a value in some row of records.
        torn: files whose compressed stream ends or breaks too early: what stands behind the tear is lost.
        hashes: 64 bits of each document's content without white space, 8 bytes a document; of bare shards.
    """

    columns: Columns = field(default_factory=Columns)
    tallies: dict[str, Counter[str | None]] = field(default_factory=dict)
    funnel: list[dict[str, Any]] = field(default_factory=list)
    clusters: Counter[tuple[str, int]] = field(default_factory=Counter)
    hashes: list[np.ndarray] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    quarantined: Counter[str] = field(default_factory=Counter)
    fields: set[str] = field(default_factory=set)
    torn: list[str] = field(default_factory=list)

    def add(self, other: Part) -> None:
        """Add what another has counted."""
        self.columns.merge(other.columns)
        for name, counts in other.tallies.items():
            self.tallies.setdefault(name, Counter()).update(counts)
        self.funnel = decisions.added_up([*self.funnel, *other.funnel])
        self.clusters.update(other.clusters)
        self.hashes += other.hashes
        self.files += other.files
        self.quarantined.update(other.quarantined)
        self.fields |= other.fields
        self.torn += other.torn


def pieces(one: Input) -> Iterator[tuple[str, tuple[Input, tuple[int, ...] | None]]]:
    """Names and arguments of the calls of `count_piece` that count an input.

    Raises:
        SourceError: not Parquet.
    """
    if one.kind != "parquet" or one.bytes < _SMALL_BYTES:
        yield one.name, (one, None)
        return
    with batches.opened(one.url) as parquet:
        groups = range(parquet.num_row_groups)
    for first in range(0, max(1, len(groups)), PIECE_ROW_GROUPS):
        yield f"{one.name}#{first}", (one, tuple(groups[first : first + PIECE_ROW_GROUPS]))


_SMALL_BYTES = 64 << 20  # a file below is one piece, and its footer is read once


def count_piece(one: Input, groups: tuple[int, ...] | None, settings: Settings) -> Part:
    """Count an input, or some row groups of a Parquet file; the first ones bring what the footer says.

    Raises:
        SourceError: the file cannot be read, or not one of its records.
    """
    part = Part()
    for rows in _rows(one, groups, settings.wanted, part):
        count_rows(part, rows, settings)
    if one.kind == "records":
        _refuse_unreadable(one, part)
        part.torn += [one.name] if part.quarantined[TORN] else []
        part.files.append(File(one.name, one.bytes, part.columns.rows()))
    if one.kind == "run":
        part.files += _clean_files(one)
        part.quarantined.update(one.quarantined)
    return part


TORN = "torn_stream"
NO_RECORDS = (TORN, "bad_json", "not_an_object", "bad_row", "invalid_utf8", "broken_record")
"""Reasons of the quarantine that say of a file without any document that it is not what its name says."""


def _refuse_unreadable(one: Input, part: Part) -> None:
    """A file of another kind is one that could not be read, and not one of so many flawed records."""
    wrong = {reason: part.quarantined[reason] for reason in NO_RECORDS if part.quarantined[reason]}
    if part.columns.rows() or not wrong:
        return
    said = ", ".join(f"{number:,} {reason}: {REASONS[reason]}" for reason, number in wrong.items())
    mend = "JSON lines have an object a line (jq -c '.[]' makes them of an array); FORMAT:PATH names a format"
    raise SourceError(f"not one record could be read ({said})", where=one.url, mend=mend)


def _rows(one: Input, groups: tuple[int, ...] | None, wanted: Wanted, part: Part) -> Iterator[Rows]:
    if one.kind == "run":
        yield from batches.of_run(one, wanted)
    elif one.kind == "records":
        yield from batches.of_records(one, wanted)
    else:
        with batches.opened(one.url, batches.BUFFER_BYTES if wanted.text else 0, wanted.coded) as parquet:
            if not groups or groups[0] == 0:
                part.files.append(footers.of_parquet(one.name, one.bytes, parquet))
            groups = tuple(range(parquet.num_row_groups)) if groups is None else groups
            yield from batches.of_parquet(parquet, groups, wanted, one.url)


def _clean_files(one: Input) -> Iterator[File]:
    """The shards that the run wrote of one that it read."""
    for path, num_bytes in one.clean:
        with batches.opened(shards.join(one.url, path)) as parquet:
            yield footers.of_parquet(path, num_bytes, parquet)


def count_rows(part: Part, rows: Rows, settings: Settings) -> None:
    """Add a batch to a part."""
    part.fields |= {
        name for name in settings.by if name in rows.words and rows.words[name].null_count < rows.num_rows
    }
    numbers: dict[str, Any] = dict(rows.numbers)
    part.quarantined.update(rows.quarantined)
    if rows.text is not None:
        numbers |= _of_text(part, rows, settings)
    if rows.kept is not None:
        for kind, name in CLUSTER_SIZES.items():
            found = numbers.pop(name).value_counts().to_pylist()
            part.clusters.update(
                {(kind, row["values"]): row["counts"] for row in found if row["values"] is not None}
            )
        part.funnel = decisions.added_up([*part.funnel, *_funnel(rows)])
    for name in tallies.ALIASES:
        if name in rows.words:
            part.tallies.setdefault(name, Counter()).update(tallies.tally(name, rows.words[name]))
    keys, groups = group_rows([*map(rows.words.get, settings.by), rows.kept], rows.num_rows)
    keys, places, starts = part.columns.ordered(keys, groups)
    part.columns.add(list(numbers), map(_plain_numbers, numbers.values()), keys, starts, places)


def _plain_numbers(column: pa.Array | np.ndarray) -> np.ndarray:
    """(num_rows) int64 as Arrow holds it, or float64 with NaN where null: for each type the kernel is compiled."""
    if isinstance(column, np.ndarray):
        return column
    if pa.types.is_boolean(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    values = column.to_numpy(zero_copy_only=False)
    return values if values.dtype in (np.int64, np.float64) else values.astype(np.float64)


def _of_text(part: Part, rows: Rows, settings: Settings) -> dict[str, Any]:
    """Columns that the text gives, where they are not stored; hashes of bare shards go into the part."""
    assert rows.text is not None
    texts = TextBuffers.of(rows.text)
    columns: dict[str, Any] = {}
    hashes = content_hashes(texts)[:, 0]
    if rows.kept is None:
        part.hashes.append(hashes)
        columns |= {name: size for name, size in text_sizes(texts).items() if name not in rows.numbers}
    if settings.tokenizer is not None:
        chosen = _sampled(rows, hashes, settings.tokenizer_sample)
        counted, sizes = np.full(rows.num_rows, np.nan), np.full(rows.num_rows, np.nan)
        counted[chosen] = count_tokens(texts, settings.tokenizer, chosen)
        sizes[chosen] = texts.num_bytes[chosen]
        columns |= {NUM_TOKENS: counted, NUM_TOKENIZED_BYTES: sizes}
    return columns


def _sampled(rows: Rows, hashes: np.ndarray, share: float) -> np.ndarray:
    """Rows whose tokens are counted: what was kept, and of it those whose hash says so."""
    chosen = hashes <= np.uint64(min(2**64 - 1, int(share * 2**64)))
    if rows.kept is not None:
        chosen &= rows.kept.to_numpy(zero_copy_only=False).astype(bool)
    return np.flatnonzero(chosen)


def _funnel(rows: Rows) -> list[dict[str, Any]]:
    names = ("source", "lang", "reason")
    columns = {name: plain(rows.words[name]) for name in names}
    table = pa.table({**columns, "num_bytes": rows.numbers["num_bytes"]})
    return decisions.funnel(pl.DataFrame(pl.from_arrow(table)))
