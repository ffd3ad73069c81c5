"""Bounds are data: which closed interval of a signal passes, for which language; and the judging of a batch.

A decision never looks at text. It reads the signal columns, so thresholds are tuned again in milliseconds, and
it gives *every* reason that a document fails for, not the first one that a chain of filters would meet.

A reason is `empty`, `language:other`, `<signal>:low`, `<signal>:high`, `<signal>:undefined` or `rule:<name>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

import polars as pl
import yaml

from chejil.errors import ChejilError, did_you_mean
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Bound, Language

Verdict = Literal["keep", "drop"]
LanguageBounds = Mapping[str, Bound] | Verdict
"""Signal -> interval; or a verdict on every document of the language."""

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


@dataclass(frozen=True, slots=True)
class Policy:
    """What passes: bounds by language, then rules."""

    languages: Mapping[Language, LanguageBounds]
    rules: tuple[Rule, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of bounds: `filters/presets/NAME.yaml`, or the signals' defaults."""

    name: str
    about: str
    languages: Mapping[str, Mapping[str, Bound]]


def judge(rows: pl.DataFrame, policy: Policy) -> pl.Series:
    """Every reason each row fails for.

    Args:
        rows: signal columns and those of FIXED_COLUMNS; `lang` null means `unknown`; `num_chars` 0 or null
            means an empty text, which has this one reason alone.
        policy: a language that it does not name raises, nothing passes by being forgotten.

    Returns:
        `reasons`, list[str], empty for what is kept; in the order empty, language, bounds, rules.
    """
    rows = rows.with_columns(pl.col("lang").fill_null("unknown").alias("lang"))
    forgotten = set(rows["lang"].unique()) - set(policy.languages)
    if forgotten:
        raise ChejilError(f"no bounds for language {', '.join(sorted(forgotten))}", mend="add it under bounds")
    empty = pl.col("num_chars").fill_null(0) == 0
    reasons = [_reason(f"language:{lang}", pl.col("lang") == lang) for lang in _dropped(policy)]
    for name in _bounded(policy):
        reasons += _outside(name, policy)
    reasons += [_reason(f"rule:{rule.name}", rule.fails) for rule in policy.rules]
    judged = pl.concat_list(reasons).list.drop_nulls() if reasons else pl.lit([], pl.List(pl.String))
    alone = pl.lit(["empty"], pl.List(pl.String))
    return rows.select(pl.when(empty).then(alone).otherwise(judged).alias("reasons"))["reasons"]


def _dropped(policy: Policy) -> list[str]:
    return [lang for lang, bounds in policy.languages.items() if bounds == "drop"]


def _bounded(policy: Policy) -> list[str]:
    named = {name for bounds in policy.languages.values() if not isinstance(bounds, str) for name in bounds}
    return [name for name in SIGNALS if name in named]


def _outside(name: str, policy: Policy) -> list[pl.Expr]:
    judged = {
        lang: bounds[name]
        for lang, bounds in policy.languages.items()
        if not isinstance(bounds, str) and name in bounds
    }
    low = _by_language({lang: bound.low for lang, bound in judged.items()})
    high = _by_language({lang: bound.high for lang, bound in judged.items()})
    applies = pl.col("lang").is_in(list(judged))
    return [
        _reason(f"{name}:low", pl.col(name) < low),
        _reason(f"{name}:high", pl.col(name) > high),
        _reason(f"{name}:undefined", applies & pl.col(name).is_null()),
    ]


def _by_language(values: Mapping[Language, float | None]) -> pl.Expr:
    return pl.col("lang").replace_strict(dict(values), default=None, return_dtype=pl.Float64)


def _reason(name: str, fails: pl.Expr) -> pl.Expr:
    return pl.when(fails).then(pl.lit(name)).otherwise(None).alias(name)


DEFAULTS = "koen"
"""The preset made of the signals' own default bounds; the others are files."""


