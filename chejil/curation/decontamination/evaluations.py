"""Evaluation sets: the files that a corpus must not hold, read as items, each the texts of its fields.

Published sets have a field map (evaluations.yaml): which file belongs to which task, which split is evaluated on, and
which fields make an item. Any other file is read with `fields`. JSON lines, JSON, CSV, TSV, Parquet and simple XML,
compressed or not. What counts for a run is the content of the files: their hash is in the key, their place is not.
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
from fnmatch import fnmatch
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chejil.curation import shards
from chejil.curation.reading import sources
from chejil.curation.reading.containers import Row
from chejil.curation.reading.layouts import look
from chejil.curation.reading.sources import CONTAINERS, InputFile, Source
from chejil.curation.reading.streams import RawFile
from chejil.errors import ChejilError, SourceError, did_you_mean

Role = Literal["evaluation", "training"]

_CHECKED_RECORDS = 200
_COMPRESSED = re.compile(r"(\.(gz|gzip|zst|zstd|bz2|xz))+$", re.IGNORECASE)
_ENDINGS = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "csv": "csv",
    "tsv": "tsv",
    "parquet": "parquet",
}


class TaskMap(BaseModel):
    """One task of evaluations.yaml; the fields are explained there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: list[str] = Field(min_length=1)
    training: list[str] = []
    fields: list[list[str]] = Field(min_length=1)
    remove: list[str] = []
    split: str | None = None
    container: str | None = None


class EvaluationMap(BaseModel):
    """One published evaluation set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    tasks: dict[str, TaskMap]


@cache
def maps() -> Mapping[str, EvaluationMap]:
    """The field maps that ship, by name.

    >>> maps()["kobest"].tasks["sentineg"].fields
    [['Text'], ['sentence']]
    """
    table = yaml.safe_load(
        (resources.files("chejil.curation.decontamination") / "evaluations.yaml").read_text("utf-8")
    )
    return MappingProxyType({name: EvaluationMap.model_validate(entry) for name, entry in table.items()})


class EvaluationSet(BaseModel):
    """Files of one evaluation set: of a published one by its map, of any other by the fields of an item."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    map: str | None = Field(
        None,
        description="A published set, from evaluations.yaml.",
        json_schema_extra=lambda schema: schema.update(enum=[None, *sorted(maps())]),
    )
    paths: list[str] = Field(min_length=1, description="Globs below the recipe's data root, or URLs.")
    fields: list[str] = Field(
        default_factory=list, description="Fields that make an item; without a map, and only then."
    )
    training: list[str] = Field(
        default_factory=list,
        description="Globs of the training split, whose items are no leaks. A map finds it among `paths`.",
    )

    @field_validator("paths", "training", "fields", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("map")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in maps():
            raise ValueError(f"no field map is called '{value}', {did_you_mean(value, maps())}")
        return value

    @model_validator(mode="after")
    def _either(self) -> EvaluationSet:
        if (self.map is None) == (not self.fields):
            raise ValueError("give either 'map' (a published set) or 'fields' (those that make an item)")
        return self


@dataclass(frozen=True, slots=True)
class EvaluationFile:
    """A file of a task, and how it is read."""

    task: str
    role: Role
    reading: TaskMap
    file: InputFile


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


def files_of(name: str, wanted: EvaluationSet, data_root: str) -> list[EvaluationFile]:
    """The files of a set with their tasks, in the order of tasks and names.

    Raises:
        ChejilError: a path matches no file, or of the files that are there none belongs to the map.
    """
    found = _expanded(wanted.paths, data_root)
    if wanted.map is None:
        reading = TaskMap(files=["*"], fields=[wanted.fields])
        training = _expanded(wanted.training, data_root) if wanted.training else []
        urls = {file.url for file in training}
        chosen = [EvaluationFile(name, "training", reading, file) for file in training]
        chosen += [
            EvaluationFile(name, "evaluation", reading, file) for file in found if file.url not in urls
        ]
    else:
        chosen = list(_mapped(name, maps()[wanted.map], found))
        chosen += list(_mapped(name, maps()[wanted.map], _training(wanted, data_root)))
    if not any(file.role == "evaluation" for file in chosen):
        patterns = [p for task in maps()[wanted.map or "kobest"].tasks.values() for p in task.files]
        raise ChejilError(
            f"none of the {len(found)} files is an evaluation file of '{wanted.map or name}'",
            where=found[0].url,
            mend=f"its files are called: {', '.join(patterns[:8])}; or read them with 'fields'",
        )
    unique = {(file.task, file.role, file.file.name, file.file.url): file for file in chosen}
    return [unique[key] for key in sorted(unique)]


def _training(wanted: EvaluationSet, data_root: str) -> list[InputFile]:
    return _expanded(wanted.training, data_root) if wanted.training else []


def _expanded(paths: Sequence[str], data_root: str) -> list[InputFile]:
    return sources.expand(Source(format="jsonl", paths=list(paths)), data_root)


def _mapped(name: str, known: EvaluationMap, files: Sequence[InputFile]) -> Iterator[EvaluationFile]:
    for file in files:
        url = "/" + file.url.lower()
        for task, reading in known.tasks.items():
            roles: dict[Role, list[str]] = {"training": reading.training, "evaluation": reading.files}
            role = next((r for r, patterns in roles.items() if any(fnmatch(url, p) for p in patterns)), None)
            if role and (reading.container or _ending(file.url) in (*_ENDINGS, "xml")):
                yield EvaluationFile(f"{name}/{task}", role, reading, file)
                break


def _ending(url: str) -> str:
    return _COMPRESSED.sub("", url).rpartition(".")[2].lower()


def content(files: Sequence[EvaluationFile]) -> list[list[Any]]:
    """What decides the items: task, role, way of reading, name and content of each file; its place does not."""
    return [
        [f.task, f.role, f.reading.model_dump(mode="json"), f.file.name, shards.file_hash(f.file.url)]
        for f in files
    ]


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
        rows += 1
        fields = _fields(file.reading, row.fields) if isinstance(row, Row) else ()
        if isinstance(row, Row):
            columns.update(dict.fromkeys(row.fields))
        if not fields:
            counts["unreadable_records"] += 1
            continue
        found += 1
        yield Item(file.task, f"{file.file.name}#{number}", file.role, fields)
    if rows and not found:
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
    ending = _ending(file.file.url)
    with files.open(path, "rb") as stream:
        if ending == "xml":
            yield from _xml_rows(stream, file.file.url)
        elif ending in _ENDINGS or file.reading.container:
            container = CONTAINERS[file.reading.container or _ENDINGS[ending]]
            try:
                yield from container(RawFile(stream, file.file.url))
            except SourceError as error:  # which would stop a shard; without its items nothing can be said
                raise ChejilError(error.what, where=error.where, mend=error.mend) from None
        else:
            mend = f"give {', '.join(_ENDINGS)} or xml files"
            raise ChejilError(f"'.{ending}' files are not read", where=file.file.url, mend=mend)


def _xml_rows(stream: Any, url: str) -> Iterator[Row]:
    """A row for each child of the root: the texts of its children, and its attributes."""
    try:
        root = ElementTree.parse(stream).getroot()
    except ElementTree.ParseError as error:
        raise ChejilError(f"not XML: {error}", where=url) from None
    for element in root:
        yield Row({**element.attrib, **{child.tag: child.text or "" for child in element}})
