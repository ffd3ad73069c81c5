"""Sources: the files that a recipe names, read as document batches.

A source is a published format (formats.yaml) and the paths of its files. Reading streams: a file passes
once, in batches of at most 16 MiB of text, hashed on the way, so that memory follows the batch and not the
shard. Every record of a file becomes a document or a row of the quarantine; a file that cannot be read at
all raises `SourceError` with its name, so that its shard stops alone.

Ids are stable: a record keeps the id that it was published with, and a record without one is called after
its source, its file below the folder that the recipe names, and its number in that file (in JSON lines its
line's, from 0). The machine's folders are in no id, so a corpus that moves keeps them.

Measured on one core: json.gz 90 MB/s of Korean text and 130 of English, jsonl.zst 130, Parquet 70 (rows pass
through Python for the sake of `meta`); a process stays near 230 MB whatever the size of the file.
"""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from types import MappingProxyType
from typing import Any, Literal

import fsspec
import xxhash
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chejil.curation.containers import (
    Rows,
    json_array,
    json_lines,
    sentence_blocks,
    text_file,
    text_lines,
    text_paragraphs,
)
from chejil.curation.documents import Batch, BatchBuilder, Flaw
from chejil.curation.layouts import Layout, document, formats
from chejil.curation.parquet_rows import parquet_rows
from chejil.curation.shards import file_system
from chejil.curation.streams import RawFile, unreadable
from chejil.curation.tables import csv_rows, tsv_rows
from chejil.errors import RunError, SourceError, did_you_mean

BATCH_BYTES = 16 << 20
_FILE_BYTES = 4 << 10  # what opening a file is worth: a shard has 4,096 of them at most

CONTAINERS: MappingProxyType[str, Callable[[RawFile], Rows]] = MappingProxyType(
    {
        "jsonl": json_lines,
        "json": json_array,
        "csv": csv_rows,
        "tsv": tsv_rows,
        "file": text_file,
        "paragraph": text_paragraphs,
        "line": text_lines,
        "sentences": sentence_blocks,
        "parquet": parquet_rows,
    }
)
"""Readers by the names that formats.yaml uses; plain text has one for each `unit`."""

_FINGERPRINTS = (
    "ETag",
    "etag",
    "blob_id",
    "md5Hash",
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
    "created",
)
"""What the file systems call the mark that changes with a file's content, best first."""

_ESCAPED = re.compile(r"\[([*?[])\]")  # as glob.escape writes a character that is no wildcard
_MAX_NAME_BYTES = 180  # a file name may have 255; the caller adds a folder's worth


