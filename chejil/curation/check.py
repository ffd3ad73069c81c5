"""Checks a recipe: everything that is wrong with it, at once, each mistake with its place and how to mend it.

First the form (YAML, then pydantic), then the sense: names of signals and presets, units, rules, languages that
are forgotten, the order of the stages, files that are not there. The sense is checked as far as the form allows,
so that one misspelt key does not hide a second mistake in another stage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from chejil.curation import marked_yaml, sources
from chejil.curation.filtering import LanguageLimits, Limits
from chejil.curation.marked_yaml import MarkedYaml, Path
from chejil.curation.recipe import Recipe, StageEntry, find_recipe
from chejil.curation.sense import Sense
from chejil.errors import ChejilError, RecipeError, did_you_mean
from chejil.filters.registry import LANGUAGES

_FIRST, _LAST = "normalise", "write"


def load(name: str, settings: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        name: a file, or the bare name of a recipe that ships.
        settings: `KEY=VALUE` overrides.

    Raises:
        RecipeError: everything that is wrong, in the order of the file.
    """
    path = find_recipe(name)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ChejilError("not UTF-8", where=str(path), mend=f"save it as UTF-8 ({error.reason})") from None
    marked = marked_yaml.read(text, str(path))
    return check(marked, settings)


def check(marked: MarkedYaml, settings: Sequence[str] = ()) -> Recipe:
    """Check composed YAML; the second half of `load`."""
    problems = list(marked.problems)
    for setting in settings:
        try:
            marked_yaml.override(marked, setting)
        except ChejilError as error:
            problems.append(error)
    recipe, faults = _form(marked)
    problems += faults
    problems += _sense(marked, recipe)
    if problems:
        raise RecipeError(sorted(problems, key=_order))
    assert recipe is not None
    return recipe


def _order(problem: ChejilError) -> tuple[int, int, int]:
    """By line and column; what was set on the command line comes last."""
    placed = re.search(r":(\d+):(\d+)$", problem.where or "")
    return (0, int(placed[1]), int(placed[2])) if placed else (1, 0, 0)


def _form(marked: MarkedYaml) -> tuple[Recipe | None, list[ChejilError]]:
    try:
        return Recipe.model_validate(marked.data), []
    except ValidationError as error:
        return None, [_fault(marked, fault) for fault in error.errors(include_url=False)]


def _fault(marked: MarkedYaml, fault: Any) -> ChejilError:
    path = tuple(step for step in fault["loc"] if step != "[key]")
    where = marked.where(path)
    if fault["type"] == "extra_forbidden":
        return ChejilError(
            f"'{path[-1]}' is not known here", where=where, mend=did_you_mean(str(path[-1]), _known(path))
        )
    if fault["type"] == "missing":
        return ChejilError(f"'{path[-1]}' is missing", where=where, mend=f"add {path[-1]}: …")
    if fault["type"] == "literal_error" and fault["loc"][-1] == "[key]":
        return ChejilError(
            f"'{path[-1]}' is not a language", where=where, mend=did_you_mean(str(path[-1]), LANGUAGES)
        )
    message = fault["msg"].removeprefix("Value error, ")
    shown = repr(fault["input"]) if not isinstance(fault["input"], dict | list) else None
    what = f"{_dotted(path)}: {message}" + (f", not {shown[:80]}" if shown else "")
    return ChejilError(what, where=where)


def _dotted(path: Path) -> str:
    return ".".join(map(str, path)) or "the recipe"


def _known(path: Path) -> list[str]:
    """Names that may stand where an unknown one does: the fields of the model that the path leads to."""
    model: Any = Recipe
    for step in path[:-1]:
        model = _descend(model, step)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _descend(model: Any, step: str | int) -> Any:
    """The model that a key of `model` holds, through lists, mappings and unions with None."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        if step in model.model_fields:
            return _bare(model.model_fields[str(step)].annotation)
        return Limits if model is LanguageLimits else None
    arguments = getattr(model, "__args__", ())
    return _bare(arguments[-1]) if arguments else None


def _bare(annotation: Any) -> Any:
    choices = [kind for kind in getattr(annotation, "__args__", ()) if kind is not type(None)]
    optional = type(None) in getattr(annotation, "__args__", ())
    return choices[0] if optional else annotation


def _sense(marked: MarkedYaml, recipe: Recipe | None) -> Iterator[ChejilError]:
    stages = list(_stages(marked, recipe))
    if recipe is not None:
        yield from _files(marked, recipe)
        yield from _sequence(marked, [entry.name for entry in recipe.stages])
    declared = marked.data.get("sources") if isinstance(marked.data, dict) else None
    sense = Sense.of(
        marked, [settings for _, settings in stages], declared if isinstance(declared, dict) else {}
    )
    for path, settings in stages:
        yield from sense.stage(path, settings)


def _stages(marked: MarkedYaml, recipe: Recipe | None) -> Iterator[tuple[Path, BaseModel]]:
    """Every stage whose own form is right, also in a recipe whose form is not."""
    entries = marked.data.get("stages") if isinstance(marked.data, dict) else None
    for number, raw in enumerate(entries if isinstance(entries, list) else []):
        try:
            entry = recipe.stages[number] if recipe else StageEntry.model_validate(raw)
        except ValidationError:
            continue
        yield ("stages", number, entry.name), entry.settings


def _files(marked: MarkedYaml, recipe: Recipe) -> Iterator[ChejilError]:
    for name, source in recipe.sources.items():
        try:
            sources.expand(source, recipe.data)
        except ChejilError as error:
            yield ChejilError(error.what, where=marked.where(("sources", name, "paths")), mend=error.mend)


def _sequence(marked: MarkedYaml, names: list[str]) -> Iterator[ChejilError]:
    def problem(number: int, what: str, mend: str) -> ChejilError:
        return ChejilError(what, where=marked.where(("stages", number)), mend=mend)

    if names[0] != _FIRST:
        yield problem(
            0, f"the first stage is '{names[0]}'", f"begin with '{_FIRST}': later stages need NFC text"
        )
    if names[-1] != _LAST:
        yield problem(len(names) - 1, f"the last stage is '{names[-1]}'", f"end with '{_LAST}'")
    for number, name in enumerate(names):
        if name in names[:number]:
            yield problem(number, f"'{name}' stands twice", "make one stage of the two")
        if name == "filter" and "score" not in names[:number]:
            yield problem(number, "'filter' has no signals to judge", "put 'score' before it")
        if (name == _LAST and number < len(names) - 1) or (name == _FIRST and number > 0):
            yield problem(number, f"'{name}' stands in the middle", f"'{_FIRST}' is first, '{_LAST}' is last")
