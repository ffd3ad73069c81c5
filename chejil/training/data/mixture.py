"""Mixture: which source each row of a training is from. Weights are in bytes; stages change them.

A weight in tokens would favour the language that the tokenizer cuts finer. So weights are shares of bytes of text, and
the share of rows follows from the bytes that a row of the source holds: its text by its rows, padding included.

Rows are given out by the divisor method of Webster and Sainte-Laguë: row k of a source with share p stands at
(k + ½) / p, and rows come in this order. So after any number of rows each source has had what that method gives it for
so many seats (the nearest whole number to its share, but for ties with others); the sources are spread evenly, no draw
is involved, and row i is found without the rows before it. The order does not depend on how long a stage is: a
training that is made longer, or a curriculum whose later stages change, has seen the same rows up to there.

A source whose weight is too small for a single row is refused, not forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chejil.errors import ChejilError, did_you_mean
from chejil.training.whole_numbers import Count

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Epochs = Annotated[float, Field(gt=0)]


class StageWeights(BaseModel):
    """Weights that hold from a token count on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_tokens: Count = Field(0, description="Tokens before it begins: places of rows, padding included.")
    weights: dict[str, Weight] = Field(
        default_factory=dict,
        description="Bytes of text of each source, relative to one another: `wiki-ko`, `mc4-*`, `wiki-ko/ko`. "
        "What matches one name shares its weight by size; what matches none is left out. None: all by size.",
    )


class MixtureStages(BaseModel):
    """How much of each source, stage after stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stages: list[StageWeights] = Field(
        default_factory=lambda: [StageWeights()],
        min_length=1,
        description="One after the other; the first from 0.",
    )
    max_epochs: dict[str, Epochs] = Field(
        default_factory=dict, description="How often a source may be read, by name; more is refused."
    )

    @model_validator(mode="after")
    def _in_order(self) -> MixtureStages:
        begins = [stage.from_tokens for stage in self.stages]
        if begins[0] != 0 or any(a >= b for a, b in pairwise(begins)):
            raise ValueError("stages follow one another: the first from 0, each later than the one before")
        return self

    @classmethod
    def of(
        cls, weights: Sequence[tuple[int, Mapping[str, float]]], caps: Mapping[str, float]
    ) -> MixtureStages:
        """From pairs of (from_tokens, weights)."""
        stages = [StageWeights(from_tokens=begin, weights=dict(said)) for begin, said in weights]
        return cls(stages=stages, max_epochs=dict(caps))


@dataclass(frozen=True)
class StreamSize:
    """What an epoch of a stream holds, without what is held out."""

    source: str
    lang: str
    num_rows: int
    num_tokens: int
    num_bytes: int

    @property
    def name(self) -> str:
        """Source and language."""
        return f"{self.source}/{self.lang}"

    def matches(self, pattern: str) -> bool:
        """Whether a name of the settings means it."""
        return fnmatchcase(self.source, pattern) or fnmatchcase(self.name, pattern)


def members(pattern: str, sizes: Sequence[StreamSize]) -> list[int]:
    """The streams that a name of the settings means.

    Raises:
        ChejilError: there is none.
    """
    found = [number for number, size in enumerate(sizes) if size.matches(pattern)]
    if not found:
        names = {name for size in sizes for name in (size.source, size.name)}
        raise ChejilError(f"mixture: no source '{pattern}'", mend=did_you_mean(pattern, names))
    return found


def row_shares(weights: Mapping[str, float], sizes: Sequence[StreamSize], row_tokens: int) -> list[float]:
    """The share of rows of each stream, adding up to 1.

    Raises:
        ChejilError: an unknown source, one named twice, one without text or with less than a row, or no weight.

    >>> sizes = [StreamSize("a", "ko", 10, 40, 400), StreamSize("b", "en", 10, 40, 100)]
    >>> row_shares({"a": 1, "b": 1}, sizes, 4)  # the rows of b hold a quarter of the text
    [0.2, 0.8]
    """
    shares, owner = [0.0] * len(sizes), [""] * len(sizes)
    for pattern, weight in (weights or {"*": 1.0}).items():
        found = members(pattern, sizes)
        for number in found:
            _require_one(owner[number], pattern, sizes[number])
            owner[number] = pattern
        if weight > 0:
            _require_text(pattern, [sizes[number] for number in found], row_tokens)
            num_bytes = sum(sizes[number].num_bytes for number in found)
            for number in found:  # its part of the bytes, by the bytes of its rows: their own bytes cancel
                shares[number] = weight * sizes[number].num_rows / num_bytes
    total = math.fsum(shares)
    if total == 0:
        raise ChejilError("mixture: all weights are 0", mend="give a source a weight above 0")
    return [share / total for share in shares]


def _require_one(before: str, pattern: str, size: StreamSize) -> None:
    if before:
        what = f"mixture: '{size.name}' is meant by '{before}' and by '{pattern}'"
        raise ChejilError(what, mend="name each source once in a stage")


def _require_text(pattern: str, sizes: Sequence[StreamSize], row_tokens: int) -> None:
    tokens, num_bytes = sum(size.num_tokens for size in sizes), sum(size.num_bytes for size in sizes)
    mend = "leave it out of the weights, or encode more of it"
    if num_bytes == 0 or tokens == 0:
        raise ChejilError(f"mixture: '{pattern}' has no text to train on", mend=mend)
    if tokens < row_tokens:
        what = f"mixture: '{pattern}' has {tokens:,} tokens, less than a row of {row_tokens:,}"
        raise ChejilError(what, mend=f"{mend}; or give it a weight together with others: 'a-*'")


class Interleaving:
    """Which stream each row of a stage is from.

    Args:
        shares: of each stream, adding up to 1; 0 for none.
    """

    def __init__(self, shares: Sequence[float]) -> None:
        self.shares = np.array(shares, np.float64)
        self._used = np.flatnonzero(self.shares)

    def between(self, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """The stream of each of some rows, and its number among the stream's rows of this stage.

        >>> stream, row = Interleaving([0.75, 0.25]).between(0, 8)
        >>> stream.tolist(), row.tolist()
        ([0, 0, 1, 0, 0, 0, 1, 0], [0, 1, 0, 2, 3, 4, 1, 5])
        """
        spare = (
            len(self._used) / 2 + 1
        )  # by so many rows, rounding may take all streams together off their time
        low, high = self._before(begin - spare), self._before(end + spare)
        num = high - low
        stream = np.repeat(self._used, num)
        row = np.arange(int(num.sum())) - np.repeat(np.cumsum(num) - num - low, num)
        at = (row + 0.5) / self.shares[stream]
        sorted_by_time = np.lexsort((stream, at))[begin - int(low.sum()) : end - int(low.sum())]
        return stream[sorted_by_time], row[sorted_by_time]

    def counts(self, rows: int) -> np.ndarray:
        """(num_streams) int64: how many of the first rows are of each stream."""
        low = self._before(rows - len(self._used) / 2 - 1)
        found = np.zeros(len(self.shares), np.int64)
        found[self._used] = low
        stream, _ = self.between(int(low.sum()), rows)
        return found + np.bincount(stream, minlength=len(found))

    def _before(self, time: float) -> np.ndarray:
        """Rows of each used stream that stand before a time: exactly those whose place is computed as smaller."""
        shares = self.shares[self._used]
        found = np.maximum(np.ceil(time * shares - 0.5), 0).astype(np.int64)
        found += (found + 0.5) / shares < time  # the product may be rounded otherwise than the quotient
        return found - ((found > 0) & ((found - 0.5) / shares >= time))
