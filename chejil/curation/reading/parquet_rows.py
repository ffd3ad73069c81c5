"""Parquet as a container: the rows of a file with every value in a type that JSON knows.

Columns drift between published shards (dictionary codes, `large_string`, string views, int and float, dates
that were strings last month), so nothing is cast to an expected schema: each column is taken as it is, and
only what JSON cannot say (times, decimals) becomes text, in Arrow, without loss (nanoseconds and time zones
stay).

One row group may hold the whole file. Column chunks are read through a buffer of 1 MiB and decoded a few
MiB at a time, so memory follows the pages and not the row group; reading without the buffer takes all
compressed bytes of a row group at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chejil.curation.reading.containers import Row, Rows
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.streams import RawFile
from chejil.curation.reading.tables import unique_names
from chejil.errors import SourceError

_BUFFER_BYTES = 1 << 20
_STEP_BYTES = 4 << 20
_MAX_STEP_ROWS = 4096


def parquet_rows(raw: RawFile) -> Rows:
    """The rows of a Parquet file. `raw` is left at its start, so that its hash takes a pass of its own.

    Raises:
        SourceError: not Parquet, its footer is torn, a page cannot be decoded, or a column has no form in JSON.
    """
    for batch in _batches(raw):
        yield from _rows(_plain_batch(batch, raw.url), raw.url)
    raw.rewind()


def _batches(raw: RawFile) -> Iterator[pa.RecordBatch]:
    try:
        file = pq.ParquetFile(raw.stream, pre_buffer=False, buffer_size=_BUFFER_BYTES)
        unique_names(file.schema_arrow.names, raw.url)
        num_bytes, num_rows = raw.stream.seek(0, 2), 0
        for batch in file.iter_batches(_step_rows(file.metadata), use_threads=False):
            num_rows += batch.num_rows
            raw.num_bytes = num_bytes * num_rows // file.metadata.num_rows
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"not a whole Parquet file: {_first_line(error)}", where=raw.url, mend="fetch it again"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _plain_batch(batch: pa.RecordBatch, url: str) -> pa.RecordBatch:
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns.append(_plain(column))
        except (pa.ArrowException, ValueError) as error:
            raise _no_json(name, column.type, error, url) from error
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _no_json(name: str, kind: pa.DataType, error: Exception, url: str) -> SourceError:
    return SourceError(
        f"column '{name}', a {str(kind)[:200]}, cannot be read: {_first_line(error)}",
        where=url,
        mend="write the file again without it, or with another type (fields of a struct need different names)",
    )


def _step_rows(metadata: pq.FileMetaData) -> int:
    num_bytes = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    return max(1, min(_MAX_STEP_ROWS, _STEP_BYTES * metadata.num_rows // max(1, num_bytes)))


def _rows(batch: pa.RecordBatch, url: str) -> Rows:
    try:
        yield from map(Row, _records(batch, url))
        return
    except UnicodeDecodeError:
        pass  # Parquet writers do not check UTF-8: find the row that is to blame
    for number in range(batch.num_rows):
        yield _row(batch.slice(number, 1), url)


def _row(batch: pa.RecordBatch, url: str) -> Row | Flaw:
    try:
        return Row(_records(batch, url)[0])
    except UnicodeDecodeError as error:
        return Flaw.of("invalid_utf8", str(error), error.object)


def _records(batch: pa.RecordBatch, url: str) -> list[dict[str, Any]]:
    names, values = batch.schema.names, []
    for name, column in zip(names, batch.columns, strict=True):
        try:
            values.append(column.to_pylist())
        except UnicodeDecodeError:
            raise
        except (pa.ArrowException, ValueError) as error:
            raise _no_json(name, column.type, error, url) from error
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _plain(column: pa.Array) -> pa.Array:
    kind = _plain_type(column.type)
    return column if kind == column.type else column.cast(kind)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type with times and decimals as strings, inside lists, structs and maps, too."""
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, _plain_type(kind.item_type))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        make = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return make(kind.value_field.with_type(_plain_type(kind.value_type)))
    return kind
