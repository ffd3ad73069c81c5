"""Rules: conditions in SQL over signal columns and those of a document, checked before a run begins."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from chejil.errors import ChejilError, did_you_mean
from chejil.filters.catalogue import SIGNALS

Verdict = Literal["keep", "drop"]


FIXED_COLUMNS: Mapping[str, pl.DataType] = {
    name: pl.String() for name in ("id", "source", "url", "timestamp", "license")
}
"""Columns of the documents that a rule may read beside the signals."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition in SQL syntax over signal columns. Nothing in it can run code: `polars.sql_expr` parses it.

    A `keep` rule drops what it does not hold for, a `drop` rule what it holds for. Where a column is null the
    condition is unknown: a keep rule then drops, a drop rule does not.
    """

    name: str
    verdict: Verdict
    condition: str

    @property
    def fails(self) -> pl.Expr:
        """True for the rows that this rule drops."""
        holds = pl.sql_expr(self.condition)
        return holds.fill_null(False) if self.verdict == "drop" else ~holds.fill_null(False)


def check_rule(rule: Rule) -> None:
    """Refuse a rule that does not parse, reads an unknown column or is not a condition.

    Raises:
        ChejilError: with the nearest column name where one is unknown.
    """
    check_condition(rule.condition, {**FIXED_COLUMNS, **{name: signal_type(name) for name in SIGNALS}})


def check_condition(condition: str, known: Mapping[str, pl.DataType]) -> list[str]:
    """Refuse what is no condition on one row of these columns; returns those that it reads.

    Raises:
        ChejilError: with the nearest column name where one is unknown.
    """
    columns = columns_of(condition)
    for column in columns:
        if column not in known:
            raise ChejilError(f"no column is called '{column}'", mend=did_you_mean(column, known))
    _check_type(condition, known)
    return columns


def columns_of(condition: str) -> list[str]:
    """Columns that a condition reads.

    Raises:
        ChejilError: it does not parse.
    """
    try:
        return pl.sql_expr(condition).meta.root_names()
    except (pl.exceptions.SQLSyntaxError, pl.exceptions.SQLInterfaceError) as error:
        raise ChejilError(
            f"not a condition in SQL: {error}", mend="e.g. lang = 'ko' AND num_words < 20"
        ) from None


_CLOCKS = re.compile(r"\b(current_\w+|now|today|localtime\w*|rand|random)\b", re.IGNORECASE)


_OF_MANY_ROWS = ("Agg", "AnonymousAgg", "Len", "Over", "Rolling", "Window")
"""Nodes of an expression that look at other rows than their own."""


def _check_type(condition: str, known: Mapping[str, pl.DataType]) -> None:
    if _CLOCKS.search(re.sub(r"'[^']*'", "", condition)):
        what = f"'{condition}' asks the clock or chance: it would give another run every time"
        raise ChejilError(what, mend="write the date down")
    tree = json.loads(pl.sql_expr(condition).meta.serialize(format="json"))
    if _names_one_of(tree, _OF_MANY_ROWS):
        what = f"'{condition}' looks at other documents than its own"
        raise ChejilError(
            what, mend="a condition judges one document; use numbers instead of AVG, SUM, COUNT, OVER …"
        )
    empty = pl.DataFrame(schema=dict(known))
    try:
        result = empty.select(pl.sql_expr(condition).alias("holds")).to_series().dtype
    except pl.exceptions.PolarsError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1]}"
        mend = "compare numbers with numbers and texts with 'texts'; in a regular expression \\( is a bracket"
        raise ChejilError(f"'{condition}' cannot be evaluated: {said}", mend=mend) from None
    if result != pl.Boolean:
        raise ChejilError(f"'{condition}' is a {result}, not a condition", mend="compare it with a value")


def _names_one_of(tree: Any, names: Collection[str]) -> bool:
    """True if a node of the tree has one of the names; what a user wrote in quotes is no node."""
    if isinstance(tree, dict):
        inner = (value for key, value in tree.items() if key not in ("Literal", "Column"))
        return bool(tree.keys() & set(names)) or any(_names_one_of(value, names) for value in inner)
    if isinstance(tree, list):
        return any(_names_one_of(item, names) for item in tree)
    return tree in names


def signal_type(signal: str) -> pl.DataType:
    """Type of a signal's column."""
    return {"label": pl.String(), "count": pl.Int64()}.get(SIGNALS[signal].kind, pl.Float64())
