"""Presets: named bounds by language. Those that ship are `presets/NAME.yaml`, but for the signals' own defaults.

A preset may start from one that ships (not from another file) and say only where it differs, as recipes do:

    bounds:
      ko:
        preset: koen
        num_words: {low: 2, unit: eojeol}
        short_line_share: null              # the bound of koen does not hold
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from chejil.errors import ChejilError, RecipeError, did_you_mean
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Bound


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of bounds: `filters/presets/NAME.yaml`, or the signals' defaults."""

    name: str
    about: str
    languages: Mapping[str, Mapping[str, Bound]]


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
        RecipeError: everything that is wrong: unknown keys, languages, signals, presets; units that are missing or
            are not the signal's; labels; what is no number or holds nothing.
    """
    problems = list(_preset_problems(content, where))
    if problems:
        raise RecipeError(problems)
    languages = {lang: _limits(lang, entries) for lang, entries in content["bounds"].items()}
    return Preset(name, content.get("about", name), languages)


def _limits(lang: str, entries: Mapping[str, Any]) -> dict[str, Bound]:
    """The bounds of a language: those of the preset that it starts from, with its own in their place."""
    limits = _inherited(lang, entries)
    for signal, entry in _own(entries).items():
        limits.pop(signal, None)
        if entry is not None:
            limits[signal] = Bound(entry.get("low"), entry.get("high"))
    return limits


def _inherited(lang: str, entries: Mapping[str, Any]) -> dict[str, Bound]:
    return dict(preset(entries["preset"]).languages.get(lang, {})) if "preset" in entries else {}


def _own(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {str(signal): entry for signal, entry in entries.items() if signal != "preset"}


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
        elif "preset" in entries and entries["preset"] not in presets():
            mend = did_you_mean(str(entries["preset"]), presets())
            what = (
                f"no preset that ships is called '{entries['preset']}'; a file cannot start from another file"
            )
            yield ChejilError(what, where=where((*path, "preset")), mend=mend)
        elif "preset" in entries and lang not in preset(entries["preset"]).languages:
            known = ", ".join(preset(entries["preset"]).languages)
            what = f"preset '{entries['preset']}' has no bounds for '{lang}', only for {known}"
            yield ChejilError(what, where=where((*path, "preset")), mend="choose another preset")
        else:
            for signal, entry in _own(entries).items():
                if entry is not None or "preset" not in entries or signal not in SIGNALS:
                    yield from _bound_problems(signal, entry, where((*path, signal)))


def _bound_problems(signal: str, entry: Any, where: str) -> Iterator[ChejilError]:
    if signal in SIGNALS and not isinstance(entry, dict):
        yield ChejilError(f"'{signal}' is no interval", where=where, mend="write {low: …, high: …, unit: …}")
        return
    entry = entry if isinstance(entry, dict) else {}
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
