"""Evaluation sets: the files that a corpus must not hold, and which of their fields make an item.

Published sets have a field map (evaluations.yaml): which file belongs to which task, which split is evaluated on, and
which fields make an item. Any other file is read with `fields`. What counts for a run is the content of the files:
their hash is in the key, their place is not. The items are read in evaluation_items.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chejil.curation import shards
from chejil.curation.reading import sources
from chejil.curation.reading.sources import InputFile, Source
from chejil.errors import ChejilError, did_you_mean

Role = Literal["evaluation", "training"]

_COMPRESSED = re.compile(r"(\.(gz|gzip|zst|zstd|bz2|xz))+$", re.IGNORECASE)
_FOLDERS = 4
"""The file, its folder and two above it: as in super_glue/boolq/data/train.jsonl."""

ENDINGS = {
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
        raise ChejilError(
            f"none of the {len(found)} files is an evaluation file of '{wanted.map or name}'",
            where=found[0].url,
            mend=_other_files(wanted),
        )
    unique = {(file.task, file.role, file.file.name, file.file.url): file for file in chosen}
    return [unique[key] for key in sorted(unique)]


def _other_files(wanted: EvaluationSet) -> str:
    if wanted.map is None:
        return "every file of 'paths' is under 'training', too"
    patterns = [pattern for task in maps()[wanted.map].tasks.values() for pattern in task.files]
    return f"its files are called: {', '.join(patterns[:8])}; or read them with 'fields'"


def _training(wanted: EvaluationSet, data_root: str) -> list[InputFile]:
    return _expanded(wanted.training, data_root) if wanted.training else []


def _expanded(paths: Sequence[str], data_root: str) -> list[InputFile]:
    return sources.expand(Source(format="jsonl", paths=list(paths)), data_root)


def _mapped(name: str, known: EvaluationMap, files: Sequence[InputFile]) -> Iterator[EvaluationFile]:
    for file in files:
        for task, reading in known.tasks.items():
            roles: dict[Role, list[str]] = {"training": reading.training, "evaluation": reading.files}
            role = next(
                (r for r, patterns in roles.items() if any(_fits(file.url, p) for p in patterns)), None
            )
            if role and (reading.container or ending(file.url) in (*ENDINGS, "xml")):
                yield EvaluationFile(f"{name}/{task}", role, reading, file)
                break


def _fits(url: str, pattern: str) -> bool:
    """A pattern with folders goes by the last folders of the file, one without by a few of them: what lies above a data
    set has names of its own (`/research/` is no task `re`).

    >>> _fits("/research/klue/ynat/validation.jsonl", "*/re*/validation*")
    False
    >>> _fits("/data/klue/RE/validation-0.parquet", "*/re*/validation*")
    True
    >>> _fits("/dev/ARC-Easy/test.jsonl", "*arc-easy*dev*")
    False
    """
    near = PurePosixPath("/", *PurePosixPath(url.lower()).parts[-_FOLDERS:])
    return near.match(pattern) if "/" in pattern else fnmatch(str(near), pattern)


def ending(url: str) -> str:
    """The last suffix of a file's name that says how it is written, not how it is compressed."""
    return _COMPRESSED.sub("", url).rpartition(".")[2].lower()


def content(files: Sequence[EvaluationFile]) -> list[list[Any]]:
    """What decides the items: task, role, way of reading, name and content of each file; its place does not."""
    return [
        [f.task, f.role, f.reading.model_dump(mode="json"), f.file.name, shards.file_hash(f.file.url)]
        for f in files
    ]
