"""Files of a run: Parquet shards and small JSON records, on any fsspec file system.

A file appears whole or not at all: locally it is written beside its name and renamed (after fsync), on object
storage it is written to a temporary file and sent as one object (storage.py). So a shard that exists is complete,
and a killed run leaves at most `*.tmp` files or unfinished uploads, which the next run sweeps. Text columns are
written without dictionary and without statistics: min and max of a document are the document twice.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import fsspec
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from fsspec.implementations.local import LocalFileSystem

from chejil.curation import storage
from chejil.errors import RunError

ROW_GROUP_BYTES = 16 << 20
"""Text of one row group. The design allows 64 MiB; a quarter of it keeps a worker's batch in cache reach."""

KEYED_ROWS = 1 << 16
"""Rows of a row group of a table that is sorted by a key."""

_HASH_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file that a stage wrote: `path` below the run's folder, xxh3-128 of its bytes."""

    path: str
    rows: int
    bytes: int
    hash: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


NAME_A_PATH = "name a file, folder or URL, '.' for this folder (is a variable unset?)"


def refuse_empty(path: str) -> None:
    """Refuse what an unset variable of the shell leaves: it would name the root of the disk, or this folder.

    Raises:
        RunError: it is empty.
    """
    if not path.strip():
        raise RunError("an empty path", mend=NAME_A_PATH)


def join(root: str, *parts: str) -> str:
    """Path below a folder or URL.

    Raises:
        RunError: the root is empty: what stands below it would stand at the root of the disk.
    """
    refuse_empty(root)
    return "/".join([root.rstrip("/"), *parts])


def address(path: str, root: str) -> str:
    """Where something lies that a recipe names: a relative path starts from the recipe's `data`.

    >>> address("models/ko.ftz", "s3://corpus/"), address("/m/ko.ftz", "s3://corpus/")
    ('s3://corpus/models/ko.ftz', '/m/ko.ftz')
    """
    return path if "://" in path or path.startswith(("/", "~")) else join(root, path)


