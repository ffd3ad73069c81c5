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
from chejil.curation.filtering import Filter, LanguageLimits, Limits
from chejil.curation.marked_yaml import MarkedYaml, Path
from chejil.curation.recipe import Recipe, StageEntry, find_recipe
from chejil.curation.scoring import Score
from chejil.errors import ChejilError, RecipeError, did_you_mean
from chejil.filters import bounds
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Language

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
        return ChejilError(f"'{path[-1]}' is not known here", where=where, mend=did_you_mean(str(path[-1]), _known(path)))
    if fault["type"] == "missing":
        return ChejilError(f"'{path[-1]}' is missing", where=where, mend=f"add {path[-1]}: …")
    if fault["type"] == "literal_error" and fault["loc"][-1] == "[key]":
        return ChejilError(f"'{path[-1]}' is not a language", where=where, mend=did_you_mean(str(path[-1]), LANGUAGES))
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
    names = set(marked.data["sources"]) if _has_sources(marked) else set()
    for path, settings in stages:
        yield from _of_stage(marked, path, settings, names)


def _has_sources(marked: MarkedYaml) -> bool:
    return isinstance(marked.data, dict) and isinstance(marked.data.get("sources"), dict)


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
            path = ("sources", name, "paths")
            yield ChejilError(error.what, where=marked.where(path), mend=error.mend)


def _sequence(marked: MarkedYaml, names: list[str]) -> Iterator[ChejilError]:
    def problem(number: int, what: str, mend: str) -> ChejilError:
        return ChejilError(what, where=marked.where(("stages", number)), mend=mend)

    if names[0] != _FIRST:
        yield problem(0, f"the first stage is '{names[0]}'", f"begin with '{_FIRST}': later stages need NFC text")
    if names[-1] != _LAST:
        yield problem(len(names) - 1, f"the last stage is '{names[-1]}'", f"end with '{_LAST}'")
    for number, name in enumerate(names):
        if name in names[:number]:
            yield problem(number, f"'{name}' stands twice", "make one stage of the two")
        if name == "filter" and "score" not in names[:number]:
            yield problem(number, "'filter' has no signals to judge", "put 'score' before it")
        if (name == _LAST and number < len(names) - 1) or (name == _FIRST and number > 0):
            yield problem(number, f"'{name}' stands in the middle", f"'{_FIRST}' is first, '{_LAST}' is last")


def _of_stage(marked: MarkedYaml, path: Path, settings: BaseModel, names: set[str]) -> Iterator[ChejilError]:
    if isinstance(settings, Score):
        yield from _of_score(marked, path, settings)
    elif isinstance(settings, Filter):
        yield from _of_filter(marked, path, settings, names)
    keep = getattr(settings, "keep", None)
    if keep is not None and keep.signal is not None:
        yield from _unknown(marked, (*path, "keep", "signal"), keep.signal, _scored(marked), "signal that is scored")
    for number, source in enumerate((keep.sources or []) if keep is not None else []):
        yield from _unknown(marked, (*path, "keep", "sources", number), source, names, "source")


def _of_score(marked: MarkedYaml, path: Path, settings: Score) -> Iterator[ChejilError]:
    for number, name in enumerate(settings.signals if settings.signals != "all" else []):
        yield from _unknown(marked, (*path, "signals", number), name, SIGNALS, "signal")


def _of_filter(marked: MarkedYaml, path: Path, settings: Filter, names: set[str]) -> Iterator[ChejilError]:
    for lang in LANGUAGES:
        if lang not in settings.bounds:
            what = f"no bounds for language '{lang}'"
            yield ChejilError(what, where=marked.where((*path, "bounds")), mend=f"add {lang}: drop, keep or a preset")
    for lang, limits in settings.bounds.items():
        yield from _of_language(marked, (*path, "bounds", lang), lang, limits)
    for source, choice in settings.by_source.items():
        yield from _unknown(marked, (*path, "by_source", source), source, names, "source")
        for lang, limits in choice.items():
            yield from _of_language(marked, (*path, "by_source", source, lang), lang, limits)
    for name, rule in settings.rules.items():
        yield from _relayed(marked, (*path, "rules", name), lambda: bounds.check_rule(rule.named(name)))
        yield from _unscored(marked, (*path, "rules", name), _columns(rule.keep or rule.drop))


def _of_language(marked: MarkedYaml, path: Path, lang: Language, limits: LanguageLimits) -> Iterator[ChejilError]:
    yield from _of_preset(marked, path, lang, limits)
    for name, own in limits.own.items():
        yield from _unknown(marked, (*path, name), name, SIGNALS, "signal")
        yield from _unscored(marked, (*path, name), [name])
        if own is not None and name in SIGNALS:
            yield from _of_limits(marked, (*path, name), name, own)


def _of_preset(marked: MarkedYaml, path: Path, lang: Language, limits: LanguageLimits) -> Iterator[ChejilError]:
    where = (*path, "preset")
    if limits.preset in ("drop", "keep") and limits.own:
        what = f"'{next(iter(limits.own))}' has no effect beside {limits.preset}"
        yield ChejilError(what, where=marked.where((*path, next(iter(limits.own)))), mend="remove one of the two")
    if limits.preset in (None, "drop", "keep"):
        return
    yield from _unknown(marked, where, limits.preset, ["drop", "keep", *bounds.presets()], "preset")
    if limits.preset in bounds.presets():
        languages = bounds.preset(limits.preset).languages
        if lang not in languages:
            what = f"preset '{limits.preset}' has no bounds for '{lang}', only for {', '.join(languages)}"
            yield ChejilError(what, where=marked.where(where), mend="choose another preset, drop or keep")
        yield from _unscored(marked, where, [name for name in languages.get(lang, {}) if name not in limits.own])


def _of_limits(marked: MarkedYaml, path: Path, name: str, limits: Limits) -> Iterator[ChejilError]:
    if SIGNALS[name].kind == "label":
        yield ChejilError(f"'{name}' is a label, it has no interval", where=marked.where(path), mend="write a rule")
    if limits.unit is not None:
        unit = limits.unit
        yield from _relayed(marked, (*path, "unit"), lambda: bounds.check_unit(name, unit))


def _unscored(marked: MarkedYaml, path: Path, names: Sequence[str]) -> Iterator[ChejilError]:
    """A signal that exists but that this recipe does not measure."""
    for name in names:
        if name in SIGNALS and name not in _scored(marked):
            yield ChejilError(f"'{name}' is not scored", where=marked.where(path), mend="add it to score.signals")


def _scored(marked: MarkedYaml) -> list[str]:
    for _, settings in _stages(marked, None):
        if isinstance(settings, Score):
            return settings.names
    return []


def _columns(condition: str | None) -> list[str]:
    try:
        return bounds.columns_of(condition or "")
    except ChejilError:
        return []


def _unknown(marked: MarkedYaml, path: Path, name: str, known: Any, kind: str) -> Iterator[ChejilError]:
    if name not in known:
        yield ChejilError(f"no {kind} is called '{name}'", where=marked.where(path), mend=did_you_mean(name, known))


def _relayed(marked: MarkedYaml, path: Path, action: Any) -> Iterator[ChejilError]:
    """What `action` refuses, at the place it stands."""
    try:
        action()
    except ChejilError as error:
        yield ChejilError(error.what, where=marked.where(path), mend=error.mend)
