"""Finds a document in a finished run by its id or its place, and reads its text and the recipe that made it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

import polars as pl
from pydantic import ValidationError

from chejil.curation import edits, finished_files, marked_yaml, shards
from chejil.curation.decisions import SCHEMA as DECISIONS
from chejil.curation.manifest import Manifest
from chejil.curation.recipe import Recipe
from chejil.errors import RecipeError, RunError, did_you_mean


def find(root: str, content: Manifest, document: str) -> tuple[str, int, dict[str, Any]] | None:
    """Shard, row and decision of the document that goes by that name; None if none does.

    Raises:
        RunError: several have it, with their places.
    """
    found = []
    for shard in shards_of(content):
        rows = table(root, f"decisions/{shard}", DECISIONS.names).with_row_index("row")
        here = rows.filter((pl.col("id") == document) | (place(":") == document)).to_dicts()
        found += [(shard, row.pop("row"), row) for row in here]
    if len(found) > 1:
        places = ", ".join(f"{row['source']}:{row['file']}#{row['line']}" for _, _, row in found[:5])
        raise RunError(
            f"{len(found)} documents have the id '{document}'", where=root, mend=f"name one: {places}"
        )
    return found[0] if found else None


def absent(root: str, content: Manifest, document: str) -> RunError:
    """What to say where no document goes by that name, with a near one."""
    return RunError(f"no document '{document}'", where=root, mend=near_id(root, content, document))


def place(separator: str) -> pl.Expr:
    """`source/file#line`, the id of a document without one; with a colon, the place of any document."""
    return pl.concat_str(["source", pl.lit(separator), "file", pl.lit("#"), pl.col("line").cast(pl.String)])


def near_id(root: str, content: Manifest, document: str) -> str:
    """How to mend a name that no document has: the nearest of its source."""
    source = re.split("[/:]", document, maxsplit=1)[0]
    shard = next((s for s in shards_of(content) if s.split("/")[0] == source), None)
    if shard is None:
        names = sorted({s.split("/")[0] for s in shards_of(content)})
        near = "".join(f"; did you mean '{one}'?" for one in difflib.get_close_matches(source, names, n=1))
        return f"give an id as `chejil inspect` prints them, or SOURCE:FILE#LINE; sources: {', '.join(names)}{near}"
    ids = table(root, f"decisions/{shard}", ["id"])["id"].head(2000).to_list()
    return did_you_mean(document, difflib.get_close_matches(document, ids, n=3, cutoff=0) or ids[:3])


def shards_of(content: Manifest) -> list[str]:
    """Names of a run's shards."""
    return [entry["shard"] for entry in content.inputs]


def table(root: str, path: str, columns: list[str] | None) -> pl.DataFrame:
    """A side table of a shard; all columns if none are named."""
    return pl.DataFrame(pl.from_arrow(shards.read_shard(shards.join(root, f"{path}.parquet"), columns)))


def recipe_of(root: str) -> Recipe:
    """The recipe that a run was made by, every default written out.

    Raises:
        RunError: it is missing or damaged.
    """
    files, path = shards.file_system(shards.join(root, "recipe.yaml"))
    try:
        text = files.read_text(path, encoding="utf-8")
    except FileNotFoundError as error:
        mend = f"run the recipe again with --out {root}"
        raise RunError("recipe.yaml is missing", where=root, mend=mend) from error
    try:
        return Recipe.model_validate(marked_yaml.read(text, path).data)
    except (RecipeError, ValidationError, UnicodeDecodeError) as error:
        said = str(error).splitlines()[0]
        raise RunError(f"recipe.yaml is damaged: {said}", where=root, mend=finished_files.RESTORE) from None


def text_of(root: str, shard: str, row: int, transforms: Iterable[str] = ()) -> str:
    """A document's text, with the edits of these transforms."""
    start = 0
    for table in edits.row_groups(root, shard, ["text"], transforms):
        if row < start + table.num_rows:
            return table["text"][row - start].as_py()
        start += table.num_rows
    raise RunError(
        f"row {row} is missing", where=f"documents/{shard}", mend="chejil verify names what changed"
    )
