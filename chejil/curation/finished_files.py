"""What a finished run must still have for others to read it: said before anything is read, with how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chejil.curation import shards
from chejil.errors import RunError

RESTORE = "restore it from a copy, or run the recipe of that run again with the same --out"


def manifest_content(root: str) -> Any | None:
    """The manifest's JSON, None where there is none.

    Raises:
        RunError: an empty path; or it is damaged. Not to be removed: without it a run counts as none.
    """
    path = shards.join(root, "manifest.json")
    try:
        return shards.read_json(path)
    except RunError as error:
        raise RunError(f"manifest.json is damaged: {error.what}", where=root, mend=RESTORE) from None


def refuse_missing(root: str, paths: Iterable[str]) -> None:
    """Of a finished run, what is needed must be there.

    Raises:
        RunError: a file that is not, with how many others.
    """
    missing = [path for path in paths if shards.size(shards.join(root, path)) is None]
    if missing:
        others = f", and {len(missing) - 1} other files" if len(missing) > 1 else ""
        raise RunError(f"{missing[0]} is missing{others}", where=root, mend=RESTORE)
