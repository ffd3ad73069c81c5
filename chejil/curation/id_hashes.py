"""The hash of an id, which decides every sample: xxh3-64 with a seed, 0.3 µs an id."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import xxhash

if TYPE_CHECKING:  # a training reads ids without it
    import polars as pl


def id_hashes(ids: Collection[str] | pl.Series, seed: int) -> np.ndarray:
    """(num_ids) uint64.

    >>> id_hashes(["a", "b"], 1).dtype.name
    'uint64'
    """
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(one.encode(), seed) for one in ids), np.uint64, len(ids))
