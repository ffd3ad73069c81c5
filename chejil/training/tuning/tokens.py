"""Encoded conversations as flat arrays, one behind the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xxhash

_BLOCK = 4_096
"""Conversations that are moved at once."""


@dataclass(frozen=True)
class Tokens:
    """Encoded conversations, one behind the other.

    Args:
        ids: (num_tokens) int32.
        learnt: (num_tokens) bool.
        first: (num_conversations + 1) int64: where each begins.
        streams: (num_conversations) int32: numbers of SftData.names.
    """

    ids: np.ndarray
    learnt: np.ndarray
    first: np.ndarray
    streams: np.ndarray

    @property
    def num(self) -> int:
        """Conversations."""
        return len(self.first) - 1

    @property
    def lengths(self) -> np.ndarray:
        """(num_conversations) int64."""
        return np.diff(self.first)

    @property
    def hash(self) -> str:
        """Of ids, what of them is learnt, and where each begins."""
        found = xxhash.xxh3_128(self.ids.data)
        found.update(self.learnt.data)
        found.update(self.first.data)
        return found.hexdigest()

    def taken(self, which: np.ndarray) -> Tokens:
        """Some of them, in the order of their numbers `which`."""
        first = np.concatenate([[0], np.cumsum(self.lengths[which])])
        ids, learnt = np.empty(first[-1], self.ids.dtype), np.empty(first[-1], bool)
        for begin in range(0, len(which), _BLOCK):  # the places of all at once are 16 bytes a token
            some = slice(begin, min(begin + _BLOCK, len(which)))
            at, to = self._places(which[some]), slice(first[some.start], first[some.stop])
            ids[to], learnt[to] = self.ids[at], self.learnt[at]
        return Tokens(ids, learnt, first, self.streams[which])

    def _places(self, which: np.ndarray) -> np.ndarray:
        lengths = self.lengths[which]
        begins = np.cumsum(lengths) - lengths
        return np.repeat(self.first[which] - begins, lengths) + np.arange(lengths.sum())
