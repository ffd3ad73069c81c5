"""Bounds are data: which closed interval of a signal passes, for which language; and the judging of a batch.

A decision never looks at text. It reads the signal columns, so thresholds are tuned again in milliseconds, and
it gives *every* reason that a document fails for, not the first one that a chain of filters would meet.

A reason is `empty`, `url:<list>`, `language:other`, `<signal>:low`, `<signal>:high`, `<signal>:undefined` or
`rule:<name>`.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import yaml

from chejil.errors import ChejilError, RecipeError, did_you_mean
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Bound, Language
from chejil.filters.rules import Rule, Verdict

LanguageBounds = Mapping[str, Bound] | Verdict
"""Signal -> interval; or a verdict on every document of the language."""


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
        lows, highs, judged = _tables(name, policy)
        # A comparison with NaN, which is what null becomes here, is false: only `undefined` holds.
        yield f"{name}:low", value < lows[language]
        yield f"{name}:high", value > highs[language]
        yield f"{name}:undefined", judged[language] & np.isnan(value)
    for rule in policy.rules:
        yield f"rule:{rule.name}", _fails(rule, rows)


def _fails(rule: Rule, rows: pl.DataFrame) -> np.ndarray:
    try:
        return rows.select(rule.fails.alias("fails"))["fails"].to_numpy()
    except pl.exceptions.PolarsError as error:  # a cast that a value does not stand
        what = f"rule '{rule.name}' cannot be evaluated: {str(error).splitlines()[0]}"
        raise ChejilError(what, where=rule.condition, mend="TRY_CAST gives null where CAST fails") from None


def bounded(policy: Policy) -> list[str]:
    """Signals that the policy bounds in any language, in the registry's order."""
    named = {name for bounds in policy.languages.values() if not isinstance(bounds, str) for name in bounds}
    return [name for name in SIGNALS if name in named]


