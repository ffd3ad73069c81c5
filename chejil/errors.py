"""Errors that a user can mend.

    ChejilError                what was wrong, where it stands, how to mend it
    ├── RecipeError            the recipe (every mistake of it at once)
    ├── SourceError            an input file that cannot be read at all
    └── RunError               a run's folder: locked, damaged, not a run

A `ChejilError` ends a command with its message and exit code 2. Anything else that escapes is a bug and keeps
its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

MAX_NAMES = 20
"""Names that an error lists where none is near; of signals there are more than a screen holds."""


class ChejilError(Exception):
    """Something that the user can mend: `what` was wrong, `where`, and how to `mend` it."""

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        cure = f"\n  mend: {self.mend}" if self.mend else ""
        return f"{place}{self.what}{cure}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions cross process borders by pickle, which by default calls the class with `args` alone.
        return (_rebuild, (type(self), self.what, self.where, self.mend, self.__dict__))


class SourceError(ChejilError):
    """An input file that cannot be read at all: its shard stops, the others go on."""


class RunError(ChejilError):
    """A run's folder that is locked, damaged, or not a run."""


class RecipeError(ChejilError):
    """All mistakes of a recipe; `problems` holds them in the order of the file."""

    def __init__(self, problems: list[ChejilError]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems

    def __reduce__(self) -> tuple[Any, ...]:
        return (RecipeError, (self.problems,))


def _rebuild(
    kind: type[ChejilError], what: str, where: str | None, mend: str | None, state: dict
) -> ChejilError:
    error = kind(what, where=where, mend=mend)
    error.__dict__.update(state)
    return error


def near_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be, or None.

    >>> near_name("mean_word_char", ["mean_word_chars", "num_words"])
    'mean_word_chars'
    """
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """How to mend an unknown name: the nearest known one, else all of them, or the first MAX_NAMES.

    >>> did_you_mean("zz", ["law-ko", "wiki-ko"])
    'known: law-ko, wiki-ko'
    """
    known = sorted(known)
    near = near_name(name, known)
    if near:
        return f"did you mean '{near}'?"
    more = f", … and {len(known) - MAX_NAMES} more" if len(known) > MAX_NAMES else ""
    return f"known: {', '.join(known[:MAX_NAMES])}{more}"