def file_system(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a URL and the path on it; what has no `://` is a local path, whatever it looks like.

    Raises:
        RunError: an empty path, an unknown protocol, or one whose package is not installed.
    """
    refuse_empty(url)
    if "://" not in url:
        return LocalFileSystem(), str(Path(url).expanduser().absolute())
    try:
        # Others write into the same folders: a listing that was kept would hide their files.
        files, path = fsspec.core.url_to_fs(url, **({} if "::" in url else {"use_listings_cache": False}))
        return (files if isinstance(files, LocalFileSystem) else storage.steady(files)), path
    except (ValueError, ImportError) as error:  # an unknown protocol, or one whose package is not installed
        raise RunError(f"cannot open '{url}'", mend=str(error)) from None


def below(root: str, folder: str) -> list[str]:
    """Paths of all files in a folder of the root, relative to the root, sorted; none where there is no folder."""
    files, path = file_system(root)
    base = path.rstrip("/") + "/"
    return sorted(found.removeprefix(base) for found in files.find(base + folder))


@contextmanager
def new_file(url: str) -> Iterator[IO[bytes]]:
    """Open a file for writing that appears under its name only if the block ends without an error."""
    files, path = file_system(url)
    if isinstance(files, LocalFileSystem):
        yield from _renamed(path)
        return
    with tempfile.TemporaryFile() as whole:
        yield whole
        storage.upload(whole, files, path)


def _renamed(path: str) -> Iterator[IO[bytes]]:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(f"{path}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


class ShardWriter:
    """Writes a Parquet file, a row group a table; a context manager. `record` is there when the block has ended.

    `key`: an integer column by which the rows of a table are sorted; `rows_between` finds them by it.
    """

    def __init__(
        self, root: str, path: str, schema: pa.Schema, key: str | None = None, compression: str = "zstd"
    ) -> None:
        self.root, self.path, self.schema, self.key = root, path, schema, key
        self.compression = compression
        self.rows = 0
        self.record: FileRecord | None = None
        self._open = ExitStack()

    def __enter__(self) -> ShardWriter:
        # Numbers hardly repeat, and to find that out costs more than writing them.
        coded = [field.name for field in self.schema if pa.types.is_string(field.type)]
        stream = self._open.enter_context(new_file(join(self.root, self.path)))
        self._stream = _Hashed(stream)
        known = [*coded, *([self.key] if self.key else [])]
        # What is sorted differs little from the value before.
        delta = {self.key: "DELTA_BINARY_PACKED"} if self.key else None
        writer = pq.ParquetWriter(
            self._stream, self.schema, compression=self.compression, use_dictionary=coded, write_statistics=known,
            column_encoding=delta,
        )  # fmt: skip
        self._writer = self._open.enter_context(writer)
        return self

    def write(self, table: pa.Table) -> None:
        """Write a row group; a table without rows writes nothing."""
        if table.num_rows:
            size = min(table.num_rows, KEYED_ROWS) if self.key else table.num_rows
            self._writer.write_table(table.cast(self.schema), row_group_size=size)
            self.rows += table.num_rows

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)
        if error[0] is None:
            self.record = FileRecord(self.path, self.rows, self._stream.num_bytes, self._stream.hash)


class _Hashed:
    """A stream that hashes what is written to it, so that nothing is read back: Parquet is written front to back."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._state = stream, xxhash.xxh3_128()
        self.num_bytes = 0

    def write(self, data: Any) -> int:
        self._state.update(data)
        self.num_bytes += memoryview(data).nbytes
        return self._stream.write(data)

    @property
    def hash(self) -> str:
        return self._state.hexdigest()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def write_shard(
    root: str,
    path: str,
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    key: str | None = None,
    compression: str = "zstd",
) -> FileRecord:
    """Write tables as one Parquet file; returns what was written.

    Args:
        tables: each becomes a row group, so the caller bounds its size; none at all gives a file without rows.
        key: an integer column by which each table is sorted, for `rows_between`.
        compression: as Parquet names it.
    """
    with ShardWriter(root, path, schema, key, compression) as writer:
        for table in tables:
            writer.write(table)
    assert writer.record is not None
    return writer.record


def write_json(root: str, path: str, content: Any) -> FileRecord:
    """Write a JSON file with sorted keys, so that equal content is equal bytes."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return write_bytes(root, path, orjson.dumps(content, option=options))


def write_bytes(root: str, path: str, content: bytes) -> FileRecord:
    """Write a small file at once."""
    with new_file(join(root, path)) as stream:
        stream.write(content)
    return FileRecord(path, 0, len(content), xxhash.xxh3_128_hexdigest(content))


def file_hash(url: str) -> str:
    """xxh3-128 of a file's bytes, in hexadecimal."""
    files, path = file_system(url)
    state = xxhash.xxh3_128()
    with files.open(path, "rb") as stream:
        while block := stream.read(_HASH_BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()


def read_json(url: str) -> Any | None:
    """A JSON file's content, or None where there is no such file.

    Raises:
        RunError: the file is there but is not JSON.
    """
    files, path = file_system(url)
    try:
        with files.open(path, "rb") as stream:
            return orjson.loads(stream.read())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError as error:
        raise RunError(f"not JSON: {error}", where=url, mend="remove the file and run again") from None


_DAMAGED = (
    "`chejil verify RUN` names every damaged or missing file of a run; run its recipe again with the same --out, "
    "or restore the file from a copy"
)


@contextmanager
def reading(url: str) -> Iterator[None]:
    """A Parquet file that is damaged or missing as an error that names it; only what reads it belongs in the block.

    Raises:
        RunError: it cannot be read. Whatever else the system says (no permission, no answer) stays an OSError.
    """
    try:
        yield
    except FileNotFoundError:
        raise RunError("this file is missing", where=url, mend=_DAMAGED) from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        said = str(error).strip().split("\n")[0].rstrip(".")
        raise RunError(f"cannot be read as Parquet: {said}", where=url, mend=_DAMAGED) from None


@contextmanager
def opened(url: str, **options: Any) -> Iterator[pq.ParquetFile]:
    """A shard, its footer read; a local file is read by Arrow itself, not through Python.

    Args:
        options: of `pyarrow.parquet.ParquetFile`.

    Raises:
        RunError: it is damaged or missing.
    """
    files, path = file_system(url)
    with ExitStack() as stack:
        with reading(url):
            stream = (
                path if isinstance(files, LocalFileSystem) else stack.enter_context(files.open(path, "rb"))
            )
            parquet = stack.enter_context(pq.ParquetFile(stream, pre_buffer=False, **options))
        yield parquet


def row_groups(url: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a shard, one at a time, with the columns asked for."""
    with opened(url) as parquet:
        for number in range(parquet.num_row_groups):
            with reading(url):
                table = parquet.read_row_group(number, columns=columns, use_threads=False)
            yield table


def groups_of(
    url: str, rows: np.ndarray, columns: Sequence[str] | None = None
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Row groups of a shard that hold any of some sorted rows, each with the places of those rows in it."""
    with opened(url) as parquet:
        first = 0
        for number in range(parquet.num_row_groups):
            end = first + parquet.metadata.row_group(number).num_rows
            low, high = np.searchsorted(rows, [first, end])
            if high > low:
                with reading(url):
                    table = parquet.read_row_group(number, columns=columns, use_threads=False)
                yield table, rows[low:high] - first
            first = end


def rows_between(url: str, key: str, low: int, high: int) -> pa.Table:
    """Rows of a shard whose key lies from `low` to `high`; of the others only whole row groups are read."""
    with opened(url) as parquet:
        number = parquet.schema_arrow.get_field_index(key)
        wanted = []
        for group in range(parquet.num_row_groups):
            bounds = parquet.metadata.row_group(group).column(number).statistics
            if bounds.min <= high and bounds.max >= low:
                wanted.append(group)
        with reading(url):
            table = parquet.read_row_groups(wanted, use_threads=False)
    first, last = (pa.scalar(bound, table.schema.field(key).type) for bound in (low, high))
    return table.filter(pc.and_(pc.greater_equal(table[key], first), pc.less_equal(table[key], last)))


def read_shard(url: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole shard; for side tables, whose rows are small."""
    files, path = file_system(url)
    with reading(url), files.open(path, "rb") as stream:
        return pq.read_table(stream, columns=columns, use_threads=False, partitioning=None)


def size(url: str) -> int | None:
    """Bytes of a file, or None where there is none."""
    files, path = file_system(url)
    return files.size(path) if files.exists(path) else None


def is_folder(url: str) -> bool:
    """Whether there is a folder."""
    files, path = file_system(url)
    return files.isdir(path)


def num_rows(url: str) -> int:
    """Rows of a shard, from its footer."""
    with opened(url) as parquet:
        return parquet.metadata.num_rows


def remove_empty_folders(url: str) -> None:
    """Remove the folders below a folder, and itself, that hold nothing; object storage has none."""
    files, path = file_system(url)
    if isinstance(files, LocalFileSystem):
        for folder, _, _ in os.walk(path, topdown=False):
            if not any(Path(folder).iterdir()):
                Path(folder).rmdir()


def remove(url: str) -> None:
    """Remove a file or a folder with all that is in it; nothing happens where there is none."""
    files, path = file_system(url)
    if files.exists(path):
        with suppress(FileNotFoundError):  # a repeated call may find its work done
            files.rm(path, recursive=True)
