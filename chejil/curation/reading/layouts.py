"""Layouts: which fields of an upstream record are the text, the id, the url, and where the rest goes.

The published formats are a table (formats.yaml), not code: one function reads all of them. Nothing upstream
says is thrown away: what is not a canonical column is written into `meta` as JSON with sorted keys, so that
equal records give equal bytes. A field that became part of the text does not stand in `meta` a second time,
which would double the size of LBox Open and of KLUE's reading comprehension.

The fast path reads and writes JSON with orjson, which turns integers above 64 bits into floats; a record in
which that may have happened is read again with the standard library.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation.reading.containers import Row, parse_json
from chejil.curation.reading.documents import Document, Flaw
from chejil.curation.reading.streams import MAX_RECORD_BYTES

_SUFFIXES = re.compile(r"(\.(gz|gzip|zst|zstd|bz2|xz))+$", re.IGNORECASE)
_MAYBE_ROUNDED = re.compile(r"[:\[,]-?\d[.\d]*e\+?\d+[,\]}]")  # how orjson writes floats from 1e16 on
_MAX_EXACT = 2.0**53


class Layout(BaseModel):
    """One entry of formats.yaml; the fields are explained there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    container: str | dict[str, str]
    text: list[list[str]] = Field(min_length=1)
    join: str = "\n"
    id: str = "id"
    url: str = "url"
    timestamp: str = "timestamp"
    license: str = "license"
    unfold: str | None = None
    ignore: list[str] = []
    needs: list[str] = []

    @property
    def containers(self) -> frozenset[str]:
        """All containers that files of the format may be."""
        return frozenset([self.container] if isinstance(self.container, str) else self.container.values())

    def container_of(self, file_name: str) -> str:
        """The container of a file, by its ending where the format has several."""
        if isinstance(self.container, str):
            return self.container
        ending = _SUFFIXES.sub("", file_name).rpartition(".")[2].lower()
        return self.container.get(ending, self.container["default"])


@cache
def formats() -> Mapping[str, Layout]:
    """All published formats by name.

    >>> formats()["klue"].container_of("klue-ner-v1.1_dev.tsv")
    'sentences'
    """
    table = yaml.safe_load((resources.files("chejil.curation.reading") / "formats.yaml").read_text("utf-8"))
    return MappingProxyType({name: Layout.model_validate(entry) for name, entry in table.items()})


