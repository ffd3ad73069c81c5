"""Checks a recipe: everything that is wrong with it, at once, each mistake with its place and how to mend it.

First the form (YAML, then pydantic), then the sense: names of signals and presets, units, rules, languages that
are forgotten, the order of the stages, files that are not there. The sense is checked as far as the form allows,
so that one misspelt key does not hide a second mistake in another stage.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from chejil.curation import marked_yaml
from chejil.curation.executors.settings import Local, Ray, Slurm
from chejil.curation.filtering import LanguageLimits, Limits
from chejil.curation.marked_yaml import MarkedYaml, Path
from chejil.curation.reading import sources
from chejil.curation.reading.sources import Source
from chejil.curation.recipe import Recipe, StageEntry, find_recipe
from chejil.curation.sense import Sense
from chejil.errors import ChejilError, RecipeError, did_you_mean
from chejil.filters.registry import LANGUAGES

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
    path = find_recipe(name)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ChejilError("not UTF-8", where=str(path), mend=f"save it as UTF-8 ({error.reason})") from None
    marked = marked_yaml.read(text, str(path))
    return check(marked, settings)


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
    recipe, faults = _form(marked)
    problems += faults
    problems += _sense(marked, only)
    if problems:
        raise RecipeError(sorted(problems, key=_order))
    assert recipe is not None
    return recipe


def written_out(path: Path, word: str) -> dict[str, str]:
    """The mapping that a word is short for, so that an override can reach into it."""
    return {"by": word} if path[-1] == "keep" else {"preset": word}


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
    kind = None
    if path[:1] == ("executor",) and path[1:2] and path[1] in EXECUTORS:
        kind, path = str(path[1]), (path[0], *path[2:])  # pydantic names the kind that it took
    where = marked.where(path)
    if fault["type"] == "extra_forbidden":
        return ChejilError(
            f"'{path[-1]}' is not known here",
            where=where,
            mend=did_you_mean(str(path[-1]), _known(path, kind)),
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


def _known(path: Path, kind: str | None = None) -> list[str]:
    """Names that may stand where an unknown one does: the fields of the model that the path leads to."""
    model: Any = Recipe
    if kind is not None:
        model, path = EXECUTORS[kind], path[1:]
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
