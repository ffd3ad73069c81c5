"""Bounds that a person moves: which a recipe has, and those that differ as `--set` lines and as YAML.

A moved bound is always written whole, both sides and the unit, since an entry in a recipe replaces the interval of
its preset: `num_words: {low: 30}` alone would lift the preset's other side.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from chejil.curation.filtering import Filter
from chejil.curation.marked_yaml import dotted
from chejil.filters.bounds import LanguageBounds
from chejil.filters.catalogue import SIGNALS, Bound, Language

Sides = tuple[float | None, float | None]
"""Low and high; None is open."""


@dataclass(frozen=True, order=True)
class Scope:
    """The documents that a set of bounds is for: a language, of one source where the recipe says so."""

    lang: Language
    source: str = ""

    def __str__(self) -> str:
        return f"{self.lang} of {self.source}" if self.source else self.lang

    @property
    def keys(self) -> tuple[str, ...]:
        """Where its bounds stand below `filter`."""
        return ("by_source", self.source, self.lang) if self.source else ("bounds", self.lang)


Moved = Mapping[tuple[Scope, str], Sides]
"""The bounds that differ from the run's, by scope and signal."""


def scopes(settings: Filter) -> list[Scope]:
    """Those with bounds that can be moved: not languages that are dropped or kept whole."""
    every = [Scope(lang) for lang in settings.bounds]
    every += [Scope(lang, source) for source, own in settings.by_source.items() for lang in own]
    return [scope for scope in every if not isinstance(_limits(settings, scope), str)]


def sides(settings: Filter, scope: Scope, signal: str) -> Sides:
    """The recipe's bound of a signal; open on both sides if it has none."""
    limits = _limits(settings, scope)
    bound = None if isinstance(limits, str) else limits.get(signal)
    return (bound.low, bound.high) if bound is not None else (None, None)


def bounded(settings: Filter, scope: Scope) -> list[str]:
    """Signals that the recipe bounds there, in the order of the catalogue."""
    limits = _limits(settings, scope)
    return [] if isinstance(limits, str) else [name for name in SIGNALS if name in limits]


def _limits(settings: Filter, scope: Scope) -> LanguageBounds:
    choice = settings.by_source[scope.source] if scope.source else settings.bounds
    return choice[scope.lang].resolve(scope.lang)


def with_moved(settings: Filter, moved: Moved, scope: Scope, signal: str, to: Sides) -> dict:
    """The moved bounds with one more; one that is back where the recipe has it is no longer moved."""
    rest = {key: value for key, value in moved.items() if key != (scope, signal)}
    return rest if to == sides(settings, scope, signal) else {**rest, (scope, signal): to}


def settings_of(moved: Moved) -> list[str]:
    """The `KEY=VALUE` of each moved bound, as `chejil whatif --set` takes it.

    >>> settings_of({(Scope("ko"), "num_words"): (30, None)})
    ['stages.filter.bounds.ko.num_words={low: 30, unit: eojeol}']
    """
    return [
        f"stages.filter.{dotted([*scope.keys, signal])}={_flow(_entry(signal, to))}"
        for (scope, signal), to in sorted(moved.items())
    ]


def command(root: str, settings: Iterable[str], write: bool = False) -> str:
    """A line for a POSIX shell.

    >>> command("runs/my run", ["a=1"])
    "chejil whatif 'runs/my run' --set a=1"
    """
    words = ["chejil", "whatif", root, *(word for setting in settings for word in ("--set", setting))]
    return shlex.join([*words, *(["--write"] if write else [])])


def patch(moved: Moved) -> str:
    """What a recipe's own file must say under `filter:`, as YAML."""
    whole: dict[str, Any] = {}
    for (scope, signal), to in sorted(moved.items()):
        holder = whole
        for key in scope.keys:
            holder = holder.setdefault(key, {})
        holder[signal] = _entry(signal, to)
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True) if whole else ""


def changes(settings: Filter, moved: Moved) -> Iterator[tuple[str, str, str]]:
    """Of each moved bound its name, and both intervals as text."""
    for (scope, signal), to in sorted(moved.items()):
        was = sides(settings, scope, signal)
        yield dotted([*scope.keys, signal]), interval(was), interval(to)


def interval(of: Sides) -> str:
    """Both sides as a person reads them.

    >>> interval((20, None)), interval((None, None))
    ('20 ≤ x', 'no bound')
    """
    return "no bound" if of == (None, None) else str(Bound(*of))


def _entry(signal: str, to: Sides) -> dict[str, Any] | None:
    if to == (None, None):
        return None
    given = {name: plain(edge) for name, edge in zip(("low", "high"), to, strict=True) if edge is not None}
    return {**given, "unit": SIGNALS[signal].unit}


def plain(edge: float) -> float:
    """A whole number without its point.

    >>> plain(30.0), plain(0.25)
    (30, 0.25)
    """
    return int(edge) if math.isfinite(edge) and edge == int(edge) else float(edge)


def _flow(entry: dict[str, Any] | None) -> str:
    written = yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return written.removesuffix("\n").removesuffix("\n...")
