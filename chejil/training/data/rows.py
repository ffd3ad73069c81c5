"""Rows: what a step trains on, as arrays; and the kernel that copies tokens from the mapped shards into them.

    B  rows of the batch        T  places of a row

All rows are of one stream each (packing never mixes sources), so metrics by source are sums over rows. Place t of a row
has an input `ids` and what is to be predicted there, `labels`; nobody has to shift. With a start token a document
t1 … tn END is read END t1 … tn and predicts t1 … tn END: every token of it is learnt once, its first one too, so that
bits per byte are over all of its bytes, and a model is asked in training what it is asked in generation. Without, it is
read as it stands, its first token is never predicted, and at its last place there is nothing to learn.

Where a document goes on in another row, the last place of the piece still predicts the document's next token. Positions
restart at every piece, for what stood before it cannot be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import xxhash
from numba import njit

IGNORED = -100
"""The label of a place where there is nothing to learn, as PyTorch's cross_entropy has it."""


@dataclass(frozen=True)
class Rows:
    """Rows of a batch.

    Args:
        ids_BT: int32, input tokens; the end-of-document token (or 0) in padding.
        labels_BT: int32, the token to predict, IGNORED where there is none.
        positions_BT: int32, from 0 in each document, and in the padding.
        documents_BT: int32, number of the document in its row; padding has the next number, as a document of its own.
        source_B: int32, number of the stream in `Batches.names`.
        num_bytes_B: int64, bytes of text that the row's labels stand for: the divisor of bits per byte.
    """

    ids_BT: np.ndarray
    labels_BT: np.ndarray
    positions_BT: np.ndarray
    documents_BT: np.ndarray
    source_B: np.ndarray
    num_bytes_B: np.ndarray

    def __len__(self) -> int:
        return len(self.ids_BT)

    @property
    def num_learnt_B(self) -> np.ndarray:
        """(B) int64: labels that are not IGNORED."""
        return (self.labels_BT != IGNORED).sum(axis=1)

    def of(self, rows: slice | np.ndarray) -> Rows:
        """Some of the rows."""
        return Rows(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def hash(self) -> str:
        """xxh3-128 of all arrays."""
        state = xxhash.xxh3_128()
        for field in fields(self):
            state.update(getattr(self, field.name).tobytes())
        return state.hexdigest()


@dataclass(frozen=True)
class PlacedPieces:
    """Parts of documents and where they lie; (num_pieces) each, row after row.

    Args:
        shard: the number of a shard, in a list that the caller has.
        document: the document's first token in the shard.
        begin: the piece's first token, counted from there.
        num_tokens: of the piece.
        left: tokens of the document behind the piece.
        row: the row that it is in.
    """

    shard: np.ndarray
    document: np.ndarray
    begin: np.ndarray
    num_tokens: np.ndarray
    left: np.ndarray
    row: np.ndarray

    def at(self, places: slice | np.ndarray) -> PlacedPieces:
        """Some of them."""
        return PlacedPieces(*(getattr(self, field.name)[places] for field in fields(self)))


def joined(parts: Sequence[PlacedPieces]) -> PlacedPieces:
    """One behind the other."""
    names = [field.name for field in fields(PlacedPieces)]
    return PlacedPieces(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


class Filler:
    """Makes rows of pieces.

    Args:
        row_tokens: T.
        end_id: the token that ends documents, None where none does.
        start_token: whether documents begin with it.
        token_bytes: (num_ids) int32, bytes of each token.
    """

    def __init__(
        self, row_tokens: int, end_id: int | None, start_token: bool, token_bytes: np.ndarray
    ) -> None:
        self.row_tokens, self._pad = row_tokens, end_id or 0
        self._start, self._token_bytes = start_token and end_id is not None, token_bytes

    def fill(self, pieces: PlacedPieces, tokens: Sequence[np.ndarray], source_B: np.ndarray) -> Rows:
        """Rows of pieces.

        Args:
            pieces: sorted by row.
            tokens: of each shard that pieces name.
            source_B: the stream of each row.
        """
        num = len(source_B)
        ids, labels, positions, documents = (np.empty((num, self.row_tokens), np.int32) for _ in range(4))
        num_bytes, (column, number, used, count) = (
            np.zeros(num, np.int64),
            columns(pieces.row, pieces.num_tokens, num),
        )
        by_shard = np.argsort(pieces.shard, kind="stable")
        cuts = np.flatnonzero(np.diff(pieces.shard[by_shard])) + 1
        for group in np.split(by_shard, cuts) if len(by_shard) else ():
            _copy(
                tokens[pieces.shard[group[0]]], group, pieces.document, pieces.begin, pieces.num_tokens,
                pieces.left, pieces.row, column, number, self._start, self._pad, self._token_bytes,
                ids, labels, positions, documents, num_bytes,
            )  # fmt: skip
        _pad_out(used, count, self._pad, ids, labels, positions, documents)
        return Rows(ids, labels, positions, documents, source_B.astype(np.int32), num_bytes)


@njit(cache=True, nogil=True)
def columns(row, num_tokens, num_rows):
    """Of each piece its first place and its number in the row; of each row its used places and its pieces."""
    column, number = np.empty(len(row), np.int64), np.empty(len(row), np.int64)
    used, count = np.zeros(num_rows, np.int64), np.zeros(num_rows, np.int64)
    for piece in range(len(row)):
        here = row[piece]
        column[piece], number[piece] = used[here], count[here]
        used[here] += num_tokens[piece]
        count[here] += 1
    return column, number, used, count


@njit(cache=True, nogil=True)
def _copy(
    tokens, group, document, begin, num_tokens, left, row, column, number, start, start_id, token_bytes,
    ids, labels, positions, documents, num_bytes,
):  # fmt: skip
    """Copy the pieces of one shard. With `start`, inputs are the tokens one place earlier."""
    for piece in group:
        here, at, first, size = row[piece], column[piece], document[piece] + begin[piece], num_tokens[piece]
        learnt = 0
        for place in range(size):
            token = tokens[first + place]
            positions[here, at + place], documents[here, at + place] = place, number[piece]
            if start:
                ids[here, at + place] = start_id if begin[piece] + place == 0 else tokens[first + place - 1]
                label = token
            else:
                ids[here, at + place] = token
                if place == size - 1 and left[piece] == 0:
                    labels[here, at + place] = IGNORED
                    continue
                label = tokens[first + place + 1]
            labels[here, at + place] = label
            learnt += token_bytes[label]
        num_bytes[here] += learnt


@njit(cache=True, nogil=True)
def _pad_out(used, count, pad_id, ids, labels, positions, documents):
    for row in range(len(used)):
        for place in range(used[row], ids.shape[1]):
            ids[row, place], labels[row, place] = pad_id, IGNORED
            positions[row, place], documents[row, place] = place - used[row], count[row]
