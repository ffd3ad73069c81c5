"""Which documents are read, and in which order; what a table of a shard's columns says of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from chejil.errors import ChejilError, did_you_mean
from chejil.filters.catalogue import SIGNALS
from chejil.filters.rules import check_condition

Near = tuple[str, str]
"""A signal, and the side of its bound: low or high."""


@dataclass(frozen=True)
class Selection:
    """What was asked for.

    Args:
        where: a condition in SQL syntax.
        dropped: a reason, or the beginning of several; `kept`: documents that were kept. Of a run only.
        sample: so many documents, those whose id has the smallest hash with this `seed`: the same ones whatever the
            order of the files.
        by: signals to sort by, the smallest value first, with a minus the largest.
        near: a reason such as `num_words:low`: sorted by distance to that bound, on both sides of it.
    """

    where: str | None = None
    dropped: str | None = None
    kept: bool = False
    sample: int | None = None
    seed: int = 0
    by: tuple[str, ...] = ()
    near: str | None = None

    def __post_init__(self) -> None:
        if self.kept and self.dropped is not None:
            raise ChejilError("--kept and --dropped leave nothing", mend="give one of them")
        if self.near is not None and self.by:
            raise ChejilError("--near and --by are two orders", mend="give one of them")

    @property
    def ordered(self) -> bool:
        """True if the documents stand in another order than in their files."""
        return bool(self.by) or self.near is not None

    @property
    def by_signals(self) -> list[str]:
        """Signals of `by`, without the signs."""
        return [name.removeprefix("-") for name in self.by]

    @property
    def bound(self) -> Near | None:
        """The bound that `near` names.

        Raises:
            ChejilError: it names none.
        """
        if self.near is None:
            return None
        signal, _, side = self.near.partition(":")
        known = numeric(SIGNALS)
        if signal not in known:
            raise ChejilError(f"no signal '{signal}' has bounds", mend=did_you_mean(signal, known))
        if side not in ("low", "high"):
            raise ChejilError(f"'{self.near}' is no bound", mend=f"--near {signal}:low or {signal}:high")
        return signal, side

    @property
    def shown_signals(self) -> list[str]:
        """Signals that each document is shown with."""
        return self.by_signals + ([self.bound[0]] if self.bound else [])

    def check(self, known: dict[str, pl.DataType]) -> list[str]:
        """Columns that must be read to choose and to order.

        Raises:
            ChejilError: a condition that cannot be, or a signal that is not there.
        """
        columns = check_condition(self.where, known) if self.where is not None else []
        for name in self.shown_signals:
            if not numeric(known):
                mend = "put 'score' into the run's recipe, before 'write'"
                raise ChejilError(f"nothing was measured, so not '{name}' to sort by", mend=mend)
            if name not in numeric(known):
                raise ChejilError(f"no signal '{name}' to sort by", mend=did_you_mean(name, numeric(known)))
        return list(dict.fromkeys([*columns, *self.shown_signals]))

    def holds(self) -> pl.Expr:
        """The condition; what it cannot tell is false. A language that is null also goes by its name, 'unknown'."""
        if self.where is None:
            return pl.lit(True)
        said = pl.sql_expr(self.where).fill_null(False)
        if "'unknown'" not in self.where:
            return said
        return said | pl.sql_expr(_LANG.sub(_named, self.where)).fill_null(False)


_LANG = re.compile(r"""'[^']*'|"lang"|\blang\b""")


def _named(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith("'") else "COALESCE(lang, 'unknown')"


def numeric(names: Iterable[str]) -> list[str]:
    """Those that are signals with a number."""
    return [name for name in names if name in SIGNALS and SIGNALS[name].kind != "label"]


def evaluated(rows: pl.DataFrame, condition: pl.Expr, said: str | None) -> pl.Series:
    """Rows for which a condition holds.

    Raises:
        ChejilError: a value does not stand it, e.g. a cast.
    """
    try:
        holds = rows.select(condition.alias("holds"))["holds"]
    except pl.exceptions.PolarsError as error:
        what = f"cannot be evaluated: {str(error).splitlines()[0]}"
        raise ChejilError(what, where=said, mend="TRY_CAST gives null where CAST fails") from None
    return holds if len(holds) == len(rows) else holds.extend_constant(holds[0], len(rows) - 1)
