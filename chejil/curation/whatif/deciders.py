"""The reasons that each decider of a recipe may give, and those that it gave to the documents of a shard of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
import polars as pl

from chejil.curation import shards
from chejil.curation.manifest import Manifest
from chejil.curation.place import verdicts_of
from chejil.curation.recipe import Recipe

_REASONS: Mapping[str, Callable[[Manifest], tuple[str, ...]]] = MappingProxyType(
    {
        "exact_dedup": lambda _: ("duplicate:exact",),
        "near_dedup": lambda _: ("duplicate:near",),
        "decontaminate": lambda run: tuple(f"contaminated:{task}" for task in sorted(run.contamination)),
        "line_dedup": lambda _: ("emptied:line_dedup",),
        "substring_dedup": lambda _: ("emptied:substring_dedup",),
    }
)

CUTTING = ("line_dedup", "substring_dedup")
"""Deciders that count texts of the documents that are kept so far: other bounds change what they cut."""


def around_filter(recipe: Recipe) -> tuple[list[str], list[str]]:
    """Deciders before and behind the filter, in order."""
    names = recipe.deciders()
    at = names.index("filter")
    return names[:at], names[at + 1 :]


def reasons_of(run: Manifest, names: list[str]) -> tuple[str, ...]:
    """All that these deciders may say, in the order of a decision; a set of evaluation texts has a reason a task."""
    return tuple(reason for name in names for reason in _REASONS[name](run))


def change_text(recipe: Recipe) -> bool:
    """Whether what later deciders read depends on the filter: the text after cuts that count kept documents."""
    late = around_filter(recipe)[1]
    cuts = recipe.stage("decontaminate") is not None and recipe.stage("decontaminate").action == "cut"
    # The last decider's own cuts are read by none.
    return any(name in CUTTING for name in late) or (cuts and "decontaminate" in late[:-1])


def said(root: str, name: str, shard: str, reasons: tuple[str, ...]) -> Iterator[tuple[int, np.ndarray]]:
    """Place of each reason in `reasons`, and the rows of the shard that a decider gave it to."""
    url = shards.join(root, f"work/{verdicts_of(name)}/{shard}.parquet")
    if name.endswith("_dedup") and name not in CUTTING:
        table = shards.read_shard(url, ["row", "duplicate_of"])
        gone = table["row"].to_numpy()[table["duplicate_of"].is_valid().to_numpy()]
        yield reasons.index(f"duplicate:{name.removesuffix('_dedup')}"), gone
        return
    rows = pl.DataFrame(pl.from_arrow(shards.read_shard(url, ["reasons"]))).with_row_index("row")
    given = rows.filter(pl.col("reasons").list.len() > 0).explode("reasons")
    for (reason,), here in given.group_by("reasons"):
        yield reasons.index(str(reason)), here["row"].to_numpy()
