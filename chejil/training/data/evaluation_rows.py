"""Rows of held-out documents for evaluation: the same documents in the same rows, whatever the training.

Each stream's documents come in the order of their hashes, up to `eval_tokens`, are packed as in training, and are cut
into batches of at most so many rows; a batch is of one stream. Neither the training's seed nor its mixture, batch or
world changes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from chejil.training.data.data_settings import DataSettings
from chejil.training.data.held_out import Held, in_order
from chejil.training.data.packing import pack
from chejil.training.data.rows import Filler, PlacedPieces, Rows
from chejil.training.data.token_streams import Mapped, Stream
from chejil.training.data.window_plans import placed


class EvaluationRows:
    """Held-out rows, batch by batch.

    Args:
        rows: of a batch, at most.
    """

    def __init__(
        self, streams: Sequence[Stream], held: Held, settings: DataSettings, filler: Filler, rows: int
    ) -> None:
        self._streams, self._held, self._settings = streams, held, settings
        self._filler, self._rows, self._tokens = filler, rows, Mapped("tokens")
        self._plans: dict[int, tuple[PlacedPieces, int]] = {}

    @property
    def names(self) -> list[str]:
        """Source and language of each stream."""
        return [stream.name for stream in self._streams]

    def __iter__(self) -> Iterator[Rows]:
        for number in range(len(self._streams)):
            yield from self.of(number)

    def of(self, number: int) -> Iterator[Rows]:
        """The batches of a stream, none where nothing is held out."""
        pieces, num_rows = self._plan(number)
        for begin in range(0, num_rows, self._rows):
            end = min(begin + self._rows, num_rows)
            mine = pieces.at(slice(*np.searchsorted(pieces.row, [begin, end])))
            yield self._filled(number, replace(mine, row=mine.row - begin), end - begin)

    def documents(self, number: int) -> np.ndarray:
        """Numbers of the documents of a stream that are read, in order."""
        if self._streams[number].name not in self._held:
            return np.zeros(0, np.int64)
        found = in_order(*self._held[self._streams[number].name])
        before = np.cumsum(self._streams[number].located(found).num_tokens)
        return found[: 1 + int(np.searchsorted(before, self._settings.held_out.eval_tokens))]

    def _plan(self, number: int) -> tuple[PlacedPieces, int]:
        if number not in self._plans:
            found = self._streams[number].located(self.documents(number))
            packed = pack(found.num_tokens, self._settings.row_tokens, self._settings.packing.policy)
            self._plans[number] = placed(packed, found), packed.num_rows
        return self._plans[number]

    def _filled(self, number: int, pieces: PlacedPieces, num_rows: int) -> Rows:
        numbers, shard = np.unique(pieces.shard, return_inverse=True)
        tokens = [self._tokens(self._streams[number].shards[at]) for at in numbers]
        return self._filler.fill(replace(pieces, shard=shard), tokens, np.full(num_rows, number))
