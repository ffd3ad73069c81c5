"""Conversations in rows, and rows in the order in which they are seen.

`packed`: whole conversations, longest first into the row that they fill best (data/packing.py); none is cut, since all
fit into the context. `padded`: one a row. Rows are made once; each epoch has an order of its own, which follows from
the seed. The trainer gets the rows of all steps as one sequence, so it has no shuffle, no sampler's state and no end of
an epoch: what a step sees is rows[step * batch_rows : (step + 1) * batch_rows] on any number of processes. The last
batch is filled up with the rows that the next epoch would begin with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from chejil.errors import ChejilError
from chejil.training.conversations.audit import IGNORED
from chejil.training.data import packing
from chejil.training.data.shuffling import key_of, order
from chejil.training.tuning.sft_config import SftConfig
from chejil.training.tuning.tokens import Tokens


@dataclass(frozen=True)
class Rows:
    """Rows of whole conversations.

    Args:
        table: input_ids, labels (list<int32>), seq_lengths (list<int32>): a row a line.
        order: (num_steps * batch_rows) int64: rows as they are seen.
    """

    table: pa.Table
    order: np.ndarray
    batch_rows: int

    @property
    def num(self) -> int:
        """Rows of an epoch."""
        return self.table.num_rows

    @property
    def num_steps(self) -> int:
        """Of the whole training."""
        return len(self.order) // self.batch_rows

    @cached_property
    def hash(self) -> str:
        """Of the rows and their order: what a checkpoint is of."""
        found = xxhash.xxh3_128(self.order.data)
        for column in self.table.columns:
            for chunk in column.chunks:
                found.update(chunk.values.to_numpy())
                found.update(chunk.offsets.to_numpy())
        return found.hexdigest()

    def dataset(self) -> Any:
        """As `datasets.Dataset`, in the order in which they are seen."""
        from datasets import Dataset

        # Without a fingerprint of ours it pickles all tokens to make its own.
        return Dataset(self.table, fingerprint=self.hash).select(self.order)


def rows_of(tokens: Tokens, config: SftConfig) -> Rows:
    """The rows of a training."""
    table = packed(tokens, config.context_tokens) if config.packing == "packed" else one_a_row(tokens)
    asked = int(np.ceil(config.epochs * table.num_rows))
    if asked < config.batch_rows:
        what = f"a step of {config.batch_rows:,} rows, and {config.epochs:g} epochs have {asked:,}"
        mend = f"batch_rows: {asked} or less (micro_batch_rows divides it), or more epochs"
        raise ChejilError(what, where="batch_rows", mend=mend)
    wanted = -(-asked // config.batch_rows) * config.batch_rows
    epochs = range(-(-wanted // table.num_rows))
    orders = [order(table.num_rows, key_of("sft", config.seed, epoch)) for epoch in epochs]
    return Rows(table, np.concatenate(orders)[:wanted], config.batch_rows)


def packed(tokens: Tokens, context: int) -> pa.Table:
    """Rows of several conversations."""
    pieces = packing.pack(tokens.lengths, context, "best-fit")
    laid = tokens.taken(pieces.document)
    starts = laid.first[:-1]
    first_token = np.append(starts, len(laid.ids))[pieces.first]
    lengths = pa.array(laid.lengths.astype(np.int32))
    return _table(laid, first_token, pa.ListArray.from_arrays(_offsets(pieces.first), lengths))


def one_a_row(tokens: Tokens) -> pa.Table:
    """Rows of one conversation."""
    lengths = pa.array(tokens.lengths.astype(np.int32))
    each = pa.ListArray.from_arrays(_offsets(np.arange(tokens.num + 1)), lengths)
    return _table(tokens, tokens.first, each)


def _table(tokens: Tokens, first: np.ndarray, lengths: pa.ListArray) -> pa.Table:
    labels = np.where(tokens.learnt, tokens.ids, np.int32(IGNORED))
    ids, learnt = (pa.LargeListArray.from_arrays(first, pa.array(one)) for one in (tokens.ids, labels))
    return pa.table({"input_ids": ids, "labels": learnt, "seq_lengths": lengths})


def _offsets(first: np.ndarray) -> pa.Array:
    return pa.array(first.astype(np.int32))
