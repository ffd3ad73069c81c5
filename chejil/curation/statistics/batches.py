"""Batches of rows for counting, with the columns that are needed and no others: of run shards, Parquet, and records.

A batch has at most 65,536 rows and about 32 MiB, whatever the row groups are: Parquet is decoded a few pages at a time,
so memory does not follow a file that is one row group, and small row groups are counted together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from chejil.curation import edits, lookup, shards
from chejil.curation.reading import sources
from chejil.curation.reading.tables import unique_names
from chejil.curation.statistics import values
from chejil.curation.statistics.inputs import TABLES, Input
from chejil.curation.statistics.tallies import ALIASES
from chejil.errors import RunError, SourceError

BATCH_ROWS = 1 << 16
BATCH_BYTES = 32 << 20
BUFFER_BYTES = 1 << 20

SIZES = ("num_bytes", "num_chars", "num_words")
"""Columns that say how large a document is; without them, `text` is read."""

TEXT = "text"
KEPT = "kept"


@dataclass
class Rows:
    """Some rows: columns of numbers, columns of words, and the text where it is needed.

    Args:
        kept: of a run, (num_rows) whether each document was kept; None of bare shards, whatever columns they have.
    """

    num_rows: int
    numbers: dict[str, pa.Array] = field(default_factory=dict)
    words: dict[str, pa.Array] = field(default_factory=dict)
    text: pa.Array | None = None
    kept: pa.Array | None = None
    quarantined: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """What is to be counted: columns to group by, and whether the text is to be read of bare shards and of runs."""

    by: tuple[str, ...]
    text: bool
    text_of_runs: bool

    @property
    def coded(self) -> tuple[str, ...]:
        """Columns that have few different words."""
        return (*self.by, *ALIASES["source"], *ALIASES["lang"], *ALIASES["license"])

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """Columns of words, by what they are for: what is grouped by, and what is tallied."""
        return {**{name: (name,) for name in self.by}, **ALIASES}


@contextmanager
def opened(url: str, buffer_bytes: int = 0, coded: Iterable[str] = ()) -> Iterator[pq.ParquetFile]:
    """A Parquet file; with a buffer it is read a page at a time, else a column of a row group at a time.

    The buffer costs a fifth of the speed: it is for text, whose row groups may be large. A local file is read by Arrow
    itself, not through Python.

    Args:
        coded: columns of few different words, which are read as codes: 65,536 strings take 1 ms each time.

    Raises:
        SourceError: it is not there, is not Parquet, or is torn.
    """
    files, path = shards.file_system(url)
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(_stream(files, path))
            footer = pq.read_metadata(stream)
            there = {footer.schema.column(place).path for place in range(footer.num_columns)}
            parquet = pq.ParquetFile(
                stream, metadata=footer, pre_buffer=False, buffer_size=buffer_bytes,
                read_dictionary=sorted(there.intersection(coded)),
            )  # fmt: skip
            yield stack.enter_context(parquet)
    except FileNotFoundError as error:
        raise SourceError(
            "the file is gone", where=url, mend="restore it from a copy, or run again"
        ) from error
    except (pa.ArrowException, OSError) as error:
        what = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"not a whole Parquet file: {what}", where=url, mend="write it again") from error


def _stream(files: fsspec.AbstractFileSystem, path: str) -> AbstractContextManager[Any]:
    return nullcontext(path) if isinstance(files, LocalFileSystem) else files.open(path, "rb")


def is_number(kind: pa.DataType) -> bool:
    """Integers, floats, decimals and truth values."""
    numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(check(kind) for check in numeric)


def of_parquet(
    parquet: pq.ParquetFile, groups: Sequence[int], wanted: Wanted, url: str = ""
) -> Iterator[Rows]:
    """Rows of some row groups of a Parquet file: all numbers, and the words that are wanted.

    Raises:
        SourceError: a column stands twice.
    """
    schema = parquet.schema_arrow
    unique_names(schema.names, url)
    words = _present(schema, wanted)
    numbers = [f.name for f in schema if is_number(f.type) and f.name not in (*words.values(), TEXT)]
    has_text = TEXT in schema.names and not set(SIZES) <= set(numbers)
    text = [TEXT] if wanted.text and has_text else []
    for table in _tables(parquet, groups, [*numbers, *dict.fromkeys(words.values()), *text]):
        table, quarantined = values.documents(table, TEXT) if text else (table, [])
        yield replace(_rows(table, numbers, words, TEXT if text else None), quarantined=quarantined)


def _present(schema: pa.Schema, wanted: Wanted) -> dict[str, str]:
    """The column that holds each kind of words, where there is one."""
    found = {}
    for kind, names in wanted.words.items():
        name = next((name for name in names if name in schema.names), None)
        if name is not None and values.holds_words(schema.field(name).type, kind):
            found[kind] = name
    return found


def _tables(parquet: pq.ParquetFile, groups: Sequence[int], columns: Sequence[str]) -> Iterator[pa.Table]:
    if not columns:
        for group in groups:
            left = parquet.metadata.row_group(group).num_rows
            while left > 0:  # rows that have nothing to count are counted
                yield pa.table({"": pa.nulls(min(left, BATCH_ROWS))})
                left -= BATCH_ROWS
        return
    size, some = _batch_rows(parquet, groups, columns), list[pa.RecordBatch]()
    for batch in parquet.iter_batches(
        size, row_groups=list(groups), columns=list(columns), use_threads=False
    ):
        if some and sum(one.num_rows for one in some) + batch.num_rows > size:
            yield _joined(some)
            some = []
        some.append(batch)
    if some:
        yield _joined(some)


def _joined(some: list[pa.RecordBatch]) -> pa.Table:
    table = pa.Table.from_batches(some)
    return table if len(some) == 1 else table.unify_dictionaries()


def _batch_rows(parquet: pq.ParquetFile, groups: Sequence[int], columns: Sequence[str]) -> int:
    """Rows that make BATCH_BYTES in these columns, by the footer."""
    num_bytes, rows = 0, 0
    for number in groups:
        group = parquet.metadata.row_group(number)
        rows += group.num_rows
        for place in range(group.num_columns):
            column = group.column(place)
            if column.path_in_schema.split(".")[0] in columns:
                num_bytes += max(column.total_uncompressed_size, 8 * group.num_rows)
    return max(64, min(BATCH_ROWS, BATCH_BYTES * rows // max(1, num_bytes)))


def _rows(table: pa.Table, numbers: Sequence[str], words: dict[str, str], text: str | None) -> Rows:
    return Rows(
        table.num_rows,
        {name: _flat(table[name]) for name in numbers},
        {kind: values.words(_flat(table[name])) for kind, name in words.items()},
        _flat(table[text]) if text else None,
    )


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def of_run(one: Input, wanted: Wanted) -> Iterator[Rows]:
    """Rows of a shard of a run: its decisions, its stored signals, and what its documents say of themselves.

    The text, where it is wanted, is that of the clean shards: with all edits.

    Raises:
        SourceError: one of the tables that the manifest names is gone or torn.
        RunError: its tables have different numbers of rows.
    """
    root, shard = one.url, one.name
    with ExitStack() as open_files:
        found = {
            folder: open_files.enter_context(opened(url, coded=wanted.coded))
            for folder, url in _tables_of(one)
        }
        place = {name: f for f in reversed(TABLES) if f in found for name in found[f].schema_arrow.names}
        words = {kind: next((n for n in names if n in place), "") for kind, names in wanted.words.items()}
        words = {**{k: n for k, n in words.items() if n}, "reason": "reason"}
        numbers = ["num_bytes", *CLUSTER_SIZES.values(), *_signals(found.get("signals"), words.values())]
        columns: dict[str, list[str]] = {folder: [] for folder in found}
        for name in dict.fromkeys([KEPT, *numbers, *words.values()]):
            columns[place[name]].append(name)
        streams = [
            _tables(found[f], range(found[f].num_row_groups), some) for f, some in columns.items() if some
        ]
        if wanted.text_of_runs:
            streams.append(edits.row_groups(root, shard, [TEXT], lookup.recipe_of(root).transforms()))
        for tables in in_step(streams, f"{root}: {shard}"):
            table = pa.table({name: table[name] for table in tables for name in table.column_names})
            rows = _rows(table, numbers, words, TEXT if wanted.text_of_runs else None)
            yield replace(rows, kept=_flat(table[KEPT]))


CLUSTER_SIZES = {"exact": "exact_cluster_size", "near": "near_cluster_size"}
"""Columns of decisions/ that say how many documents are in a document's cluster."""


