"""Items of evaluation sets: the records of their files, each the texts of its fields.

JSON lines, JSON, CSV, TSV, Parquet and simple XML, compressed or not. A file none of whose records has the fields of an
item stops the run before it begins: an index without its items would find nothing and say nothing.
"""

from __future__ import annotations

import collections
import itertools
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chejil.curation import shards
from chejil.curation.decontamination.evaluations import ENDINGS, EvaluationFile, Role, TaskMap, ending
from chejil.curation.reading.containers import Row
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.layouts import look
from chejil.curation.reading.sources import CONTAINERS
from chejil.curation.reading.streams import RawFile
from chejil.errors import ChejilError, SourceError

_CHECKED_RECORDS = 200


@dataclass(frozen=True, slots=True)
class Item:
    """One item: the texts of its fields, NFC; `name` is its file and the record's number in it, from 0."""

    task: str
    name: str
    role: Role
    fields: tuple[str, ...]


@dataclass
class Reading:
    """What was read: records, items and records that are none, by task."""

    items: list[Item] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)


def check(file: EvaluationFile) -> None:
    """Look at the first records of a file.

    Raises:
        ChejilError: it cannot be read, or none of them has the fields of an item.
    """
    collections.deque(_items(file, Counter(), _CHECKED_RECORDS), maxlen=0)


def read(files: Sequence[EvaluationFile]) -> Reading:
    """The items of all files, in their order; equal items of a task once.

    Raises:
        ChejilError: a file cannot be read, or none of its records has the fields of an item.
    """
    reading = Reading()
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for file in files:
        counts = reading.counts.setdefault(file.task, Counter())
        for item in _items(file, counts):
            # A training item that is also an evaluation item is met first as the latter ("evaluation" < "training").
            if (item.task, item.fields) not in seen:
                seen.add((item.task, item.fields))
                reading.items.append(item)
                counts["items" if item.role == "evaluation" else "training_items"] += 1
    return reading


def _items(file: EvaluationFile, counts: Counter[str], most: int | None = None) -> Iterator[Item]:
    columns: dict[str, None] = {}
    found = rows = 0
    for number, row in enumerate(itertools.islice(_rows(file), most)):
        if row is None:
            continue
        if isinstance(row, Flaw) and row.reason == "torn_stream":
            raise ChejilError(
                "the file is torn", where=file.file.url, mend="fetch it again: its last items are missing"
            )
        rows += 1
        fields = _fields(file.reading, row.fields) if isinstance(row, Row) else ()
        if isinstance(row, Row):
            columns.update(dict.fromkeys(row.fields))
        if not fields:
            counts["unreadable_records"] += 1
            continue
        found += 1
        yield Item(file.task, f"{file.file.name}#{number}", file.role, fields)
    if rows and not found and rows != most:  # the first records may be of another kind
        wanted = " or ".join("+".join(fields) for fields in file.reading.fields)
        known = ", ".join(list(columns)[:20]) or "none"
        raise ChejilError(
            f"no record has the fields {wanted}", where=file.file.url, mend=f"its fields are: {known}"
        )


def _fields(reading: TaskMap, record: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts of an item; nothing if the record has none of the alternatives."""
    for names in reading.fields:
        values = [look(dict(record), name) for name in names]
        if all(value is not None for value in values):
            texts = [text for value in values for text in _texts(value)]
            return tuple(part for text in texts for part in _parts(reading, text))
    return ()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _parts(reading: TaskMap, text: str) -> Iterator[str]:
    for pattern in reading.remove:
        text = re.sub(pattern, "", text)
    for part in re.split(reading.split, text) if reading.split else [text]:
        if part.strip():
            yield unicodedata.normalize("NFC", part.strip())


def _rows(file: EvaluationFile) -> Iterator[Any]:
    files, path = shards.file_system(file.file.url)
    if not files.size(path):
        return
    kind = ending(file.file.url)
    with files.open(path, "rb") as stream:
        if kind == "xml":
            yield from _xml_rows(stream, file.file.url)
        elif kind in ENDINGS or file.reading.container:
            container = CONTAINERS[file.reading.container or ENDINGS[kind]]
            try:
                yield from container(RawFile(stream, file.file.url))
            except SourceError as error:  # which would stop a shard; without its items nothing can be said
                raise ChejilError(error.what, where=error.where, mend=error.mend) from None
        else:
            mend = f"give {', '.join(ENDINGS)} or xml files"
            raise ChejilError(f"'.{kind}' files are not read", where=file.file.url, mend=mend)


def _xml_rows(stream: Any, url: str) -> Iterator[Row]:
    """A row for each child of the root: the texts of its children, and its attributes."""
    try:
        root = ElementTree.parse(stream).getroot()
    except ElementTree.ParseError as error:
        raise ChejilError(f"not XML: {error}", where=url) from None
    for element in root:
        yield Row({**element.attrib, **{child.tag: child.text or "" for child in element}})
