"""The documents that a command of the tokenizer reads: runs, Parquet, JSON lines, or any format that recipes know.

Of a run they are the clean shards: what is kept, with all edits. A piece is what one process reads at a time. How a
corpus is cut into pieces follows from its files alone, so what is made of it is the same for any number of workers.
Batches hold at most 32 MiB of text (or one document), whatever the row groups are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chejil.curation import shards
from chejil.curation.reading import sources
from chejil.curation.reading.input_files import InputFile
from chejil.curation.reading.sources import Source
from chejil.curation.statistics import inputs
from chejil.curation.statistics.batches import opened
from chejil.errors import ChejilError, SourceError

SCHEMA = pa.schema(
    [("id", pa.string()), ("text", pa.large_string()), ("source", pa.string()), ("lang", pa.string())]
)
"""Columns of a batch; `lang` is null where nobody said it."""

PIECE_BYTES = 256 << 20
BATCH_BYTES = 32 << 20
BATCH_ROWS = 1 << 14
BUFFER_BYTES = 1 << 20


Kind = Literal["clean", "parquet", "records"]


@dataclass(frozen=True)
class Piece:
    """What one process reads at a time: row groups of a clean shard or another Parquet file, or a file of records.

    Args:
        name: stable and unique; pieces are in the order of their names.
        num_bytes: what it weighs, for progress: decoded bytes of Parquet, else bytes of the file.
        groups: first row group, and the one after the last.
    """

    name: str
    kind: Kind
    url: str
    num_bytes: int
    groups: tuple[int, int] = (0, 0)
    first_row: int = 0
    source: Source | None = None
    file: InputFile | None = None


def pieces(paths: Sequence[str]) -> list[Piece]:
    """The pieces of all paths, each once.

    Args:
        paths: a run's folder; a Parquet or JSON-lines file; a folder or glob of such; `FORMAT:PATH` for a format of
            recipes; each local or a URL.

    Raises:
        ChejilError: nothing is there, something cannot be told, or a run has no clean shards.
    """
    found: dict[str, Piece] = {}
    for one in inputs.find(paths):
        if one.kind == "records":
            found[one.url] = Piece(one.url, "records", one.url, one.bytes, source=one.source, file=one.file)
            continue
        urls = [shards.join(one.url, path) for path, _ in one.clean] if one.kind == "run" else [one.url]
        kind: Kind = "clean" if one.kind == "run" else "parquet"
        found.update((piece.name, piece) for url in urls for piece in _of_parquet(url, kind))
    if not found:
        raise nothing(paths)
    return [found[name] for name in sorted(found)]


def nothing(paths: Sequence[str], rejected: Mapping[str, int] | None = None) -> ChejilError:
    """What is said of paths without a single document.

    Args:
        rejected: records that are none, by reason.
    """
    if rejected:
        mend = "name the column of the text by a recipe with `columns:`, or mend the file"
        return ChejilError(f"no documents: {told(rejected)}", where=", ".join(paths), mend=mend)
    mend = "a run needs the stage `write`, and documents that it keeps (chejil stats)"
    return ChejilError("no documents", where=", ".join(paths), mend=mend)


def told(rejected: Mapping[str, int]) -> str:
    """Counts of records that are no documents, for a line of text.

    >>> told({"no text": 1200, "not JSON": 3})
    '1,200 no text, 3 not JSON'
    """
    return ", ".join(f"{number:,} {reason}" for reason, number in rejected.items())


def _of_parquet(url: str, kind: Kind) -> Iterator[Piece]:
    """Consecutive row groups of together PIECE_BYTES or more."""
    with opened(url) as parquet:
        if "text" not in parquet.schema_arrow.names:
            mend = "FORMAT:PATH reads a published format; a recipe with `columns:` maps any other"
            raise SourceError("no column `text`", where=url, mend=mend)
        first, row, num_bytes, rows = 0, 0, 0, 0
        for number in range(parquet.num_row_groups):
            group = parquet.metadata.row_group(number)
            num_bytes += group.total_byte_size
            rows += group.num_rows
            if num_bytes >= PIECE_BYTES or number == parquet.num_row_groups - 1:
                groups = (first, number + 1)
                yield Piece(f"{url}#{first:06}", kind, url, num_bytes, groups, row)
                first, row, num_bytes, rows = number + 1, row + rows, 0, 0


def batches(
    piece: Piece, columns: Sequence[str] = ("text",), rejected: Counter[str] | None = None
) -> Iterator[pa.Table]:
    """The documents of a piece, in order, with some columns of SCHEMA.

    Records that are no documents, and rows whose text is null, are left out and counted by reason in `rejected`.

    A file that does not say its source is of the format that was named, else of the folder that it lies in; a document
    without id is called after its file and row.

    Raises:
        SourceError: a file cannot be read, or not to its end.
    """
    rejected = Counter() if rejected is None else rejected
    tables = _records(piece, rejected) if piece.kind == "records" else _parquet(piece, columns)
    for table in tables:
        if "text" in columns and table["text"].null_count:
            rejected["null text"] += table["text"].null_count
            table = table.filter(pc.is_valid(table["text"]))
        if table.num_rows:
            yield table.select(list(columns)).cast(pa.schema([SCHEMA.field(name) for name in columns]))


def may_lack_text(piece: Piece) -> bool:
    """Whether rows may have a null text, so that the text must be read to know which rows are documents."""
    return piece.kind == "parquet"


def _records(piece: Piece, rejected: Counter[str]) -> Iterator[pa.Table]:
    assert piece.source is not None
    assert piece.file is not None
    for batch in sources.read(_source_name(piece), piece.source, piece.file):
        rejected.update(batch.quarantine["reason"].to_pylist())
        yield batch.documents.select(SCHEMA.names)


def _parquet(piece: Piece, columns: Sequence[str]) -> Iterator[pa.Table]:
    with opened(piece.url, BUFFER_BYTES) as parquet:
        stored = [name for name in columns if name in parquet.schema_arrow.names]
        read = stored or parquet.schema_arrow.names[:1]  # rows that have nothing to say are counted
        row = piece.first_row
        for batch in parquet.iter_batches(
            _batch_rows(parquet, piece),
            row_groups=list(range(*piece.groups)),
            columns=read,
            use_threads=False,
        ):
            table = pa.Table.from_batches([batch])
            for name in columns:
                if name not in stored:
                    table = table.append_column(name, _made_up(name, piece, row, batch.num_rows))
            yield table
            row += batch.num_rows


def _batch_rows(parquet: pq.ParquetFile, piece: Piece) -> int:
    groups = [parquet.metadata.row_group(number) for number in range(*piece.groups)]
    rows = max(1, sum(group.num_rows for group in groups))
    return max(1, min(BATCH_ROWS, BATCH_BYTES * rows // max(1, piece.num_bytes)))


def _made_up(name: str, piece: Piece, row: int, size: int) -> pa.Array:
    if name == "lang":
        return pa.nulls(size, pa.string())
    if name == "source":
        return pa.array([_source_name(piece)] * size)
    file = PurePosixPath(piece.url).name
    return pa.array([f"{file}#{number}" for number in range(row, row + size)])


def _source_name(piece: Piece) -> str:
    """Of files that do not say it: the format that was named, else the folder that they lie in."""
    if piece.source is not None and piece.source.format != inputs.PLAIN:
        return piece.source.format
    return PurePosixPath(shards.file_system(piece.url)[1]).parent.name or "documents"