def _tables(name: str, policy: Policy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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


DEFAULTS = "koen"
"""The preset made of the signals' own default bounds; the others are files."""


def presets() -> list[str]:
    """Names of the presets that ship with the package."""
    folder = resources.files("chejil.filters") / "presets"
    files = [entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return sorted([DEFAULTS, *files])


@cache
def preset(name: str) -> Preset:
    """A named set of bounds by language that ships with the package.

    Raises:
        ChejilError: no such preset; or a file of ours that is wrong, with all that is wrong with it.
    """
    if name not in presets():
        raise ChejilError(f"no preset is called '{name}'", mend=did_you_mean(name, presets()))
    if name == DEFAULTS:
        return _defaults()
    text = (resources.files("chejil.filters") / "presets" / f"{name}.yaml").read_text("utf-8")
    return read_preset(name, yaml.safe_load(text), lambda path: ".".join((name, *path)))


Where = Callable[[tuple[str, ...]], str]
"""Path within a preset's YAML (`("bounds", "ko", "num_words")`) -> its place, for errors."""


def read_preset(name: str, content: Any, where: Where) -> Preset:
    """A preset of what its YAML holds: `about`, and `bounds` by language and signal, each with its unit.

    Raises:
        RecipeError: everything that is wrong: unknown keys, languages, signals; units that are missing or are not
            the signal's; labels; what is no number or holds nothing.
    """
    problems = list(_preset_problems(content, where))
    if problems:
        raise RecipeError(problems)
    languages = {
        lang: {signal: Bound(entry.get("low"), entry.get("high")) for signal, entry in entries.items()}
        for lang, entries in content["bounds"].items()
    }
    return Preset(name, content.get("about", name), languages)


_FORM = "write about: … and bounds: {ko: {num_words: {low: 20, unit: eojeol}}}"


def _preset_problems(content: Any, where: Where) -> Iterator[ChejilError]:
    if not isinstance(content, dict) or not isinstance(content.get("bounds"), dict) or not content["bounds"]:
        yield ChejilError("not a preset", where=where(()), mend=_FORM)
        return
    if not isinstance(content.get("about", ""), str):
        yield ChejilError("'about' is not a sentence", where=where(("about",)), mend=_FORM)
    for key in content.keys() - {"about", "bounds"}:
        mend = did_you_mean(str(key), ("about", "bounds"))
        yield ChejilError(f"'{key}' is not known here", where=where((str(key),)), mend=mend)
    for lang, entries in content["bounds"].items():
        path = ("bounds", str(lang))
        if lang not in LANGUAGES:
            mend = did_you_mean(str(lang), LANGUAGES)
            yield ChejilError(f"'{lang}' is not a language", where=where(path), mend=mend)
        elif not isinstance(entries, dict):
            yield ChejilError(f"'{lang}' holds no bounds", where=where(path), mend=_FORM)
        else:
            for signal, entry in entries.items():
                yield from _bound_problems(str(signal), entry, where((*path, str(signal))))


def _bound_problems(signal: str, entry: Any, where: str) -> Iterator[ChejilError]:
    if not isinstance(entry, dict):
        yield ChejilError(f"'{signal}' is no interval", where=where, mend="write {low: …, high: …, unit: …}")
        return
    unknown = sorted(map(str, entry.keys() - {"low", "high", "unit"}))
    for key in unknown:
        mend = did_you_mean(key, ("low", "high", "unit"))
        yield ChejilError(f"'{key}' is not known here", where=where, mend=mend)
    try:
        check_unit(signal, entry.get("unit"), where)
    except ChejilError as error:
        yield error
        return
    if SIGNALS[signal].kind == "label":
        yield ChejilError(f"'{signal}' is a label, it has no interval", where=where, mend="write a rule")
    edges = {key: entry[key] for key in ("low", "high") if entry.get(key) is not None}
    wrong = [key for key, edge in edges.items() if not _is_number(edge)]
    for key in wrong:
        yield ChejilError(f"{key}: '{edges[key]}' is not a number", where=where)
    if not edges and not unknown:
        yield ChejilError(
            f"'{signal}' has neither low nor high", where=where, mend="give one, or leave it out"
        )
    if not wrong and SIGNALS[signal].kind != "label":
        try:
            check_range(signal, edges.get("low"), edges.get("high"), where)
        except ChejilError as error:
            yield error
    if not wrong and len(edges) == 2 and edges["low"] > edges["high"]:
        what = f"low {edges['low']:g} is above high {edges['high']:g}: nothing would pass"
        yield ChejilError(what, where=where)


def _is_number(edge: Any) -> bool:
    return isinstance(edge, int | float) and not isinstance(edge, bool) and math.isfinite(edge)


def check_range(signal: str, low: float | None, high: float | None, where: str | None = None) -> None:
    """Refuse a bound that lies where no value of the signal can.

    Raises:
        ChejilError: a share or score outside 0 to 1, a count or mean below 0.
    """
    kind = SIGNALS[signal].kind
    most = 1.0 if kind in ("share", "score") else math.inf
    for side, edge in (("low", low), ("high", high)):
        if edge is not None and not 0 <= edge <= most:
            mend = "for 30 % write 0.3" if edge > 1 else "leave the side out"
            what = (
                f"{side}: {edge:g} is no {kind}: '{signal}' lies {'from 0 to 1' if most == 1 else 'above 0'}"
            )
            raise ChejilError(what, where=where, mend=mend)


def by_preset(signal: str) -> dict[str, dict[str, Bound]]:
    """The bounds of a signal in the presets that ship: preset -> language -> interval; those without are left out."""
    found = {
        name: {lang: limits[signal] for lang, limits in preset(name).languages.items() if signal in limits}
        for name in presets()
    }
    return {name: limits for name, limits in found.items() if limits}


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


def check_unit(signal: str, unit: str | None, where: str | None = None) -> None:
    """Refuse a threshold that was tuned for another unit (50 morphemes are about 22 eojeol of the same text).

    Raises:
        ChejilError: unknown signal, or a unit that is missing or not the signal's.
    """
    if signal not in SIGNALS:
        raise ChejilError(f"no signal is called '{signal}'", where=where, mend=did_you_mean(signal, SIGNALS))
    own = SIGNALS[signal].unit
    if unit is None:
        what = f"the bound of '{signal}' does not say in what unit it was found"
        raise ChejilError(what, where=where, mend=f"write unit: {own}, if it was per {own}")
    if unit != own:
        what = f"the bound of '{signal}' is given per {unit}, but the signal is measured per {own}"
        raise ChejilError(what, where=where, mend=f"recalibrate the threshold and write unit: {own}")
