"""Sizes and schemas of shards, from the footers of Parquet files, and in what the schemas differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq


@dataclass(frozen=True)
class File:
    """A file: rows and uncompressed bytes of each row group; the schema is empty for what is not Parquet."""

    name: str
    bytes: int
    rows: int
    group_rows: tuple[int, ...] = ()
    group_bytes: tuple[int, ...] = ()
    schema: tuple[tuple[str, str], ...] = ()


def of_parquet(name: str, num_bytes: int, parquet: pq.ParquetFile) -> File:
    """What the footer of a Parquet file says."""
    footer = parquet.metadata
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    return File(
        name,
        num_bytes,
        footer.num_rows,
        tuple(group.num_rows for group in groups),
        tuple(group.total_byte_size for group in groups),
        tuple((field.name, str(field.type)) for field in parquet.schema_arrow),
    )


def sizes(files: Sequence[File]) -> dict[str, Any]:
    """Files and row groups: number, and smallest, median and largest size."""
    return {
        "files": len(files),
        "bytes": sum(file.bytes for file in files),
        "file_bytes": spread([file.bytes for file in files]),
        "file_rows": spread([file.rows for file in files]),
        "row_groups": sum(len(file.group_rows) for file in files),
        "row_group_rows": spread([rows for file in files for rows in file.group_rows]),
        "row_group_bytes": spread([size for file in files for size in file.group_bytes]),
    }


def spread(numbers: Sequence[int]) -> dict[str, int] | None:
    """Smallest, median and largest; None of nothing.

    >>> spread([3, 1, 2])
    {'min': 1, 'median': 2, 'max': 3}
    """
    if not numbers:
        return None
    return {
        "min": min(numbers),
        "median": int(np.quantile(numbers, 0.5, method="lower")),
        "max": max(numbers),
    }


def differences(files: Iterable[File]) -> list[dict[str, Any]]:
    """In what files differ from most of them: columns that some have not, or have in another type.

    Returns:
        Rows of `column`, `type` (that of most files, by name where they are even; None: most have no such column),
        `other` (None: missing) and the `files` in which it is so, sorted.
    """
    known = [file for file in files if file.schema]
    places: dict[str, dict[str | None, list[str]]] = defaultdict(lambda: defaultdict(list))
    columns = {name for file in known for name, _ in file.schema}
    for file in known:
        types = dict(file.schema)
        for column in columns:
            places[column][types.get(column)].append(file.name)
    rows = []
    for column in sorted(columns):
        by_type = places[column]
        usual = max(by_type, key=lambda kind: (len(by_type[kind]), kind is not None, kind or ""))
        others = sorted((kind for kind in by_type if kind != usual), key=lambda kind: kind or "")
        rows += [
            {"column": column, "type": usual, "other": kind, "files": sorted(by_type[kind])}
            for kind in others
        ]
    return rows


def layouts(files: Iterable[File]) -> int:
    """How many different schemas there are, the order of columns left aside."""
    return len(Counter(tuple(sorted(file.schema)) for file in files if file.schema))
