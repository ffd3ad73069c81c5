"""The registry of signals: one definition each, from which everything else is derived.

A **signal** is a pure function from text to one number (or short string) a document. It knows no threshold.
A **family** measures the counters that several signals share in one pass over the bytes; a signal is then a
vectorised formula over counters, so a share costs nothing beside the pass that counted it. The definition gives
the column, the CLI listing, the recipe schema and its did-you-mean, the docs page, the report line and the tests.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa

from chejil.errors import ChejilError, did_you_mean
from chejil.filters.buffers import TextBuffers

Language = Literal["ko", "en", "mixed", "other", "unknown"]
LANGUAGES: tuple[Language, ...] = ("ko", "en", "mixed", "other", "unknown")
"""The values of `lang`; `unknown` is what a null `lang` is called where a name is needed (bounds, folders)."""

Unit = Literal["char", "byte", "token", "eojeol", "morpheme", "line", "paragraph", "document"]
"""What a signal counts. An eojeol is a white-space separated word; in English text, a word."""

Kind = Literal["count", "share", "mean", "score", "label"]
"""`share` lies in 0..1, `score` in 0..1 from a model, `mean` and `count` are not negative, `label` is a string."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A closed interval, in the signal's own unit; None is open. A null value lies in no interval."""

    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        low = "" if self.low is None else f"{self.low:g} ≤ "
        high = "" if self.high is None else f" ≤ {self.high:g}"
        return f"{low}x{high}"


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters of a batch: `counts["hangul"]` is (num_docs); `ratio` is null-safe.

    `models` holds the files that a recipe names for the families that read one, by slot.
    """

    columns: Mapping[str, np.ndarray]
    models: Mapping[str, str] = field(default_factory=lambda: types.MappingProxyType({}))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def ratio(self, part: str, whole: str) -> np.ndarray:
        """`part / whole` as float64, NaN where `whole` is 0 (the engine turns NaN into null)."""
        over = self[whole]
        return np.divide(self[part], over, out=np.full(len(over), np.nan), where=over != 0)


@dataclass(frozen=True, kw_only=True)
class Family:
    """Counters measured in one pass.

    Args:
        measure: `(texts, counts of the families in needs) -> {counter: (num_docs) array}`.
        version: raised when a counter's meaning changes; part of the stage key.
        model: slot of the model file that it reads (`counts.models[model]`): without the file, no such signals.
        default: False for what is too slow to measure unasked; `all` leaves its signals out.
    """

    name: str
    counters: tuple[str, ...]
    measure: Callable[[TextBuffers, Counts], Mapping[str, np.ndarray]]
    needs: tuple[str, ...] = ()
    version: int = 1
    about: str = ""
    model: str | None = None
    default: bool = True


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One signal. `kept` and `dropped` hold two `(language, text)` examples each: the tests and the docs use them.

    Args:
        value: counters -> (num_docs) array; NaN (or None in an object array) where undefined.
        bounds: default closed interval by language; a language that is absent is not judged by default.
        source: paper and section, or where the definition comes from; where we differ and why.
    """

    name: str
    family: str
    unit: Unit
    kind: Kind
    about: str
    source: str
    value: Callable[[Counts], np.ndarray]
    kept: tuple[tuple[Language, str], tuple[Language, str]]
    dropped: tuple[tuple[Language, str], ...]
    bounds: Mapping[Language, Bound] = field(default_factory=lambda: types.MappingProxyType({}))

    @property
    def type(self) -> pa.DataType:
        """Arrow type of the column."""
        return {"label": pa.string(), "count": pa.int64()}.get(self.kind, pa.float64())


FAMILIES: dict[str, Family] = {}
SIGNALS: dict[str, Signal] = {}


def add_family(family: Family) -> Family:
    """Enter a family; a name or counter that is taken is a bug of ours."""
    taken = {counter for other in FAMILIES.values() for counter in other.counters}
    assert family.name not in FAMILIES, family.name
    assert not taken & set(family.counters), taken & set(family.counters)
    FAMILIES[family.name] = family
    return family


def add_signal(signal: Signal) -> Signal:
    """Enter a signal into the registry; a second one of the same name is a bug of ours."""
    assert signal.name not in SIGNALS, signal.name
    assert signal.family in FAMILIES, signal.family
    SIGNALS[signal.name] = signal
    return signal


def find_signal(name: str) -> Signal:
    """The signal of that name.

    Raises:
        ChejilError: no such signal; the error carries the nearest name.
    """
    if name not in SIGNALS:
        raise ChejilError(f"no signal is called '{name}'", mend=did_you_mean(name, SIGNALS))
    return SIGNALS[name]
