"""The recipe that is asked about, beside that of the run: only what the filter decides may differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chejil.curation import check, lookup, marked_yaml, shards
from chejil.curation.recipe import Recipe, find_recipe
from chejil.errors import ChejilError, RunError

_FREE = {"name", "about", "executor"}
_MAX_DIFFERENCES = 5


def asked(root: str, recipe: str | None, settings: Sequence[str]) -> tuple[Recipe, Recipe]:
    """The run's recipe, and the one asked about.

    Args:
        recipe: a file or the name of one that ships; None: the run's own.
        settings: `KEY=VALUE` overrides.

    Raises:
        RecipeError: everything that is wrong with the recipe asked about.
        RunError: the run has no filter, or something else differs, which only a run can answer.
    """
    own = lookup.recipe_of(root)
    if own.stage("filter") is None:
        mend = "put 'filter' into its recipe, behind 'score', and run it with this --out"
        raise RunError("this run has no filter", where=root, mend=mend)
    url = str(find_recipe(recipe)) if recipe else shards.join(root, "recipe.yaml")
    files, path = shards.file_system(url)
    try:
        text = files.read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ChejilError("not UTF-8", where=url, mend=f"save it as UTF-8 ({error.reason})") from None
    wanted = check.check(marked_yaml.read(text, url), settings, only=["filter"])
    _refuse_other_changes(own, wanted, url)
    return own, wanted


def _refuse_other_changes(own: Recipe, wanted: Recipe, where: str) -> None:
    found = list(differences(own.model_dump(mode="json"), wanted.model_dump(mode="json")))
    if not found:
        return
    more = f" and {len(found) - _MAX_DIFFERENCES} more" if len(found) > _MAX_DIFFERENCES else ""
    what = f"more than the filter differs from the run: {', '.join(found[:_MAX_DIFFERENCES])}{more}"
    mend = (
        "the stored signals do not say what that would do: chejil run the recipe, or change the filter alone"
    )
    raise RunError(what, where=where, mend=mend)


def differences(own: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Dotted names of what differs between two recipes beside the filter and what decides nothing.

    >>> differences({"data": "a", "stages": []}, {"data": "b", "stages": []})
    ['data']
    """
    before, after = _plain(own), _plain(wanted)
    if list(before["stages"]) != list(after["stages"]):
        return ["the order or number of the stages"]
    return _differing(before, after, "")


def _plain(recipe: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in recipe.items() if key not in (*_FREE, "stages")}
    stages: dict[str, Any] = {}
    for entry in recipe["stages"]:
        name, settings = next((name, value) for name, value in entry.items() if value is not None)
        stages[name] = None if name == "filter" else settings
    return {**kept, "stages": stages}


def _differing(one: Any, other: Any, name: str) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        parts = [_differing(one.get(key), other.get(key), f"{name}.{key}".lstrip(".")) for key in keys]
        return [found for part in parts for found in part]
    return [] if one == other else [name]
