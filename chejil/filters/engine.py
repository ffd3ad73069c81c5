"""Scores a batch: every family that is needed runs once, every signal is a formula over its counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import chejil.filters.catalogue  # noqa: F401  (fills the registry)
from chejil.filters.buffers import TextBuffers
from chejil.filters.registry import FAMILIES, Counts, Signal, find_signal


def score(
    texts: pa.Array | pa.ChunkedArray | list[str],
    names: Iterable[str],
    models: Mapping[str, str] | None = None,
) -> pa.Table:
    """Measure signals on texts.

    Args:
        texts: Arrow strings (zero-copy for one chunk of `large_string`) or a list.
        names: signals, from `chejil signals`.
        models: local model files by slot, for the families that read one.

    Returns:
        A column a signal, in the order of `names`; null where it is undefined, and in every column of a text
        that is empty (such a document has no quality to measure).
    """
    signals = [find_signal(name) for name in names]
    buffers = TextBuffers.of(texts)
    counts = measure(buffers, (signal.family for signal in signals), models)
    empty = buffers.num_bytes == 0
    return pa.table({signal.name: _column(signal, counts, empty) for signal in signals})


def measure(texts: TextBuffers, families: Iterable[str], models: Mapping[str, str] | None = None) -> Counts:
    """Run each family once, those that it needs before it."""
    columns: dict[str, np.ndarray] = {}
    counts = Counts(columns, models or {})
    for name in in_order(families):
        columns.update(FAMILIES[name].measure(texts, counts))
    return counts


def in_order(families: Iterable[str]) -> list[str]:
    """The families and all that they need, each once, needed ones first."""
    order: list[str] = []
    for name in families:
        for needed in (*in_order(FAMILIES[name].needs), name):
            if needed not in order:
                order.append(needed)
    return order


def versions(names: Iterable[str]) -> dict[str, int]:
    """Version of every family that these signals rest on; part of the score stage's key."""
    return {name: FAMILIES[name].version for name in in_order(find_signal(n).family for n in names)}


def _column(signal: Signal, counts: Counts, empty: np.ndarray) -> pa.Array:
    value = signal.value(counts)
    if value.dtype == object:
        column = pa.array(value, signal.type, mask=empty)
    else:
        undefined = empty | ~np.isfinite(value) if value.dtype.kind == "f" else empty
        column = pa.array(value, mask=undefined)
    return pc.cast(column, signal.type)
