"""The rows of a window in an epoch: which pieces they hold, and in which order they come. Nothing here is state.

An epoch goes through the windows of a stream in a shuffled order, and through the rows of each window in another. A
window is packed when a row of it is asked for (0.2 µs a document) and kept until others push it out; a row that is
asked for again, after a crash or on another machine, is the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chejil.training.data import shuffling
from chejil.training.data.packing import PackingSettings, Pieces, pack
from chejil.training.data.row_index import Windows
from chejil.training.data.rows import PlacedPieces, joined
from chejil.training.data.token_streams import Documents, Stream

KEPT_PLANS = 2
"""Windows of a stream: a batch may end one and begin the next."""


class WindowPlans:
    """Rows of a stream, through all epochs."""

    def __init__(self, stream: Stream, windows: Windows, row_tokens: int, settings: PackingSettings) -> None:
        self.stream, self.windows = stream, windows
        self._row_tokens, self._settings = row_tokens, settings
        self._plans: OrderedDict[tuple[int, int], tuple[PlacedPieces, np.ndarray]] = OrderedDict()
        self._orders: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def pieces(self, begin: int, end: int) -> PlacedPieces:
        """The pieces of rows begin … end - 1, counted through all epochs; `row` counts from `begin`."""
        parts = [self._of_window(*place, first - begin) for first, place in self._places(begin, end)]
        return joined(parts)

    def _places(self, begin: int, end: int) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
        """Epoch, window, and the rows of the window, for each part of some rows that is in one window."""
        while begin < end:
            epoch, row = divmod(begin, self.windows.num_rows)
            order, first = self._order(epoch)
            at = int(np.searchsorted(first, row, "right")) - 1
            low, high = row - int(first[at]), min(int(first[at + 1]), row + end - begin) - int(first[at])
            yield begin, (epoch, int(order[at]), low, high)
            begin += high - low

    def _order(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows in the order of an epoch, and the first row of each."""
        if epoch not in self._orders:
            order = shuffling.order(len(self.windows.rows), self._key("windows", epoch))
            first = np.concatenate([[0], np.cumsum(self.windows.rows[order])])
            _keep(self._orders, epoch, (order, first))
        return self._orders[epoch]

    def _of_window(self, epoch: int, window: int, low: int, high: int, row: int) -> PlacedPieces:
        pieces, first = self._plan(epoch, window)
        found = pieces.at(slice(int(first[low]), int(first[high])))
        rows = np.repeat(np.arange(row, row + high - low), np.diff(first[low : high + 1]))
        return replace(found, row=rows)

    def _plan(self, epoch: int, window: int) -> tuple[PlacedPieces, np.ndarray]:
        """All pieces of a window in the order of its rows, and the first piece of each row."""
        if (epoch, window) not in self._plans:
            documents = self.stream.window(window)
            documents = documents.at(shuffling.order(len(documents), self._key("documents", epoch, window)))
            packed = pack(documents.num_tokens, self._row_tokens, self._settings.policy)
            assert packed.num_rows == self.windows.rows[window], "the index is of other data"
            shuffled = _in_order(packed, shuffling.order(packed.num_rows, self._key("rows", epoch, window)))
            _keep(self._plans, (epoch, window), (placed(shuffled, documents), shuffled.first))
        return self._plans[epoch, window]

    def _key(self, what: str, *where: int) -> np.uint64:
        return shuffling.key_of(what, self.stream.seed, self.stream.name, *where)


def placed(pieces: Pieces, documents: Documents) -> PlacedPieces:
    """Pieces with the places of their documents."""
    at, num_tokens = pieces.document, documents.num_tokens[pieces.document]
    left = num_tokens - pieces.begin - pieces.num_tokens
    rows = np.repeat(np.arange(pieces.num_rows), np.diff(pieces.first))
    return PlacedPieces(documents.shard[at], documents.begin[at], pieces.begin, pieces.num_tokens, left, rows)


def _in_order(pieces: Pieces, order: np.ndarray) -> Pieces:
    """The same rows in another order."""
    num = np.diff(pieces.first)[order]
    first = np.concatenate([[0], np.cumsum(num)])
    at = np.arange(int(first[-1])) + np.repeat(pieces.first[order] - first[:-1], num)
    return Pieces(pieces.document[at], pieces.begin[at], pieces.num_tokens[at], first)


def _keep(kept: OrderedDict, key: object, value: object) -> None:
    kept[key] = value
    while len(kept) > KEPT_PLANS:
        kept.popitem(last=False)
