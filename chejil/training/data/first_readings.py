"""Which places of a batch are read for the first time: a training of several epochs has each text once in it.

A byte a token of the shards. Marks are of tokens, not of rows or pieces, since another epoch may cut documents
elsewhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.training.data.batches import Batches
from chejil.training.data.rows import columns


class FirstReadings:
    """Of the batches of a training that are asked for, in that order."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._read = [np.zeros(shard.num_tokens, bool) for shard in batches.shards]

    def of(self, step: int) -> np.ndarray:
        """(B, T) bool: places whose token was in no batch asked for before, nor before in this one."""
        batches, pieces = self._batches, self._batches.pieces(step)
        first_BT = np.zeros((batches.rows_per_batch, batches.settings.row_tokens), bool)
        column, _, _, _ = columns(pieces.row, pieces.num_tokens, len(first_BT))
        for shard in np.unique(pieces.shard):
            here = np.flatnonzero(pieces.shard == shard)
            begin = pieces.document[here] + pieces.begin[here]
            _mark(self._read[shard], begin, pieces.num_tokens[here], pieces.row[here], column[here], first_BT)
        return first_BT


@njit(cache=True, nogil=True)
def _mark(read, begin, num_tokens, row, column, first_BT):
    for piece in range(len(begin)):
        for place in range(num_tokens[piece]):
            token = begin[piece] + place
            first_BT[row[piece], column[piece] + place] = not read[token]
            read[token] = True
