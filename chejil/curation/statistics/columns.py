"""Summaries of many columns by group, that add up: the sketch of a whole corpus is the sum of those of its files.

All buckets of all columns and groups are one sorted list of codes with counts, so that a batch of a hundred columns is
added with one sort and not with a hundred. A filled bucket takes 16 bytes; a signal of a real run fills 50 to 1,500.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from chejil.curation.statistics.buckets import KEYS, MAX_GROUPS, count, merged, pack, unpack
from chejil.curation.statistics.summary import Summary
from chejil.errors import ChejilError

Key = tuple[str | None, ...]
"""The values that a group's rows have in the columns that they are grouped by."""

_PENDING = 1 << 16  # codes that wait before they are added up


def too_many() -> ChejilError:
    """What to say of a column that has as many values as there are documents."""
    return ChejilError(f"more than {MAX_GROUPS:,} groups", mend="name columns of fewer values in --by")


_POINT = 1074


def _fixed(value: float) -> int:
    """A finite float as a multiple of the smallest one, 2^-1074: sums of such are exact, in any order.

    >>> _fixed(0.5) == 1 << 1073, _fixed(-5e-324)
    (True, -1)
    """
    above, below = value.as_integer_ratio()  # `below` is a power of two
    return above << (_POINT + 1 - below.bit_length())


