"""Rehydration: deduplicated pages weighed by how often they stood in the corpus (Penedo et al. 2025, FineWeb-2).

A page that many sites copy is better, on the whole, than one that nobody does; and one that stands everywhere is a
template. So a mixture may repeat a survivor by the size of its cluster. The weight is written beside the document and
repeats nothing by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml

from chejil.errors import ChejilError, did_you_mean


@cache
def tables() -> dict[str, dict[int, float]]:
    """Weights by the cluster size from which they hold, by name."""
    return yaml.safe_load((resources.files("chejil.curation.dedup") / "rehydration.yaml").read_text("utf-8"))


def table(choice: str | Mapping[int, float]) -> dict[int, float]:
    """The table that a recipe names, or writes out.

    Raises:
        ChejilError: no such name; a table that says nothing about clusters of one, or weights that are
            negative or no finite number.
    """
    if isinstance(choice, str):
        if choice not in tables():
            raise ChejilError(f"no weights are called '{choice}'", mend=did_you_mean(choice, tables()))
        return tables()[choice]
    if 1 not in choice or min(choice) < 1 or not all(0 <= one < math.inf for one in choice.values()):
        what = f"weights {dict(choice)}: sizes begin at 1, and each weight is a number, none of them negative"
        raise ChejilError(what, mend="e.g. {1: 1, 2: 3, 10: 1}")
    return dict(choice)


def known(choice: Any) -> Any:
    """A table, or its name, as a setting holds it; None: no weights. For pydantic, so faults are ValueErrors."""
    try:
        if choice is not None:
            table(choice)
    except ChejilError as error:
        raise ValueError(f"{error.what} ({(error.mend or '').rstrip('?')})") from None
    return choice


def weights(sizes: np.ndarray, steps: Mapping[int, float]) -> np.ndarray:
    """Weight of each document by the size of its cluster, (num_docs) float32.

    >>> weights(np.array([1, 2, 5, 11, 12]), {1: 1, 2: 5, 12: 2}).tolist()
    [1.0, 5.0, 5.0, 5.0, 2.0]
    """
    edges = np.array(sorted(steps))
    values = np.array([steps[edge] for edge in edges.tolist()], np.float32)
    return values[np.searchsorted(edges, sizes, side="right") - 1]