class _NoDocument(Exception):
    """Why a record is no document: a reason of the quarantine, and what exactly."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def document(layout: Layout, row: Row, row_id: str) -> Document | Flaw:
    """The document that a record is, or why it is none.

    Args:
        row_id: the id of a record that has none of its own.
    """
    try:
        return _document(layout, row, row_id)
    except _NoDocument as why:
        return row.flaw(why.reason, why.detail)


def _document(layout: Layout, row: Row, row_id: str) -> Document:
    fields = _unfolded(row.fields, layout.unfold) if layout.unfold else row.fields
    paths = _text_paths(layout.text, fields)
    text = _text(fields, paths, layout.join)
    named = [layout.id, layout.url, layout.timestamp, layout.license]
    values = [look(fields, path) for path in named]
    rest = without(fields, [*paths, *named])
    meta = json_text(rest) if rest else None
    if row.is_json and _maybe_rounded(values, meta):
        return _document(layout, Row(json.loads(row.raw)), row_id)
    own_id, url, timestamp, license = map(as_string, values)
    return Document(own_id or row_id, text, url, timestamp, license, meta)


def _unfolded(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """The record with the members of its object `name` beside its own, where no name would stand twice."""
    inner = fields.get(name)
    if isinstance(inner, str) and inner.lstrip().startswith("{"):
        row = parse_json(inner.encode("utf-8", "surrogatepass"))
        inner = row.fields if isinstance(row, Row) else None
    if not isinstance(inner, dict) or not inner.keys().isdisjoint(fields.keys() - {name}):
        return fields
    return inner | {key: value for key, value in fields.items() if key != name}


def _text_paths(alternatives: list[list[str]], fields: dict[str, Any]) -> list[str]:
    """The first alternative whose fields are all there and, if possible, not null.

    Tables that hold several tasks (Parquet copies of LBox Open) have every column in every row, null where
    a task has no such field."""
    there = [
        paths for paths in alternatives if all(_split(path)[0] in fields or path in fields for path in paths)
    ]
    filled = (paths for paths in there if all(look(fields, path) is not None for path in paths))
    paths = next(filled, None) or (there[0] if there else None)
    if paths is None:
        wanted = " or ".join(dict.fromkeys(path for paths in alternatives for path in paths))
        raise _NoDocument("missing_text", f"no field {wanted}, only: {', '.join(fields)[:200]}")
    return paths


def _text(fields: dict[str, Any], paths: list[str], join: str) -> bytes:
    values = [item for path in paths for item in _items(look(fields, path), path)]
    parts = [_string(value) for value in values if value is not None]
    if values and not parts:
        raise _NoDocument("null_text", f"{' and '.join(paths)} is null")
    try:
        text = join.join(parts).encode()
    except UnicodeEncodeError as error:
        raise _NoDocument("invalid_utf8", f"half a surrogate pair: {error.reason}") from None
    if len(text) > MAX_RECORD_BYTES:
        raise _NoDocument("record_too_large", f"{len(text):,} bytes of text")
    return text


def _items(value: Any, path: str) -> list[Any]:
    if not (isinstance(value, list) and "[]" in path):
        return [value]
    return [leaf for item in value for leaf in _items(item, path)]


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise _NoDocument("text_not_string", f"a {type(value).__name__}")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _NoDocument("invalid_utf8", str(error)) from None


def _split(path: str) -> tuple[str, str]:
    head, _, rest = path.partition(".")
    return head.removesuffix("[]"), rest


def look(value: Any, path: str) -> Any:
    """What stands at a path, None where there is nothing; a list gives a list.

    >>> look({"turns": [{"text": "a"}, {"text": "b"}]}, "turns[].text")
    ['a', 'b']
    """
    if isinstance(value, list):
        return [look(item, path) for item in value]
    if not isinstance(value, dict):
        return None
    if path in value:  # a column may be called `meta.url`
        return value[path]
    key, rest = _split(path)
    return look(value.get(key), rest) if rest else value.get(key)


def without(value: Any, paths: Iterable[str]) -> Any:
    """The record without what stands at the paths; the record itself is left as it is."""
    for path in paths:
        value = _without(value, path)
    return value


def _without(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_without(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    key, rest = (path, "") if path in value else _split(path)
    if key not in value:
        return value
    kept = {name: item for name, item in value.items() if name != key}
    return kept | {key: _without(value[key], rest)} if rest else kept


def as_string(value: Any) -> str | None:
    """A canonical field as a string, null for null; what is no string is written as JSON would have it.

    Whole floats lose their `.0`: Pandas turns a column of integers into floats as soon as one of them is
    null, and the id of a document must not change by it.

    >>> [as_string(value) for value in ("7", 7, 7.0, 0.5, True, None)]
    ['7', '7', '7', '0.5', 'true', None]
    """
    if isinstance(value, str):
        return _checked(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, bytes):
        return _plain(value)
    return None if value is None else json_text(value)


def _checked(value: str) -> str:
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _NoDocument("invalid_utf8", f"half a surrogate pair: {error.reason}") from None
    return value


def json_text(value: Any) -> str:
    """JSON with sorted keys; NaN and infinities are null, bytes a string (base64 where not UTF-8)."""
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError as error:
        if "ecursion" in str(error):
            raise _NoDocument("bad_json", "nested deeper than 254 levels") from None
        # Integers above 64 bits, half surrogate pairs: orjson refuses both, the standard library writes them.
        return json.dumps(_finite(value), default=_plain, sort_keys=True, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> str:
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} in a record")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _maybe_rounded(values: list[Any], meta: str | None) -> bool:
    # The pattern may also match inside a string of `meta`: that record is read twice, to the same end.
    if any(isinstance(value, float) and abs(value) >= _MAX_EXACT for value in values):
        return True
    return meta is not None and _MAYBE_ROUNDED.search(meta) is not None