def presets() -> list[str]:
    """Names of the presets that ship with the package."""
    folder = resources.files("chejil.filters") / "presets"
    files = [entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return sorted([DEFAULTS, *files])


@cache
def preset(name: str) -> Preset:
    """A named set of bounds by language.

    Raises:
        ChejilError: no such preset; or a bound that is not in its signal's unit.
    """
    if name not in presets():
        raise ChejilError(f"no preset is called '{name}'", mend=did_you_mean(name, presets()))
    if name == DEFAULTS:
        return _defaults()
    text = (resources.files("chejil.filters") / "presets" / f"{name}.yaml").read_text("utf-8")
    content = yaml.safe_load(text)
    languages = {lang: _read_bounds(name, entries) for lang, entries in content["bounds"].items()}
    assert set(languages) <= set(LANGUAGES), languages.keys()
    return Preset(name, content["about"], languages)


def _defaults() -> Preset:
    """The signals' default bounds; a mixed document may be as either language may."""
    korean = {name: signal.bounds["ko"] for name, signal in SIGNALS.items() if "ko" in signal.bounds}
    english = {name: signal.bounds["en"] for name, signal in SIGNALS.items() if "en" in signal.bounds}
    mixed = {name: _hull(korean[name], english[name]) for name in korean if name in english}
    return Preset(DEFAULTS, "Default bounds of every signal", {"ko": korean, "en": english, "mixed": mixed})


def _hull(one: Bound, other: Bound) -> Bound:
    lows, highs = (one.low, other.low), (one.high, other.high)
    return Bound(
        min(low for low in lows if low is not None) if None not in lows else None,
        max(high for high in highs if high is not None) if None not in highs else None,
    )


def _read_bounds(where: str, entries: Mapping[str, Mapping]) -> dict[str, Bound]:
    bounds = {}
    for signal, entry in entries.items():
        check_unit(signal, entry["unit"], where=where)
        bounds[signal] = Bound(entry.get("low"), entry.get("high"))
    return bounds


def check_unit(signal: str, unit: str, where: str | None = None) -> None:
    """Refuse a threshold that was tuned for another unit (50 morphemes are about 22 eojeol of the same text).

    Raises:
        ChejilError: unknown signal or a unit that is not the signal's.
    """
    if signal not in SIGNALS:
        raise ChejilError(f"no signal is called '{signal}'", where=where, mend=did_you_mean(signal, SIGNALS))
    own = SIGNALS[signal].unit
    if unit != own:
        what = f"the bound of '{signal}' is given per {unit}, but the signal is measured per {own}"
        raise ChejilError(what, where=where, mend=f"recalibrate the threshold and write unit: {own}")


def check_rule(rule: Rule) -> None:
    """Refuse a rule that does not parse, reads an unknown column or is not a condition.

    Raises:
        ChejilError: with the nearest column name where one is unknown.
    """
    known = {**FIXED_COLUMNS, **{name: _polars_type(name) for name in SIGNALS}}
    columns = columns_of(rule.condition)
    for column in columns:
        if column not in known:
            raise ChejilError(f"no column is called '{column}'", mend=did_you_mean(column, known))
    _check_type(rule, known)


def columns_of(condition: str) -> list[str]:
    """Columns that a condition reads.

    Raises:
        ChejilError: it does not parse.
    """
    try:
        return pl.sql_expr(condition).meta.root_names()
    except (pl.exceptions.SQLSyntaxError, pl.exceptions.SQLInterfaceError) as error:
        raise ChejilError(f"not a condition in SQL: {error}", mend="e.g. lang = 'ko' AND num_words < 20") from None


def _check_type(rule: Rule, known: Mapping[str, pl.DataType]) -> None:
    empty = pl.DataFrame(schema=dict(known))
    try:
        result = empty.select(rule.fails.alias("fails")).to_series().dtype
    except pl.exceptions.PolarsError as error:
        raise ChejilError(f"'{rule.condition}' cannot be evaluated: {str(error).splitlines()[0]}") from None
    if result != pl.Boolean:
        raise ChejilError(f"'{rule.condition}' is a {result}, not a condition", mend="compare it with a value")


def _polars_type(signal: str) -> pl.DataType:
    return {"label": pl.String(), "count": pl.Int64()}.get(SIGNALS[signal].kind, pl.Float64())
