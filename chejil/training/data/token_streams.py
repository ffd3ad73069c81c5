"""Streams: the documents of one source and language, in windows that are packed and shuffled on their own.

A corpus of 1.4 T tokens is neither shuffled nor packed as a whole. A stream is cut into chunks of 256 neighbouring
documents (half a page of offsets, about half a megabyte of tokens); a seeded shuffle of all chunks, of which any place
can be computed alone (shuffling.place), is cut into windows of equal numbers of chunks. So a window of 64 Mi tokens
draws from some 250 places all over the stream, is read in runs that a disk likes, and follows from the seed and its
number. Which documents share a window is the same in every epoch; their order and their company is another one.

Nothing is held but the shards' names: chunks and windows are arithmetic.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np

from chejil.tokenizer.encoding.token_shards import TokenShard
from chejil.training.data import shuffling

CHUNK_DOCUMENTS = 256
MAX_MAPPED = 4096
"""Files that a process keeps mapped; Linux allows 65,530 by default."""

NOBODY = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Documents:
    """Where documents lie.

    Args:
        shard: (num_documents) int32, the number of the shard in its stream.
        begin: (num_documents) int64, the first token there.
        num_tokens: (num_documents) int64.
    """

    shard: np.ndarray
    begin: np.ndarray
    num_tokens: np.ndarray

    def __len__(self) -> int:
        return len(self.shard)

    def at(self, places: np.ndarray) -> Documents:
        """Some of them, in this order."""
        return Documents(self.shard[places], self.begin[places], self.num_tokens[places])


class Mapped:
    """Tokens or offsets of shards, mapped; the longest unused are let go."""

    def __init__(self, kind: str, most: int = MAX_MAPPED) -> None:
        self._kind, self._most = kind, most
        self._open: OrderedDict[tuple[str, str], tuple[TokenShard, np.ndarray]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, shard: TokenShard) -> np.ndarray:
        """The array of a shard."""
        name = (shard.root, shard.path)
        with self._lock:  # a batch may be made ahead in a thread while an evaluation reads
            found = self._open.pop(name, None) or (shard, np.asarray(getattr(shard, self._kind)))
            self._open[name] = found
            if len(self._open) > self._most:
                _, (oldest, _) = self._open.popitem(last=False)
                vars(oldest).pop(self._kind, None)  # where cached_property keeps it
        return found[1]


class Stream:
    """The documents of a source and language that are trained on.

    Args:
        shards: all of them of one source and language.
        held_out: (num_held_out) int64, sorted: documents that are not, counted through the shards.
    """

    def __init__(
        self, shards: Sequence[TokenShard], seed: int, window_tokens: int, held_out: np.ndarray = NOBODY
    ) -> None:
        self.shards, self.held_out, self.seed = list(shards), held_out, seed
        self.source, self.lang = shards[0].source, shards[0].lang
        self.num_tokens = sum(one.num_tokens for one in shards)
        self.num_bytes = sum(one.num_bytes for one in shards)
        self.num_windows = min(self.num_chunks, max(1, round(self.num_tokens / window_tokens)))
        self._offsets = Mapped("offsets")

    @property
    def name(self) -> str:
        """Source and language."""
        return f"{self.source}/{self.lang}"

    @property
    def num_chunks(self) -> int:
        """Of all shards."""
        return int(self._first_chunk[-1])

    @cached_property
    def _first_chunk(self) -> np.ndarray:
        return np.cumsum([0, *(-(-one.num_documents // CHUNK_DOCUMENTS) for one in self.shards)])

    @cached_property
    def first_document(self) -> np.ndarray:
        """(num_shards + 1) int64: the number of each shard's first document."""
        return np.cumsum([0, *(one.num_documents for one in self.shards)])

    def window(self, number: int) -> Documents:
        """The documents of a window, as they lie in its chunks."""
        begin, end = (at * self.num_chunks // self.num_windows for at in (number, number + 1))
        key = shuffling.key_of("chunks", self.seed, self.name)
        return _joined([self._chunk(int(at)) for at in shuffling.places(begin, end, self.num_chunks, key)])

    def _chunk(self, number: int) -> Documents:
        shard = int(np.searchsorted(self._first_chunk, number, "right")) - 1
        begin = (number - int(self._first_chunk[shard])) * CHUNK_DOCUMENTS
        end = min(begin + CHUNK_DOCUMENTS, self.shards[shard].num_documents)
        found, first = self._located(shard, begin, end), int(self.first_document[shard])
        low, high = np.searchsorted(self.held_out, [first + begin, first + end])
        if low == high:
            return found
        return found.at(np.delete(np.arange(end - begin), self.held_out[low:high] - first - begin))

    def located(self, numbers: np.ndarray) -> Documents:
        """Documents by their numbers in the stream, in this order."""
        places = np.searchsorted(self.first_document, numbers, "right") - 1
        single = [
            self._located(int(shard), int(at), int(at) + 1)
            for shard, at in zip(places, numbers - self.first_document[places], strict=True)
        ]
        return _joined(single)

    def _located(self, shard: int, begin: int, end: int) -> Documents:
        offsets = np.array(self._offsets(self.shards[shard])[begin : end + 1], np.int64)
        return Documents(np.full(end - begin, shard, np.int32), offsets[:-1], np.diff(offsets))


def _joined(parts: Sequence[Documents]) -> Documents:
    if not parts:
        return Documents(np.zeros(0, np.int32), NOBODY, NOBODY)
    return Documents(
        np.concatenate([part.shard for part in parts]),
        np.concatenate([part.begin for part in parts]),
        np.concatenate([part.num_tokens for part in parts]),
    )
