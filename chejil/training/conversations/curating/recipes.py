"""A recipe for conversations: any recipe of the curation, whose sources are the files that were read.

Its relative paths of evaluation sets start from its `data`. A recipe that ships cannot know where they lie, so where
`data` is `.`, as it ships, sets with relative paths are left out, and it is said which; with a folder for `data` a set
that is not there is an error, as in every recipe. `normalise` keeps four blank lines, by which messages are told apart
(texts.py), whatever the recipe says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chejil.curation import check, marked_yaml, settings_file, shards
from chejil.curation.marked_yaml import MarkedYaml
from chejil.curation.recipe import Recipe, find_recipe
from chejil.errors import ChejilError, RecipeError
from chejil.training.conversations.curating.texts import BLANK_LINES

SHIPPED = "sft-koen"
_NOWHERE = "."


def sources(names: Iterable[str], documents: str) -> dict[str, Any]:
    """The sources of a recipe: a folder of Parquet files each."""
    _, root = shards.file_system(documents)
    root = documents if "://" in documents else root
    return {
        name: {
            "format": "parquet",
            "paths": shards.join(root, name, "*.parquet"),
            "columns": {"id": "id", "text": "text"},
        }
        for name in sorted(set(names))
    }


def load(
    name: str, settings: Sequence[str], evals: str | None, given: Mapping[str, Any] | None = None
) -> tuple[Recipe, list[str]]:
    """A recipe with these sources, and the evaluation sets that are left out.

    Args:
        name: a file, or the bare name of a recipe that ships.
        settings: `KEY=VALUE` overrides.
        evals: the folder or URL that evaluation sets lie in: the recipe's `data`.
        given: sources; None before there are any: then all else is checked.

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
    if given is not None:
        marked.data["sources"] = dict(given)
    stages = ("score", "filter", "exact_dedup", "near_dedup", "decontaminate", "write")
    return check.check(marked, only=stages if given is None else None), left_out


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
    stages = recipe.get("stages")
    for stage in list(stages) if isinstance(stages, list) else []:
        wanted = stage.get("decontaminate") if isinstance(stage, dict) else None
        against = wanted.get("against") if isinstance(wanted, dict) else None
        if not isinstance(against, dict) or not against:
            continue
        names = [name for name, one in against.items() if _is_relative(one)]
        left_out += names
        for name in names:
            del against[name]
        if not against:
            stages.remove(stage)  # type: ignore[union-attr]
    return left_out


def _is_relative(evaluation: Any) -> bool:
    paths = evaluation.get("paths") if isinstance(evaluation, dict) else None
    every = [paths] if isinstance(paths, str) else paths if isinstance(paths, list) else []
    return any(isinstance(path, str) and shards.address(path, "\0") != path for path in every)
