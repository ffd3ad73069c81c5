"""A recipe for conversations: any recipe of the curation, whose sources are the files that were read.

Its relative paths of evaluation sets start from its `data`. A recipe that ships cannot know where they lie, so where
`data` is `.`, as it ships, sets with relative paths are left out, and it is said which; with a folder for `data` a set
that is not there is an error, as in every recipe. `normalise` keeps four blank lines, by which messages are told apart
(texts.py), whatever the recipe says.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chejil.curation import check, marked_yaml, settings_file, shards
from chejil.curation.marked_yaml import MarkedYaml
from chejil.curation.plan import STAGES
from chejil.curation.reading.sources import Source
from chejil.curation.recipe import Recipe, find_recipe
from chejil.errors import ChejilError, RecipeError
from chejil.training.conversations.curating.reading import File
from chejil.training.conversations.curating.texts import BLANK_LINES

SHIPPED = "conversations-koen"
_NOWHERE = "."


def sources(files: Iterable[File], documents: str) -> dict[str, Any]:
    """The sources of a recipe: the documents of files that have any, file by file (their folder holds empty ones)."""
    root = documents if "://" in documents else glob.escape(shards.file_system(documents)[1])
    found: dict[str, Any] = {}
    for one in files:
        source = found.setdefault(
            one.source, {"format": "parquet", "paths": [], "columns": {"id": "id", "text": "text"}}
        )
        source["paths"].append(shards.join(root, f"{one.shard}.parquet"))
    return found


def read_from(recipe: Recipe, given: Mapping[str, Any]) -> Recipe:
    """The recipe with other sources: those that turned out to have documents."""
    return recipe.model_copy(
        update={"sources": {name: Source.model_validate(one) for name, one in given.items()}}
    )


def load(
    name: str, settings: Sequence[str], evals: str | None, given: Mapping[str, Any]
) -> tuple[Recipe, list[str]]:
    """A recipe with these sources, and the evaluation sets that are left out.

    Args:
        name: a file, or the bare name of a recipe that ships.
        settings: `KEY=VALUE` overrides.
        evals: the folder or URL that evaluation sets lie in: the recipe's `data`.
        given: sources, whose files need not be there yet.

    Raises:
        RecipeError: everything that is wrong.
    """
    path = str(find_recipe(name))
    marked = marked_yaml.read(settings_file.text_of(path, "recipe"), path)
    _override(marked, settings)
    if not isinstance(marked.data, dict):
        return check.check(marked), []
    if evals is not None:
        marked.data["data"] = evals
    left_out = _without_place(marked.data) if marked.data.get("data", _NOWHERE) == _NOWHERE else []
    _keep_borders(marked.data)
    marked.data["sources"] = dict(given)
    return check.check(marked, only=STAGES), left_out


def _override(marked: MarkedYaml, settings: Sequence[str]) -> None:
    problems = []
    for setting in settings:
        try:
            marked_yaml.override(marked, setting, check.written_out)
        except ChejilError as error:
            problems.append(error)
    if problems:
        raise RecipeError(problems)


def _keep_borders(recipe: dict[str, Any]) -> None:
    stages = recipe.get("stages")
    first = stages[0] if isinstance(stages, list) and stages else None
    if first == "normalise" or first == {"normalise": None}:
        first = stages[0] = {"normalise": {}}  # type: ignore[index]
    if isinstance(first, dict) and isinstance(first.get("normalise"), dict):
        first["normalise"]["blank_lines"] = BLANK_LINES


def _without_place(recipe: dict[str, Any]) -> list[str]:
    """Take out evaluation sets whose paths are relative, and the stage if it has no other; returns their names."""
    left_out: list[str] = []
    kept: list[Any] = []
    stages = recipe.get("stages")
    for stage in stages if isinstance(stages, list) else []:
        against = _against(stage)
        names = [name for name, one in against.items() if _is_relative(one)]
        left_out += names
        for name in names:
            del against[name]
        if against or not names:
            kept.append(stage)
    if left_out:
        recipe["stages"] = kept
    return left_out


def _against(stage: Any) -> dict[str, Any]:
    settings = stage.get("decontaminate") if isinstance(stage, dict) else None
    against = settings.get("against") if isinstance(settings, dict) else None
    return against if isinstance(against, dict) else {}


def _is_relative(evaluation: Any) -> bool:
    paths = evaluation.get("paths") if isinstance(evaluation, dict) else None
    every = [paths] if isinstance(paths, str) else paths if isinstance(paths, list) else []
    return any(isinstance(path, str) and shards.address(path, "\0") != path for path in every)
