"""Checks a recipe: everything that is wrong with it, at once, each mistake with its place and how to mend it.

First the form (YAML, then pydantic), then the sense: names of signals and presets, units, rules, languages that
are forgotten, the order of the stages, files that are not there. The sense is checked as far as the form allows,
so that one misspelt key does not hide a second mistake in another stage.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from chejil.curation import marked_yaml, settings_file
from chejil.curation.executors.settings import Local, Ray, Slurm
from chejil.curation.marked_yaml import MarkedYaml, Path
from chejil.curation.reading import sources
from chejil.curation.reading.sources import Source
from chejil.curation.recipe import Recipe, StageEntry, find_recipe
from chejil.curation.sense import Sense
from chejil.errors import ChejilError, RecipeError

EXECUTORS: Mapping[str, type[BaseModel]] = {"local": Local, "slurm": Slurm, "ray": Ray}
_FIRST, _LAST = "normalise", "write"
_MAX_FAULTS = 50

Model = TypeVar("Model", bound=BaseModel)
Kind = TypeVar("Kind", dict, list)


def load(name: str, settings: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        name: a file, or the bare name of a recipe that ships.
        settings: `KEY=VALUE` overrides.

    Raises:
        RecipeError: everything that is wrong, in the order of the file.
    """
    path = str(find_recipe(name))
    return check(marked_yaml.read(settings_file.text_of(path, "recipe"), path), settings)


def check(marked: MarkedYaml, settings: Sequence[str] = (), only: Collection[str] | None = None) -> Recipe:
    """Check composed YAML; the second half of `load`.

    Args:
        only: stages whose sense is checked, and nothing of the sources: a finished run's may have moved away.
    """
    problems = list(marked.problems)
    for setting in settings:
        try:
            marked_yaml.override(marked, setting, written_out)
        except ChejilError as error:
            problems.append(error)
    recipe, faults = settings_file.form(Recipe, marked, {"executor": EXECUTORS}, "the recipe")
    problems += faults
    problems += _sense(marked, only)
    if problems:
        raise RecipeError(sorted(problems, key=settings_file.by_place))
    assert recipe is not None
    return recipe


def written_out(path: Path, word: str) -> dict[str, str]:
    """The mapping that a word is short for, so that an override can reach into it."""
    return {"by": word} if path[-1] == "keep" else {"preset": word}


def _sense(marked: MarkedYaml, only: Collection[str] | None = None) -> Iterator[ChejilError]:
    """What can be said of the sense although the form may be wrong: a faulty leaf hides nothing but itself."""
    raw = _of_kind(dict, marked.data)
    declared, entries = _of_kind(dict, raw.get("sources")), _of_kind(list, raw.get("stages"))
    stages = [(number, salvaged(StageEntry, entry)) for number, entry in enumerate(entries)]
    known = [
        (("stages", number, entry.name), entry.settings) for number, entry in stages if entry is not None
    ]
    if only is None:
        yield from _files(marked, declared, str(raw.get("data", ".")))
    yield from _sequence(marked, [_stage_name(entry) for entry in entries], dict(stages))
    sense = Sense.of(marked, known, declared)
    for path, settings in known:
        if only is None or path[-1] in only:
            yield from sense.stage(path, settings)


def _of_kind(kind: type[Kind], value: Any) -> Kind:
    return value if isinstance(value, kind) else kind()


def salvaged(model: type[Model], raw: Any) -> Model | None:
    """The model made of what is left of `raw` without its faulty leaves, or None if nothing is."""
    left = copy.deepcopy(raw)
    for _ in range(_MAX_FAULTS):
        try:
            return model.model_validate(left)
        except ValidationError as error:
            if not all(_drop(left, fault["loc"]) for fault in error.errors(include_url=False)):
                return None
    return None


def _drop(value: Any, path: Sequence[str | int]) -> bool:
    """Remove what the path leads to, or the nearest thing that encloses it; False if that is all there is."""
    holder, key = None, None
    for step in path:
        if not (isinstance(value, dict) and step in value):
            break
        holder, key, value = value, step, value[step]
    if holder is None:
        return False
    del holder[key]
    return True


def _files(marked: MarkedYaml, declared: Mapping[str, Any], data: str) -> Iterator[ChejilError]:
    for name, raw in declared.items():
        source = salvaged(Source, raw)
        try:
            if source is not None:
                sources.check_packages(source)
        except ChejilError as error:
            yield ChejilError(error.what, where=marked.where(("sources", name, "format")), mend=error.mend)
        try:
            if source is not None:
                sources.expand(source, data)
        except ChejilError as error:
            yield ChejilError(error.what, where=marked.where(("sources", name, "paths")), mend=error.mend)


def _stage_name(entry: Any) -> str:
    return str(next(iter(entry), "")) if isinstance(entry, dict) else str(entry)


def _sequence(
    marked: MarkedYaml, names: list[str], stages: Mapping[int, StageEntry | None]
) -> Iterator[ChejilError]:
    def problem(number: int, what: str, mend: str) -> ChejilError:
        return ChejilError(what, where=marked.where(("stages", number)), mend=mend)

    if names and names[0] != _FIRST:
        yield problem(
            0, f"the first stage is '{names[0]}'", f"begin with '{_FIRST}': later stages need NFC text"
        )
    if names and names[-1] != _LAST:
        yield problem(len(names) - 1, f"the last stage is '{names[-1]}'", f"end with '{_LAST}'")
    for number, name in enumerate(names):
        entry = stages[number]
        keep = getattr(entry.settings, "keep", None) if entry is not None else None
        if name in names[:number]:
            yield problem(number, f"'{name}' stands twice", "make one stage of the two")
        if "score" not in names[:number] and (
            name == "filter" or (keep is not None and keep.signal is not None)
        ):
            yield problem(number, f"'{name}' has no signals to judge", "put 'score' before it")
        if (name == _LAST and number < len(names) - 1) or (name == _FIRST and number > 0):
            yield problem(number, f"'{name}' stands in the middle", f"'{_FIRST}' is first, '{_LAST}' is last")
