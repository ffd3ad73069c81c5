"""Rows of a batch by the combination of values that they have in some columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from chejil.curation.statistics.buckets import MAX_GROUPS
from chejil.curation.statistics.columns import Key, too_many

_MAX_COMBINATIONS = 1 << 22


def plain(column: pa.Array) -> pa.Array:
    """Words as Arrow's plain strings."""
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def group_rows(columns: Sequence[pa.Array | None], num_rows: int) -> tuple[list[Key], np.ndarray]:
    """The different combinations of values that rows have in some columns, and which one each row has.

    >>> group_rows([pa.array(["a", None, "a"]), None], 3)
    ([('a', None), (None, None)], array([0, 1, 0], dtype=int32))
    """
    code, values = np.zeros(num_rows, np.int64), []
    for column in columns:
        words: list[str | None] = [None]
        if column is not None:
            coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
            words = [*plain(coded.dictionary).to_pylist(), None]
            code = code * len(words) + coded.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
        values.append(words)
        if len(words) > MAX_GROUPS:
            raise too_many()
    size = math.prod(map(len, values))
    if size > _MAX_COMBINATIONS:
        raise too_many()
    present = np.zeros(size, bool)
    present[code] = True
    found = np.flatnonzero(present)
    number = np.zeros(size, np.int32)
    number[found] = np.arange(len(found))
    places = np.unravel_index(found, [len(words) for words in values])
    keys = [
        tuple(words[place] for words, place in zip(values, key, strict=True))
        for key in zip(*places, strict=True)
    ]
    return keys, number[code]
