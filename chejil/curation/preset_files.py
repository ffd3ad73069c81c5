"""Presets by path: wherever a preset's name may stand, the path of a YAML file of the same form may stand too.

What holds a `/` or ends in `.yaml` is a path, so a file never hides a preset that ships. A relative path starts
where the command runs, as the recipe's `data` does: a preset belongs to the recipe and not to the data. A run keeps
the content and not the path (its recipe.yaml and its stage keys hold the bounds), so it can be explained after the
file has moved or changed.
"""

from __future__ import annotations

from chejil.curation import marked_yaml, settings_file
from chejil.errors import RecipeError
from chejil.filters import preset_bounds
from chejil.filters.preset_bounds import Preset

PATTERN = r"/|\.ya?ml$"
"""What tells a path from a name; for editors, as a regular expression."""


def is_path(name: str) -> bool:
    """True if `name` is the path of a preset and not the name of one that ships.

    >>> is_path("koen"), is_path("mine.yaml"), is_path("presets/news")
    (False, True, True)
    """
    return "/" in name or name.endswith((".yaml", ".yml"))


def find(name: str) -> Preset:
    """A preset that ships, or one by path.

    Raises:
        ChejilError: no such preset or file.
        RecipeError: everything that is wrong with the file, each with its line and column.
    """
    return _read(name) if is_path(name) else preset_bounds.preset(name)


def _read(name: str) -> Preset:
    marked = marked_yaml.read(settings_file.text_of(name, "preset"), name)
    if marked.problems:
        raise RecipeError(marked.problems)
    return preset_bounds.read_preset(name, marked.data, marked.where)
