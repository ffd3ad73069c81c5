"""Published results as data (published.yaml), and what follows from them.

Means are unweighted over the rows of a suite, since the published averages are: 0.549 over four KoBEST tasks, 0.492
over 21 English rows, where a task with two metrics counts twice. Weighted by items, as lm-eval's group `kobest` is
today, the same four numbers give 0.518. A published number comes without its items, so its standard error is that of a
proportion, √(p(1−p)/n): 0.013 of BoolQ's 1,404 items; a macro-F1 has no exact one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chejil.errors import ChejilError, did_you_mean

_NEAR_ERRORS = 2.0
"""Standard errors within which a score cannot be told from that of a constant answer."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Data):
    """A row of a table."""

    items: int | None = Field(gt=0, description="Of the test set; null: the source does not say.")
    classes: int | None = Field(gt=1, description="Answers to choose from; null: they differ by item.")


class PublishedModel(_Data):
    """A model's column."""

    name: str
    values: tuple[float | None, ...] = Field(description="In the order of the rows; null: not stated.")
    average: float | None = Field(description="As printed; null: not stated.")
    source: str = Field(description="A name in `sources`.")
    note: str | None = None


class Suite(_Data):
    """A published table."""

    title: str
    mode: Literal["polyglot", "harness"] = Field(description="How the tasks were run.")
    rows: dict[str, Row] = Field(description="By TASK/METRIC.")
    models: tuple[PublishedModel, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for model in self.models:
            if len(model.values) != len(self.rows):
                raise ValueError(f"{model.name} has {len(model.values)} values for {len(self.rows)} rows")
        return self

    def values_of(self, model: PublishedModel) -> dict[str, float | None]:
        """A model's values by row."""
        return dict(zip(self.rows, model.values, strict=True))


class Published(_Data):
    """All tables."""

    sources: dict[str, str]
    suites: dict[str, Suite]


@cache
def published() -> Published:
    """The tables of published.yaml."""
    text = (resources.files("chejil.eval") / "published.yaml").read_text("utf-8")
    return Published.model_validate(yaml.safe_load(text))


def suite(name: str) -> Suite:
    """A table by its name.

    Raises:
        ChejilError: there is none.
    """
    known = published().suites
    if name not in known:
        raise ChejilError(f"no published suite '{name}'", mend=did_you_mean(name, known))
    return known[name]


def mean(values: Sequence[float | None]) -> float | None:
    """The unweighted mean; None where one is missing: a mean over other rows is another number.

    >>> mean([0.369, 0.704, 0.431, 0.690]), mean([0.3, None])
    (0.5485, None)
    """
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def standard_error(value: float | None, items: int | None) -> float | None:
    """That of a proportion, for numbers that come without their items.

    >>> round(standard_error(0.369, 1404), 3)
    0.013
    """
    return None if value is None or items is None else math.sqrt(value * (1 - value) / items)


def mean_error(errors: Sequence[float | None]) -> float | None:
    """Of the unweighted mean of independent tasks.

    >>> round(mean_error([0.013, 0.016, 0.022, 0.025]), 4)
    0.0098
    """
    known = [error for error in errors if error is not None]
    return math.hypot(*known) / len(known) if known and len(known) == len(errors) else None


def constant_macro_f1(classes: int) -> float:
    """Macro-F1 of one answer to everything, where gold answers are balanced.

    >>> round(constant_macro_f1(2), 3), constant_macro_f1(4)
    (0.333, 0.1)
    """
    return 2 / (classes + 1) / classes


def looks_constant(metric: str, value: float | None, row: Row) -> bool:
    """A macro-F1 that cannot be told from that of a constant answer: within two standard errors.

    >>> looks_constant("macro_f1", 0.355, Row(items=1404, classes=2))
    True
    >>> looks_constant("macro_f1", 0.369, Row(items=1404, classes=2))
    False
    """
    error = standard_error(value, row.items)
    if metric != "macro_f1" or value is None or error is None or row.classes is None:
        return False
    return abs(value - constant_macro_f1(row.classes)) < _NEAR_ERRORS * error
