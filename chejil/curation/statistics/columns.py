"""Summaries of many columns by group, that add up: the sketch of a whole corpus is the sum of those of its files.

All buckets of all columns and groups are one sorted list of codes with counts, so that a batch of a hundred columns is
added with one sort and not with a hundred. A filled bucket takes 16 bytes; a signal of a real run fills 50 to 1,500.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import frexp

import numpy as np

from chejil.curation.statistics.buckets import (
    KEYS,
    MAX_GROUPS,
    count,
    merged,
    pack,
    places_by_group,
    put,
    unpack,
)
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
    part, exponent = frexp(value)
    whole, shift = int(part * 2.0**53), exponent - 53 + _POINT
    return whole << shift if shift >= 0 else whole >> -shift  # no bit is lost: a small number has few


def _exact_sum(values: np.ndarray) -> int:
    """The same of the sum of a batch that is beyond the largest float."""
    return sum(map(_fixed, values[np.isfinite(values)].tolist()))


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
        """How the rows of a batch are to be ordered for `add`: its keys, the place of each row (None: as they are), and
        the places at which the groups start.

        Groups come in the order in which they were first met, so that what is counted needs no sorting.
        """
        by_place = np.argsort(self._groups(keys))
        rank = np.empty(len(keys), np.int16)
        rank[by_place] = np.arange(len(keys))
        ranks = rank[groups]
        starts = np.r_[0, np.cumsum(np.bincount(ranks, minlength=len(keys)))]
        places = places_by_group(ranks, starts) if len(keys) > 1 else None
        return [keys[place] for place in by_place.tolist()], places, starts

    def add(
        self,
        names: Sequence[str],
        values: Iterable[np.ndarray],
        keys: Sequence[Key],
        starts: np.ndarray,
        places: np.ndarray | None = None,
    ) -> None:
        """Add a batch.

        Args:
            values: of each column (num_rows) numbers of any type, NaN where null.
            keys: of the groups of this batch, in the order of the rows.
            starts: (num_groups + 1) int64, the first place of each group, and the number of rows.
            places: (num_rows) where each row goes; None if the rows of a group lie beside one another.

        Raises:
            ChejilError: more than MAX_GROUPS groups.
        """
        groups, columns = self._groups(keys), self._columns(names)
        shape = (len(names), len(keys))
        tallies, sums = np.zeros((3, *shape), np.int64), np.zeros(shape)
        extremes, whole = np.zeros((2, *shape)), np.ones(len(names), bool)
        codes, counts, at = np.empty(4096, np.int64), np.empty(4096, np.int64), 0
        by_group, exact = np.empty(int(starts[-1])), dict[tuple[int, int], int]()
        for number, column in enumerate(values):
            if places is None:
                by_group[:] = column
            else:
                put(column, places, by_group)
            codes, counts, at, whole[number] = count(
                by_group, starts, self._scratch, tallies[:, number], extremes[:, number], sums[number],
                codes, counts, at, columns[number], groups,
            )  # fmt: skip
            for group in np.flatnonzero(~np.isfinite(sums[number])).tolist():
                exact[number, group] = _exact_sum(by_group[starts[group] : starts[group + 1]])
        self._rows[groups] += np.diff(starts)
        self._merge(columns, groups, tallies, extremes, whole)
        self._append(codes[:at], counts[:at])
        for position, name in enumerate(names):
            self._position[name] = min(position, self._position.get(name, position))
        for number, group in np.ndindex(*shape):
            total = exact.get((number, group))
            value = _fixed(float(sums[number, group])) if total is None else total
            self._add_sum(int(columns[number]), int(groups[group]), value)

    def merge(self, other: Columns) -> None:
        """Add all that another has counted."""
        groups, columns = self._groups(other.keys), self._columns(other._names)
        other._compact()
        self._rows[groups] += other._rows
        self._merge(columns, groups, other._tallies, other._extremes, other._whole)
        for codes, counts in zip(other._codes, other._counts, strict=True):
            numbers, places, keys = unpack(codes)
            self._append(pack(columns[numbers], groups[places], keys), counts)
        for name, position in other._position.items():
            self._position[name] = min(position, self._position.get(name, position))
        here, there = columns.tolist(), groups.tolist()
        for (column, group), value in other._sums.items():
            self._add_sum(here[column], there[group], value)

    def _merge(
        self,
        columns: np.ndarray,
        groups: np.ndarray,
        tallies: np.ndarray,
        extremes: np.ndarray,
        whole: np.ndarray,
    ) -> None:
        self._whole[columns] &= whole
        if not len(columns) or not len(groups):
            return
        here = np.ix_(columns, groups)
        for number in range(3):
            self._tallies[number][here] += tallies[number]
        self._extremes[0][here] = np.minimum(self._extremes[0][here], extremes[0])
        self._extremes[1][here] = np.maximum(self._extremes[1][here], extremes[1])

    def _append(self, codes: np.ndarray, counts: np.ndarray) -> None:
        order = slice(None) if (codes[1:] > codes[:-1]).all() else np.argsort(codes)
        self._codes.append(codes[order])
        self._counts.append(counts[order])
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
