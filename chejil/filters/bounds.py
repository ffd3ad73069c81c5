"""Bounds are data: which closed interval of a signal passes, for which language; and the judging of a batch.

A decision never looks at text. It reads the signal columns, so thresholds are tuned again in milliseconds, and
it gives *every* reason that a document fails for, not the first one that a chain of filters would meet.

A reason is `empty`, `url:<list>`, `language:other`, `<signal>:low`, `<signal>:high`, `<signal>:undefined` or
`rule:<name>`.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.errors import ChejilError
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Bound, Language
from chejil.filters.rules import Rule, Verdict

LanguageBounds = Mapping[str, Bound] | Verdict
"""Signal -> interval; or a verdict on every document of the language."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What passes: bounds by language, then rules."""

    languages: Mapping[Language, LanguageBounds]
    rules: tuple[Rule, ...] = field(default=())


def judge(
    rows: pl.DataFrame, policy: Policy, listed: Mapping[str, np.ndarray] = types.MappingProxyType({})
) -> pl.Series:
    """Every reason each row fails for.

    Args:
        rows: signal columns and those of FIXED_COLUMNS; `lang` null means `unknown`; `num_chars` 0 or null
            means an empty text, which has this one reason alone.
        policy: a language that it does not name raises, nothing passes by being forgotten.
        listed: rows whose URL stands on a blocklist, (num_rows) bool, by the list's name.

    Returns:
        `reasons`, list[str], empty for what is kept; in the order empty, url, language, bounds, rules.
    """
    language = _language_codes(rows["lang"], policy)
    empty = (rows["num_chars"].fill_null(0) == 0).to_numpy()
    failures = {"empty": empty, **{f"url:{name}": mask & ~empty for name, mask in listed.items()}}
    for name, mask in _failures(rows, policy, language):
        failures[name] = mask & ~empty
    return _lists(failures, len(rows))


def _language_codes(lang: pl.Series, policy: Policy) -> np.ndarray:
    """Index into LANGUAGES of each row."""
    named = lang.fill_null("unknown")
    forgotten = set(named.unique()) - set(policy.languages)
    if forgotten:
        raise ChejilError(
            f"no bounds for language {', '.join(sorted(forgotten))}", mend="add it under bounds"
        )
    return named.replace_strict(
        {name: code for code, name in enumerate(LANGUAGES)}, return_dtype=pl.Int8
    ).to_numpy()


def _failures(rows: pl.DataFrame, policy: Policy, language: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Reason and the rows it holds for, in the order in which reasons are given."""
    for code, lang in enumerate(LANGUAGES):
        if policy.languages.get(lang) == "drop":
            yield f"language:{lang}", language == code
    for name in bounded(policy):
        value = rows[name].cast(pl.Float64).to_numpy()
        lows, highs, judged = limits_by_language(name, policy)
        # A comparison with NaN, which is what null becomes here, is false: only `undefined` holds.
        yield f"{name}:low", value < lows[language]
        yield f"{name}:high", value > highs[language]
        yield f"{name}:undefined", judged[language] & np.isnan(value)
    for rule in policy.rules:
        yield f"rule:{rule.name}", fails(rule, rows)


def fails(rule: Rule, rows: pl.DataFrame) -> np.ndarray:
    """Rows that a rule drops, (num_rows) bool.

    Raises:
        ChejilError: a cast that a value does not stand.
    """
    try:
        return rows.select(rule.fails.alias("fails"))["fails"].to_numpy()
    except pl.exceptions.PolarsError as error:  # a cast that a value does not stand
        what = f"rule '{rule.name}' cannot be evaluated: {str(error).splitlines()[0]}"
        raise ChejilError(what, where=rule.condition, mend="TRY_CAST gives null where CAST fails") from None


def bounded(policy: Policy) -> list[str]:
    """Signals that the policy bounds in any language, in the registry's order."""
    named = {name for bounds in policy.languages.values() if not isinstance(bounds, str) for name in bounds}
    return [name for name in SIGNALS if name in named]


def limits_by_language(name: str, policy: Policy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low, high, and whether there is a bound, by language code; what is open is NaN."""
    limits = [policy.languages.get(lang, {}) for lang in LANGUAGES]
    bounds = [None if isinstance(entry, str) else entry.get(name) for entry in limits]
    lows = [np.nan if bound is None or bound.low is None else bound.low for bound in bounds]
    highs = [np.nan if bound is None or bound.high is None else bound.high for bound in bounds]
    return np.array(lows), np.array(highs), np.array([bound is not None for bound in bounds])


def _lists(failures: Mapping[str, np.ndarray], num_rows: int) -> pl.Series:
    """Reasons by row: most rows fail for nothing and most reasons hold for few rows, so only the hits are touched."""
    hits = [np.flatnonzero(mask) for mask in failures.values()]
    rows = np.concatenate(hits)
    reasons = np.repeat(np.arange(len(hits)), [len(found) for found in hits])
    order = np.lexsort((reasons, rows))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=num_rows))]).astype(np.int32)
    names = pa.array(list(failures), pa.string()).take(pa.array(reasons[order]))
    return pl.Series("reasons", pl.from_arrow(pa.ListArray.from_arrays(offsets, names)))
