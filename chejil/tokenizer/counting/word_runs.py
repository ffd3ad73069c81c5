"""Sorted runs of word counts on disk, and their merge in bounded memory.

A run is a Parquet file of SCHEMA in row groups of RUN_ROWS words. A step of the merge looks at the row group of each
run that is at hand: what does not stand behind the least of their last words is complete, is sorted anew and summed. So
at most MOST_RUNS row groups are held (64 x 16,384 words, some 50 MB with what sorting takes); of more runs, parts are
merged first. Sums do not depend on how words lay in runs, so neither does the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numba import njit

from chejil.curation import shards
from chejil.tokenizer.counting.word_counts import SCHEMA, WordCounts, summed

RUN_ROWS = 1 << 14
FILE_ROWS = 1 << 16
"""Words of a row group of words.parquet."""

MOST_RUNS = 64


def write(root: str, path: str, words: WordCounts) -> shards.FileRecord:
    """Write a run."""
    table = words.as_table()
    blocks = (table.slice(first, RUN_ROWS) for first in range(0, len(words), RUN_ROWS))
    return shards.write_shard(root, path, blocks, SCHEMA)


def merge(root: str, paths: Sequence[str], folder: str) -> Iterator[WordCounts]:
    """All words of runs in order, a block at a time, each with the sum of its counts.

    Args:
        folder: below `root`, for what is merged on the way where there are more than MOST_RUNS.
    """
    level = 0
    while len(paths) > MOST_RUNS:
        parts = [paths[first : first + MOST_RUNS] for first in range(0, len(paths), MOST_RUNS)]
        names = [f"{folder}/{level:02}-{number:06}.parquet" for number in range(len(parts))]
        for name, part in zip(names, parts, strict=True):
            blocks = in_groups((block.as_table() for block in _merged(root, part)), RUN_ROWS)
            shards.write_shard(root, name, blocks, SCHEMA)
        paths, level = names, level + 1
    return _merged(root, paths)


def in_groups(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of `rows`, the last one smaller, so that a file does not tell how its rows came."""
    waiting: list[pa.Table] = []
    held = 0
    for table in tables:
        waiting.append(table)
        held += len(table)
        if held >= rows:
            whole = pa.concat_tables(waiting)
            full = held - held % rows
            yield from (whole.slice(first, rows) for first in range(0, full, rows))
            waiting, held = [whole.slice(full)], held % rows
    if held:
        yield pa.concat_tables(waiting)


class _Run:
    """A run that is read: the words at hand, and how many of them are done."""

    def __init__(self, url: str) -> None:
        self._groups = shards.row_groups(url)
        self.more = True
        self.refill()

    def refill(self) -> None:
        """Take the next row group, if the one at hand is done."""
        table = next(self._groups, None)
        self.more = table is not None
        if table is not None:
            self.words, self.done = WordCounts.from_table(table), 0

    @property
    def last(self) -> bytes:
        """The last word at hand."""
        return self.words.data[self.words.offsets[-2] :].tobytes()

    def take(self, bound: np.ndarray) -> WordCounts:
        """The words up to a bound, which are done then."""
        words, first = self.words, self.done
        self.done = _rows_up_to(words.data, words.offsets, first, bound)
        offsets = words.offsets[first : self.done + 1]
        data = words.data[offsets[0] : offsets[-1]]
        return WordCounts(data, offsets - offsets[0], words.counts[first : self.done])


def _merged(root: str, paths: Sequence[str]) -> Iterator[WordCounts]:
    runs = [run for run in (_Run(shards.join(root, path)) for path in paths) if run.more]
    while runs:
        bound = np.frombuffer(min(run.last for run in runs), np.uint8)
        yield summed(_joined([run.take(bound) for run in runs]))
        for run in runs:
            if run.done == len(run.words):
                run.refill()
        runs = [run for run in runs if run.more]


def _joined(parts: Sequence[WordCounts]) -> WordCounts:
    """Tables one behind the other."""
    ends = np.cumsum([0, *(len(part.data) for part in parts)])
    places = [part.offsets[:-1] + start for part, start in zip(parts, ends[:-1], strict=True)]
    offsets = np.concatenate([*places, ends[-1:]]).astype(np.int64)
    data, counts = (
        np.concatenate([part.data for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )
    return WordCounts(data, offsets, counts)


@njit(cache=True, nogil=True)
def _rows_up_to(data, offsets, first, bound):
    """The first row from `first` on whose word stands behind a bound."""
    low, high = first, len(offsets) - 1
    while low < high:
        middle = (low + high) // 2
        start, size = offsets[middle], offsets[middle + 1] - offsets[middle]
        behind = size > len(bound)
        for i in range(min(size, len(bound))):
            if data[start + i] != bound[i]:
                behind = data[start + i] > bound[i]
                break
        if behind:
            high = middle
        else:
            low = middle + 1
    return low
