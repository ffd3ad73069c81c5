"""What a column of a file says, whatever type it has: words that can be grouped by, and texts that are documents.

A text that is none goes to the quarantine for the reason that a run gives (reading/documents.py), so that a file counts
the same here and there. Words stop nothing: bytes that are not UTF-8 are written with backslashes.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

_OF_TIME = (pa.types.is_date, pa.types.is_timestamp)


def holds_words(kind: pa.DataType, purpose: str) -> bool:
    """Whether a column of this type is taken for words: no lists and structs, no numbers for addresses and dates.

    Args:
        purpose: a key of `tallies.ALIASES`, or a column to group by.
    """
    if pa.types.is_dictionary(kind):
        return holds_words(kind.value_type, purpose)
    if pa.types.is_nested(kind):
        return False
    if purpose not in ("url", "month"):
        return True
    return _is_text(kind) or (purpose == "month" and any(check(kind) for check in _OF_TIME))


def _is_text(kind: pa.DataType) -> bool:
    checks = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        _is_binary,
        pa.types.is_null,
    )
    return any(check(kind) for check in checks)


def _is_binary(kind: pa.DataType) -> bool:
    checks = (
        pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary,
    )  # fmt: skip
    return any(check(kind) for check in checks)


def words(column: pa.Array) -> pa.Array:
    """The column as it is, but bytes and durations, which Arrow cannot always cast, as strings."""
    kind = column.type
    if pa.types.is_dictionary(kind) and not pa.types.is_string(kind.value_type):
        return words(column.dictionary_decode())
    if pa.types.is_duration(kind):
        return column.cast(pa.int64()).cast(pa.string())
    if not _is_binary(kind):
        return column
    try:
        return column.cast(pa.string())
    except (pa.ArrowException, NotImplementedError):
        shown = (
            None if one is None else one.decode("utf-8", "backslashreplace") for one in column.to_pylist()
        )
        return pa.array(shown, pa.string())


def documents(table: pa.Table, name: str) -> tuple[pa.Table, list[str]]:
    """The rows whose text is one, as strings, and for each of the others why it is none."""
    place, column = table.schema.get_field_index(name), table[name].combine_chunks()
    kind = column.type
    if not column.null_count and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return table, []
    texts, reasons = _texts(column)
    found = table.set_column(place, name, texts).filter(texts.is_valid())
    return found, reasons


def _texts(column: pa.Array) -> tuple[pa.Array, list[str]]:
    nulls = ["null_text"] * column.null_count
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not _is_text(kind):
        return pa.nulls(len(column), pa.large_string()), nulls + ["text_not_string"] * (
            len(column) - len(nulls)
        )
    try:
        return column.cast(pa.large_string()), nulls
    except (pa.ArrowException, NotImplementedError):
        read = [_utf8(one) for one in column.to_pylist()]
        return pa.array(read, pa.large_string()), nulls + ["invalid_utf8"] * (read.count(None) - len(nulls))


def _utf8(raw: bytes | str | None) -> str | None:
    try:
        return raw.decode() if isinstance(raw, bytes) else raw
    except UnicodeDecodeError:
        return None


def field(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """Words of documents by the first of these names that has a value in the row: a column, else a field of `meta`.

    Each row is told by itself, so that it is all one how the file is cut into batches.
    """
    found = pl.Series([None] * table.num_rows, dtype=pl.String)
    meta = pl.Series(pl.from_arrow(table["meta"]))
    for column in (True, False):
        for name in names:
            if column and name in table.column_names:
                found = _filled(found, pl.Series(pl.from_arrow(table[name])).cast(pl.String))
            elif not column and found.null_count():
                found = _filled(found, meta.str.json_path_match(_path(name)))
    return found.to_arrow().cast(pa.string())


def _filled(first: pl.Series, second: pl.Series) -> pl.Series:
    return first.zip_with(first.is_not_null(), second)


def _path(name: str) -> str:
    """A field by any name, one with dots or spaces too.

    >>> _path("my field")
    "$['my field']"
    """
    quote = '"' if "'" in name else "'"
    return f"$[{quote}{name}{quote}]"