class Columns(BaseModel):
    """Which fields of the record are what, where they differ from the format's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str | list[str] | None = Field(
        default=None, description="the text; of a list of fields, all joined by newlines"
    )
    id: str | None = Field(default=None, description="the record's own id")
    url: str | None = None
    timestamp: str | None = None
    license: str | None = None


class Source(BaseModel):
    """One source of a recipe: where its files are and how they are written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str = Field(
        description="name of a published format, from formats.yaml",
        json_schema_extra=lambda schema: schema.update(enum=[*sorted(formats())]),
    )
    paths: list[str] = Field(min_length=1, description="globs below the recipe's data root, or URLs")
    columns: Columns = Field(default=Columns(), description="fields that differ from the format's own")
    unit: Literal["file", "paragraph", "line"] | None = Field(
        default=None, description="plain text only: what one document is (a file, unless said otherwise)"
    )
    html_entities: bool = Field(
        default=False, description="unescape &amp; and the like when the text is normalised"
    )

    @field_validator("paths", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _one_path(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value not in formats():
            raise ValueError(f"no format is called '{value}', {did_you_mean(value, formats())}")
        return value

    @model_validator(mode="after")
    def _unit_of_text(self) -> Source:
        container = formats()[self.format].container
        if self.unit and "text" not in ([container] if isinstance(container, str) else container.values()):
            raise ValueError(f"'unit' is for plain text; files of format '{self.format}' have rows")
        return self

    @property
    def layout(self) -> Layout:
        """The format's layout with this source's columns."""
        changes = self.columns.model_dump(exclude_none=True)
        if "text" in changes:
            changes["text"] = [[changes["text"]] if isinstance(changes["text"], str) else changes["text"]]
        return formats()[self.format].model_copy(update=changes)


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of a source.

    Args:
        name: its path below the folder before the first wildcard, in NFC; unique in the source, and free of
            the machine's folders.
        size: bytes as it lies there, None where the server does not tell.
        fingerprint: changes when the file changes; made of size and etag or time, not of content.
    """

    url: str
    name: str
    size: int | None
    fingerprint: str


def expand(source: Source, data_root: str) -> list[InputFile]:
    """The files of a source, each once, sorted by name.

    Args:
        data_root: folder or URL that relative paths start from.

    Raises:
        SourceError: a path that no file matches, or whose protocol is unknown.
    """
    found: dict[str, InputFile] = {}
    names: set[str] = set()
    for path in source.paths:
        for file in _matches(path, data_root, source.layout.ignore):
            if file.url in found:
                continue
            if (
                file.name in names
            ):  # the file of an earlier path keeps its name, whatever is added to the recipe
                file = replace(file, name=f"{file.name}~{xxhash.xxh3_64_hexdigest(path.encode())[:8]}")
            found[file.url] = file
            names.add(file.name)
    return sorted(found.values(), key=lambda file: file.name)


def _matches(path: str, data_root: str, ignore: list[str]) -> Iterator[InputFile]:
    files, pattern = _file_system(path, data_root)
    root = _fixed_root(pattern)
    try:
        found: Any = files.glob(pattern, detail=True)
    except OSError as error:
        raise unreadable(path, error) from error
    kept = [
        (name, info)
        for name, info in sorted(found.items())
        if info["type"] not in ("directory", "other")  # to open a named pipe would wait for ever
        and not any(fnmatch(name.rpartition("/")[2], other) for other in ignore)
    ]
    if not kept:
        raise SourceError(
            f"no file matches '{path}'", where=data_root, mend=_what_is_there(files, root, pattern)
        )
    for name, info in kept:
        url = name if _is_local(files) else files.unstrip_protocol(name)
        yield InputFile(url, _clean_name(name.removeprefix(root + "/")), info.get("size"), _fingerprint(info))


def _file_system(path: str, data_root: str) -> tuple[fsspec.AbstractFileSystem, str]:
    absolute = "://" in path or path.startswith("/")
    try:
        return file_system(path if absolute else f"{glob.escape(data_root.rstrip('/'))}/{path}")
    except RunError as error:  # an unknown protocol, or one whose package is not installed
        raise SourceError(error.what, mend=error.mend) from error


def _is_local(files: fsspec.AbstractFileSystem) -> bool:
    return "file" in ([files.protocol] if isinstance(files.protocol, str) else files.protocol)


def _fixed_root(pattern: str) -> str:
    """The folder before the first wildcard, as it is called: `[[]` in a pattern is the character `[`."""
    parts = pattern.split("/")[:-1]
    wild = (i for i, part in enumerate(parts) if any(mark in _ESCAPED.sub("", part) for mark in "*?["))
    return _ESCAPED.sub(r"\1", "/".join(parts[: next(wild, len(parts))]))


def _what_is_there(files: fsspec.AbstractFileSystem, root: str, pattern: str) -> str:
    if not files.isdir(root):
        return f"there is no folder '{root}'; check `data` and `paths`"
    names = sorted(name.rpartition("/")[2] for name in files.ls(root, detail=False))
    return f"in '{root}': {did_you_mean(pattern.rpartition('/')[2], names[:20])}"


def _clean_name(name: str) -> str:
    # macOS hands Hangul file names over decomposed; names made on Windows may not be UTF-8 at all.
    readable = os.fsencode(name).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", readable)


def _fingerprint(info: dict[str, Any]) -> str:
    mark = next((info[key] for key in _FINGERPRINTS if info.get(key) is not None), "")
    return f"{info.get('size')}-{mark}"


def shard_name(file: InputFile) -> str:
    """The file's name as one path component, unique in its source: `/` becomes `~1`, `~` becomes `~0` (RFC
    6901).

    >>> shard_name(InputFile("s3://corpus/book/00.jsonl.zst", "book/00.jsonl.zst", 9, ""))
    'book~100.jsonl.zst'
    """
    name = file.name.replace("~", "~0").replace("/", "~1")
    if len(name.encode()) <= _MAX_NAME_BYTES:
        return name
    end = name.encode()[-(_MAX_NAME_BYTES - 17) :].decode("utf-8", "ignore")
    return f"{xxhash.xxh3_64_hexdigest(name.encode())}-{end}"


def shards_of(source: Source, files: Sequence[InputFile]) -> dict[str, tuple[InputFile, ...]]:
    """Files by the shard that they become: one each, but documents that are files of their own share shards.

    Such files are taken together, in order, up to 16 MiB; the shard is called after the first of them.
    """
    shards: dict[str, tuple[InputFile, ...]] = {}
    name, room = "", 0
    for file in files:
        is_document = _container(source, file) is CONTAINERS["file"]
        room -= (file.size or 0) + _FILE_BYTES
        if not is_document or room < 0:
            name, room = shard_name(file), BATCH_BYTES
        shards[name] = (*shards.get(name, ()), file)
        if not is_document:
            room = 0
    return shards


def read(
    source_name: str, source: Source, file: InputFile, batch_bytes: int = BATCH_BYTES
) -> Iterator[Batch]:
    """Read a file of a source, from its first record to its last.

    Args:
        batch_bytes: size of one batch; a longer document is a batch of its own. Its rows are bounded, too.

    Yields:
        At least one batch. The last one, which may be empty, carries the hash of the file.

    Raises:
        SourceError: the file cannot be read at all, or not to its end.
    """
    layout = source.layout
    builder = BatchBuilder(source_name, file.name, batch_bytes)
    with _opened(file.url) as raw:
        for number, row in enumerate(_container(source, file)(raw)):
            if row is None:
                continue
            row_id = f"{source_name}/{file.name}#{number}"
            made = row if isinstance(row, Flaw) else document(layout, row, row_id)
            if not builder.has_room(made):
                yield builder.take(raw.num_bytes)
            builder.records += 1
            builder.add(number, made)
        file_hash = raw.hash()
        yield builder.take(raw.num_bytes, file_hash)


def _container(source: Source, file: InputFile) -> Callable[[RawFile], Rows]:
    name = source.layout.container_of(file.name)
    return CONTAINERS[(source.unit or "file") if name == "text" else name]


@contextmanager
def _opened(url: str) -> Iterator[RawFile]:
    files, path = file_system(url)
    try:
        stream = files.open(path, "rb")
    except OSError as error:
        raise unreadable(url, error) from error
    with stream:
        yield RawFile(stream, url)
