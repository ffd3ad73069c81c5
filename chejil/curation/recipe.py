"""A recipe: sources, then stages in order. YAML in, pydantic models out, every default written down.

Unknown keys are refused everywhere. No value is taken from the environment, and nothing in a recipe is code.
`chejil.curation.check` says everything that is wrong with one, each mistake with its line and column.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue

from chejil.curation import settings_file
from chejil.curation.decontamination.decontaminate import Decontaminate
from chejil.curation.dedup.exact_dedup import ExactDedup
from chejil.curation.dedup.line_dedup import LineDedup
from chejil.curation.dedup.near_dedup import NearDedup
from chejil.curation.dedup.substring_dedup import SubstringDedup
from chejil.curation.executors.settings import ExecutorSettings, Local
from chejil.curation.filtering import Filter
from chejil.curation.masking import MaskPii
from chejil.curation.normalising.normalise import Normalise
from chejil.curation.place import MAKING_TEXT, TRANSFORMING, Place
from chejil.curation.reading.sources import Source
from chejil.curation.scoring import Score
from chejil.curation.stripping import StripBoilerplate
from chejil.curation.writing import Write
from chejil.errors import ChejilError

Settings = (
    Normalise
    | StripBoilerplate
    | Score
    | Filter
    | ExactDedup
    | NearDedup
    | Decontaminate
    | LineDedup
    | SubstringDedup
    | MaskPii
    | Write
)


SourceName = Annotated[str, Field(pattern=r"^\w[\w .+-]*$", max_length=80)]
"""A folder's name in any script: letters, digits and `_`, then also spaces, dots, plus and minus."""


class StageEntry(BaseModel):
    """One stage: a mapping of its one name to its settings (`- score` alone takes the defaults)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1, "maxProperties": 1})

    normalise: Normalise | None = None
    strip_boilerplate: StripBoilerplate | None = None
    score: Score | None = None
    filter: Filter | None = None
    exact_dedup: ExactDedup | None = None
    near_dedup: NearDedup | None = None
    decontaminate: Decontaminate | None = None
    line_dedup: LineDedup | None = None
    substring_dedup: SubstringDedup | None = None
    mask_pii: MaskPii | None = None
    write: Write | None = None

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [{"type": "string", "enum": list(cls.model_fields)}, schema]}

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, dict):
            return {name: {} if settings is None else settings for name, settings in value.items()}
        return value

    @model_validator(mode="after")
    def _one(self) -> StageEntry:
        if len(self.model_fields_set) != 1:
            raise ValueError("an item of 'stages' names exactly one stage")
        return self

    @property
    def name(self) -> str:
        """The stage's name."""
        return next(iter(self.model_fields_set))

    @property
    def transforms(self) -> bool:
        """True if it changes text: by its name, or because it cuts instead of dropping."""
        return self.name in TRANSFORMING or getattr(self.settings, "action", None) == "cut"

    @property
    def settings(self) -> Settings:
        """The stage's settings."""
        return getattr(self, self.name)


class Recipe(BaseModel):
    """What to read, and what to do with it."""

    model_config = ConfigDict(extra="forbid", title="Chejil recipe")

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80, description="The run's folder is runs/NAME."
    )
    about: str = Field("", description="One sentence for the report.")
    data: str = Field(".", description="Folder or URL that the sources' relative paths start from.")
    sources: dict[SourceName, Source] = Field(
        min_length=1, description="What to read, by a name that documents keep."
    )
    stages: list[StageEntry] = Field(min_length=1, description="What to do, in order.")
    executor: ExecutorSettings = Field(
        default=Local(), description="Where it is done; the bytes are the same everywhere."
    )

    def stage(self, name: str) -> Any:
        """Settings of a stage; None if the recipe does not have it."""
        return next((entry.settings for entry in self.stages if entry.name == name), None)

    def deciders(self) -> list[str]:
        """Names of the stages that drop documents, in order."""
        return [entry.name for entry in self.stages if entry.name in DECIDING]

    def transforms(self, before: str | None = None) -> list[str]:
        """Names of the stages that change text, in order: all of them, or those that stand before a stage."""
        names = [entry.name for entry in self.stages]
        end = len(names) if before is None else names.index(before)
        return [entry.name for entry in self.stages[:end] if entry.transforms]

    def place(self, name: str, shards: tuple[str, ...]) -> Place:
        """What a stage must know of the others."""
        before = [entry.name for entry in self.stages]
        before = before[: before.index(name)]
        return Place(
            self.data,
            shards,
            transforms=tuple(self.transforms(before=name)),
            deciders=tuple(other for other in before if other in DECIDING),
            scored=self.stage("score") is not None,
            text={
                entry.name: entry.settings.model_dump(mode="json")
                for entry in self.stages[: len(before)]
                if entry.name in MAKING_TEXT
            },
        )

    def resolved(self) -> str:
        """The recipe as YAML with every default written out; it gives the same run, wherever that is done."""
        plain = self.model_dump(mode="json", exclude={"stages", "executor"})
        plain["stages"] = [{entry.name: entry.settings.model_dump(mode="json")} for entry in self.stages]
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)


DECIDING = ("filter", "exact_dedup", "near_dedup", "decontaminate", "line_dedup", "substring_dedup")
"""Stages that drop documents; those that change text too drop what they leave empty."""


def find_recipe(name: str) -> Path:
    """A recipe's file: a path, or the bare name of one that ships with Chejil.

    Raises:
        ChejilError: neither; with the names of those that ship.
    """
    if Path(name).is_file():
        return Path(name)
    shipped = {path.stem: path for path in shipped_recipes()}
    if name in shipped:
        return shipped[name]
    raise ChejilError(f"no recipe '{name}'", mend=f"give a file, or one of: {', '.join(sorted(shipped))}")


def shipped_recipes() -> list[Path]:
    """Recipes that ship: what has sources and stages. The other files of recipes/ are of trainings and sweeps."""
    return [
        path
        for path in settings_file.shipped()
        if {"sources:", "stages:"} <= set(re.findall(r"^\w+:", path.read_text("utf-8"), re.MULTILINE))
    ]