def _tables_of(one: Input) -> Iterator[tuple[str, str]]:
    """Folders and URLs of those tables of a shard that the manifest names: without `score` there are no signals."""
    for folder in TABLES:
        if folder in one.tables:
            yield folder, shards.join(one.url, f"{folder}/{one.name}.parquet")


def _signals(parquet: pq.ParquetFile | None, without: Iterable[str]) -> list[str]:
    schema = parquet.schema_arrow if parquet is not None else pa.schema([])
    return [field.name for field in schema if is_number(field.type) and field.name not in without]


def columns_of(one: Input) -> Iterator[str]:
    """Names of the columns of a file, or of those tables of a shard of a run, that one can group by."""
    urls = [url for _, url in _tables_of(one)] if one.kind == "run" else [one.url]
    for url in urls:
        with opened(url) as parquet:
            yield from (f.name for f in parquet.schema_arrow if values.holds_words(f.type, ""))


def in_step(streams: Sequence[Iterator[pa.Table]], where: str) -> Iterator[list[pa.Table]]:
    """Tables of the same rows from several streams that cut theirs differently.

    Raises:
        RunError: one of them ends before another.
    """
    heads: list[pa.Table | None] = [None] * len(streams)
    while True:
        for number, stream in enumerate(streams):
            head = heads[number]
            if head is None or head.num_rows == 0:
                heads[number] = next((table for table in stream if table.num_rows), None)
        full = [head for head in heads if head is not None]
        if len(full) < len(heads):
            if full:
                mend = "chejil verify names what changed"
                raise RunError("tables of different numbers of rows", where=where, mend=mend)
            return
        size = min(head.num_rows for head in full)
        yield [head.slice(0, size) for head in full]
        heads = [head.slice(size) for head in full]


def of_records(one: Input, wanted: Wanted) -> Iterator[Rows]:
    """Rows of JSON lines or of a published format; what is grouped by may be a field that went into `meta`."""
    assert one.source is not None
    assert one.file is not None
    for batch in sources.read(one.file.name, one.source, one.file):
        table = batch.documents.drop_columns(["source"])  # what we called it, not what the record says
        words = {kind: values.field(table, names) for kind, names in wanted.words.items()}
        yield Rows(
            table.num_rows,
            {},
            words,
            _flat(table[TEXT]) if wanted.text else None,
            quarantined=batch.quarantine["reason"].to_pylist(),
        )
