"""The recipe with moved bounds as a file of its own; the user's own file, with its comments, is not touched."""

from __future__ import annotations

from pathlib import Path

from chejil.curation.exploring.moved_bounds import Moved, changes, command, settings_of
from chejil.curation.whatif import comparison
from chejil.errors import ChejilError

_ENDINGS = (".yaml", ".yml")


def text(root: str, moved: Moved) -> str:
    """The run's recipe with the moved bounds, every default written out; its head says what was moved.

    Raises:
        RecipeError: a moved bound is none, e.g. its low above its high.
    """
    settings = settings_of(moved)
    own, wanted = comparison.asked(root, None, settings)
    head = [
        f"The recipe of {root} with bounds that were moved:",
        *(f"  {name}: {was} → {now}" for name, was, now in changes(own.stage("filter"), moved)),
        "To make it the run's decision:",
        f"  {command(root, settings, write=True)}",
    ]
    return "".join(f"# {_one_line(line)}\n" for line in head) + wanted.resolved()


def _one_line(line: str) -> str:
    return " ".join(line.splitlines())


def save(folder: str, name: str, content: str) -> Path:
    """Write a new file; one that is there is never overwritten.

    Raises:
        ChejilError: the name has a folder in it, is not one of YAML, or is taken.
    """
    where = Path(folder) / name
    if Path(name).name != name or "\\" in name or not name.endswith(_ENDINGS) or name.startswith("."):
        raise ChejilError("not the name of a YAML file", where=name, mend="e.g. mine.explored.yaml")
    try:
        with where.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        raise ChejilError(
            "there is such a file already", where=str(where), mend="choose another name"
        ) from None
    return where


def free_name(folder: str, name: str) -> str:
    """`NAME.explored.yaml`, with a number if that is taken."""
    tried, number = f"{name}.explored.yaml", 1
    while (Path(folder) / tried).exists():
        number += 1
        tried = f"{name}.explored-{number}.yaml"
    return tried