class Columns:
    """Summaries by column and group; columns and groups are numbered as they are met."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self.keys: list[Key] = []
        self._codes: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        self._tallies = np.zeros((3, 0, 0), np.int64)
        self._extremes = np.zeros((2, 0, 0))
        self._whole = np.zeros(0, bool)
        self._rows = np.zeros(0, np.int64)
        self._sums: dict[tuple[int, int], int] = {}
        self._position: dict[str, int] = {}
        self._scratch = np.zeros(KEYS, np.int32)

    def __getstate__(self) -> dict:
        self._compact()
        return {name: value for name, value in self.__dict__.items() if name != "_scratch"}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state, _scratch=np.zeros(KEYS, np.int32))

    def ordered(
        self, keys: Sequence[Key], groups: np.ndarray
    ) -> tuple[list[Key], np.ndarray | None, np.ndarray]:
        """How the rows of a batch are to be ordered for `add`: its keys, rows (None: as they are), and starts.

        Groups come in the order in which they were first met, so that what is counted needs no sorting.
        """
        by_place = np.argsort(self._groups(keys))
        rank = np.empty(len(keys), np.int16)
        rank[by_place] = np.arange(len(keys))
        ranks = rank[groups]
        starts = np.r_[0, np.cumsum(np.bincount(ranks, minlength=len(keys)))]
        order = np.argsort(ranks, kind="stable") if len(keys) > 1 else None  # 16 bits: a radix sort
        return [keys[place] for place in by_place.tolist()], order, starts

    def add(self, names: Sequence[str], values: np.ndarray, keys: Sequence[Key], starts: np.ndarray) -> None:
        """Add a batch.

        Args:
            values: (num_columns, num_rows) float64, NaN where null, the rows of a group beside one another.
            keys: of the groups of this batch, in the order of the rows.
            starts: (num_groups + 1) int64, the first row of each group, and the number of rows.

        Raises:
            ChejilError: more than MAX_GROUPS groups.
        """
        places, columns = self._groups(keys), self._columns(names)
        shape = (len(names), len(keys))
        tallies, sums = np.zeros((3, *shape), np.int64), np.zeros(shape)
        extremes, whole = np.zeros((2, *shape)), np.ones(len(names), bool)
        found = count(values, starts, self._scratch, tallies, extremes, sums, whole)
        self._rows[places] += np.diff(starts)
        self._merge(columns, places, found, tallies, extremes, whole)
        for position, name in enumerate(names):
            self._position[name] = min(position, self._position.get(name, position))
        for column, row in zip(columns.tolist(), sums.tolist(), strict=True):
            for group, value in zip(places.tolist(), row, strict=True):
                self._add_sum(column, group, _fixed(value))

    def merge(self, other: Columns) -> None:
        """Add all that another has counted."""
        places, columns = self._groups(other.keys), self._columns(other._names)
        other._compact()
        found = (other._codes[0], other._counts[0]) if other._codes else (np.zeros(0, np.int64),) * 2
        self._rows[places] += other._rows
        self._merge(columns, places, found, other._tallies, other._extremes, other._whole)
        for name, position in other._position.items():
            self._position[name] = min(position, self._position.get(name, position))
        here, there = columns.tolist(), places.tolist()
        for (column, group), value in other._sums.items():
            self._add_sum(here[column], there[group], value)

    def _merge(
        self,
        columns: np.ndarray,
        places: np.ndarray,
        found: tuple[np.ndarray, np.ndarray],
        tallies: np.ndarray,
        extremes: np.ndarray,
        whole: np.ndarray,
    ) -> None:
        self._whole[columns] &= whole
        if not len(columns) or not len(places):
            return
        here = np.ix_(columns, places)
        for number in range(3):
            self._tallies[number][here] += tallies[number]
        self._extremes[0][here] = np.minimum(self._extremes[0][here], extremes[0])
        self._extremes[1][here] = np.maximum(self._extremes[1][here], extremes[1])
        column, group, key = unpack(found[0])
        codes = pack(columns[column], places[group], key)
        order = slice(None) if (np.diff(codes) > 0).all() else np.argsort(codes)
        self._codes.append(codes[order])
        self._counts.append(found[1][order])
        if sum(map(len, self._codes[1:])) > max(_PENDING, len(self._codes[0])):
            self._compact()

    def _add_sum(self, column: int, group: int, value: int) -> None:
        self._sums[column, group] = self._sums.get((column, group), 0) + value

    def _compact(self) -> None:
        while len(self._codes) > 1:  # the last two first, the long one last
            codes, counts = self._codes.pop(), self._counts.pop()
            self._codes[-1], self._counts[-1] = merged(self._codes[-1], self._counts[-1], codes, counts)

    def _groups(self, keys: Sequence[Key]) -> np.ndarray:
        known = {key: place for place, key in enumerate(self.keys)}
        for key in keys:
            known.setdefault(key, len(known))
        if len(known) > MAX_GROUPS:
            raise too_many()
        self.keys = list(known)
        self._grow()
        return np.array([known[key] for key in keys], np.int64)

    def _columns(self, names: Sequence[str]) -> np.ndarray:
        known = {name: place for place, name in enumerate(self._names)}
        for name in names:
            known.setdefault(name, len(known))
        self._names = list(known)
        self._grow()
        return np.array([known[name] for name in names], np.int64)

    def _grow(self) -> None:
        old, shape = self._tallies.shape[1:], (len(self._names), len(self.keys))
        if old == shape:
            return
        tallies, extremes = np.zeros((3, *shape), np.int64), np.empty((2, *shape))
        extremes[0], extremes[1] = np.inf, -np.inf
        tallies[:, : old[0], : old[1]], extremes[:, : old[0], : old[1]] = self._tallies, self._extremes
        self._tallies, self._extremes = tallies, extremes
        self._whole = np.r_[self._whole, np.ones(shape[0] - old[0], bool)]
        self._rows = np.r_[self._rows, np.zeros(shape[1] - old[1], np.int64)]

    @property
    def names(self) -> list[str]:
        """Columns by their place in the file where they stand first, then by name."""
        return sorted(self._names, key=lambda name: (self._position[name], name))

    def rows(self, keys: Iterable[Key] | None = None) -> int:
        """Rows of these groups; of all if none are named."""
        return int(self._rows[self._places(keys)].sum())

    def _places(self, keys: Iterable[Key] | None) -> np.ndarray:
        if keys is None:
            return np.arange(len(self.keys))
        wanted = set(keys)
        return np.array([place for place, key in enumerate(self.keys) if key in wanted], np.int64)

    def summary(self, name: str, keys: Iterable[Key] | None = None) -> Summary:
        """Of a column over these groups; over all if none are named."""
        self._compact()
        places, column = self._places(keys), self._names.index(name)
        codes = self._codes[0] if self._codes else np.zeros(0, np.int64)
        first, last = np.searchsorted(codes, [column << 32, (column + 1) << 32])
        _, groups, found = unpack(codes[first:last])
        mine = np.isin(groups, places)
        counts = (
            np.bincount(found[mine] + KEYS // 2, self._counts[0][first:last][mine], KEYS)
            if mine.any()
            else np.zeros(1)
        )
        filled = np.flatnonzero(counts)
        finite, nulls, infinite = (int(tally[column, places].sum()) for tally in self._tallies)
        low, high = self._extremes[0, column, places], self._extremes[1, column, places]
        return Summary(
            count=finite,
            nulls=nulls,
            infinite=infinite,
            missing=self.rows(keys) - finite - nulls - infinite,
            low=float(low.min()) if finite else None,
            high=float(high.max()) if finite else None,
            total=Fraction(sum(self._sums.get((column, place), 0) for place in places.tolist()), 1 << _POINT),
            whole=bool(self._whole[column]),
            keys=filled - KEYS // 2,
            counts=counts[filled].astype(np.int64),
        )
