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

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chejil.curation.reading.containers import (
    Rows,
    json_array,
    json_lines,
    sentence_blocks,
    text_file,
    text_lines,
    text_paragraphs,
)
from chejil.curation.reading.documents import Batch, BatchBuilder, Flaw
from chejil.curation.reading.extraction import Extraction
from chejil.curation.reading.input_files import InputFile, find, shard_name
from chejil.curation.reading.layouts import Layout, document, formats
from chejil.curation.reading.pages import html_file
from chejil.curation.reading.parquet_rows import parquet_rows
from chejil.curation.reading.streams import RawFile, unreadable
from chejil.curation.reading.tables import csv_rows, tsv_rows
from chejil.curation.reading.web_archives import archive
from chejil.curation.reading.wiki_dumps import dump
from chejil.curation.shards import file_system
from chejil.errors import SourceError, did_you_mean

BATCH_BYTES = 16 << 20
_FILE_BYTES = 4 << 10  # what opening a file is worth: a shard has 4,096 of them at most

CONTAINERS: MappingProxyType[str, Callable[..., Rows]] = MappingProxyType(
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
        "html": html_file,
        "warc": archive,
        "mediawiki": dump,
    }
)
"""Readers by the names that formats.yaml uses; plain text has one for each `unit`."""

_SETTINGS = MappingProxyType(
    {
        "unit": ("text",),
        "extraction": ("html", "warc"),
        "statuses": ("warc",),
        "namespaces": ("mediawiki",),
    }
)
"""Settings of a source that are for some containers alone."""

_DEFAULTS: MappingProxyType[str, Any] = MappingProxyType(
    {"extraction": {}, "statuses": [200], "namespaces": [0]}
)
"""Those that are written out where the format has such files, so that a resolved recipe names them."""

_KINDS = MappingProxyType(
    {"text": "plain text", "html": "HTML", "warc": "web archives", "mediawiki": "MediaWiki dumps"}
)


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
    license: str | None = Field(
        default=None, min_length=1, description="licence of the records that name none themselves"
    )

    extraction: Extraction | None = Field(
        default=None, description="HTML and WARC only: how the text of pages is found"
    )
    statuses: list[int] | None = Field(
        default=None,
        min_length=1,
        description="WARC only: HTTP statuses of pages (200, unless said otherwise)",
    )
    namespaces: list[int] | None = Field(
        default=None,
        min_length=1,
        description="MediaWiki only: namespaces whose pages are documents (0, the articles)",
    )

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, value: Any) -> Any:
        name = value.get("format") if isinstance(value, dict) else None
        if not isinstance(name, str) or name not in formats():
            return value
        containers = formats()[name].containers
        own = {key for key in _DEFAULTS if not containers.isdisjoint(_SETTINGS[key])}
        missing = {key: _DEFAULTS[key] for key in own if value.get(key) is None}
        return {**value, **missing}

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
    def _settings_of_format(self) -> Source:
        for name, containers in _SETTINGS.items():
            if getattr(self, name) is not None and formats()[self.format].containers.isdisjoint(containers):
                kinds = " and ".join(_KINDS[container] for container in containers)
                raise ValueError(f"'{name}' is for {kinds}; files of format '{self.format}' have none")
        return self

    @property
    def layout(self) -> Layout:
        """The format's layout with this source's columns."""
        changes = self.columns.model_dump(exclude_none=True)
        if "text" in changes:
            changes["text"] = [[changes["text"]] if isinstance(changes["text"], str) else changes["text"]]
        return formats()[self.format].model_copy(update=changes)


def expand(source: Source, data_root: str) -> list[InputFile]:
    """The files of a source, each once, sorted by name.

    Args:
        data_root: folder or URL that relative paths start from.

    Raises:
        SourceError: a path that no file matches, or whose protocol is unknown.
    """
    return find(source.paths, data_root, source.layout.ignore)


def check_packages(source: Source) -> None:
    """See to it that what the format needs is installed.

    Raises:
        SourceError: it is not.
    """
    missing = [name for name in source.layout.needs if find_spec(name) is None]
    if missing:
        raise SourceError(
            f"format '{source.format}' needs {' and '.join(missing)}", mend="pip install 'chejil[web]'"
        )


def shards_of(source: Source, files: Sequence[InputFile]) -> dict[str, tuple[InputFile, ...]]:
    """Files by the shard that they become: one each, but documents that are files of their own share shards.

    Such files are taken together, in order, up to 16 MiB; the shard is called after the first of them.
    """
    shards: dict[str, tuple[InputFile, ...]] = {}
    name, room = "", 0
    for file in files:
        is_document = _container_name(source, file) in ("file", "html")
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
    builder = BatchBuilder(source_name, file.name, batch_bytes, source.license)
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


def _container_name(source: Source, file: InputFile) -> str:
    name = source.layout.container_of(file.name)
    return (source.unit or "file") if name == "text" else name


def _container(source: Source, file: InputFile) -> Callable[[RawFile], Rows]:
    name = _container_name(source, file)
    if name == "html":
        return partial(html_file, settings=source.extraction)
    if name == "warc":
        return partial(archive, settings=source.extraction, statuses=source.statuses or ())
    if name == "mediawiki":
        return partial(dump, namespaces=source.namespaces or ())
    return CONTAINERS[name]


@contextmanager
def _opened(url: str) -> Iterator[RawFile]:
    files, path = file_system(url)
    try:
        stream = files.open(path, "rb")
    except OSError as error:
        raise unreadable(url, error) from error
    with stream:
        yield RawFile(stream, url)
