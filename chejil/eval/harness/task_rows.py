"""Rows of a task's file, each with its place: TSV, CSV, JSON (an array), JSON lines, Parquet.

Tables are read as pandas reads them, since that is how the data sets on the hub were made of the same files: a field in
double quotes loses them. An evaluation's file is small (the largest, ReCoRD's, has 20 MB), so it is read whole.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from chejil.errors import ChejilError

ENDINGS = (".tsv", ".csv", ".json", ".jsonl", ".parquet")

_MAX_FIELD_CHARS = 1 << 26
"""Of a table; Python's csv refuses more than 131,072 characters unless it is told."""


class BadRow(ValueError):
    """A row that is none: why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row; `fault` where it could not be read."""

    place: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None


def read(path: Path, quoted: bool = True) -> Iterator[Row]:
    """Rows in the file's order.

    Args:
        path: the file.
        quoted: a table's fields lose double quotes around them; GLUE's tables are written without.

    Raises:
        ChejilError: the file cannot be read at all.
    """
    readers = {".json": _array, ".jsonl": _lines, ".parquet": _parquet}
    try:
        yield from (
            readers[path.suffix.lower()](path) if path.suffix.lower() in readers else _table(path, quoted)
        )
    except (OSError, UnicodeDecodeError) as error:
        raise ChejilError(f"cannot be read: {error}", where=str(path), mend="a file in UTF-8") from None


def _table(path: Path, quoted: bool) -> Iterator[Row]:
    csv.field_size_limit(_MAX_FIELD_CHARS)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    with path.open(encoding="utf-8-sig", newline="") as stream:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        rows = csv.reader(stream, delimiter=delimiter, quoting=quoting)
        try:
            names = next(rows, [])
            for cells in rows:
                if cells:
                    yield _cells(f"{path}:{rows.line_num}", names, cells)
        except csv.Error as error:
            raise ChejilError(
                f"no table: {error}", where=f"{path}:{rows.line_num}", mend="get the file again"
            ) from None


def _cells(place: str, names: list[str], cells: list[str]) -> Row:
    if len(cells) != len(names):
        return Row(place, fault=f"{len(cells)} fields, the header has {len(names)}")
    return Row(place, dict(zip(names, cells, strict=True)))


def _lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield _json_line(f"{path}:{number}", line)


def _json_line(place: str, line: str) -> Row:
    try:
        return _record(place, json.loads(line))
    except ValueError as error:
        return Row(place, fault=f"no JSON: {error}")


def _array(path: Path) -> Iterator[Row]:
    text = path.read_text("utf-8-sig")
    try:
        content = json.loads(text)
    except ValueError as error:
        if text.lstrip().startswith("{"):  # JSON lines in a file that is named .json
            yield from _lines(path)
            return
        raise ChejilError(f"no JSON: {error}", where=str(path), mend="an array of objects") from None
    for number, record in enumerate(content if isinstance(content, list) else [content], 1):
        yield _record(f"{path}: item {number}", record)


def _record(place: str, content: Any) -> Row:
    return Row(place, content) if isinstance(content, dict) else Row(place, fault="no object")


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except pa.ArrowInvalid as error:
        raise ChejilError(f"no Parquet: {error}", where=str(path), mend="get the file again") from None
    for number, record in enumerate(rows, 1):
        yield Row(f"{path}: row {number}", record)
