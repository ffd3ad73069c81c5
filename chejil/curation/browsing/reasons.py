"""Reasons with what stands behind them: the value that a signal had, the bound that it missed, the rule's condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chejil.curation.filtering import Filter
from chejil.curation.recipe import Recipe
from chejil.errors import ChejilError, did_you_mean
from chejil.filters.bounds import LanguageBounds, Policy
from chejil.filters.catalogue import SIGNALS, Bound

ALSO_CALLED = {
    "duplicate:near": ("near_dedup", "near_duplicate"),
    "duplicate:exact": ("exact_dedup", "exact_duplicate"),
}
"""Other words for a reason: the stage that gives it, and the way one says it."""


@dataclass(frozen=True)
class Reason:
    """One reason; `value`, `low` and `high` of a signal's, the `condition` of a rule's, else None."""

    reason: str
    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    condition: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON, without what does not apply."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        side = self.reason.partition(":")[2]
        if self.condition is not None:
            return f"{self.reason}  {self.condition}"
        bound = {"low": self.low, "high": self.high}.get(side)
        if bound is None:
            return self.reason
        word = "below" if side == "low" else "above"
        return f"{self.reason}  {number(self.value)} is {word} {number(bound)}"


def number(value: Any) -> str:
    """A signal's value in a line of text.

    >>> number(0.123456), number(1200), number(None)
    ('0.1235', '1,200', 'undefined')
    """
    if value is None:
        return "undefined"
    if isinstance(value, int | float):
        return f"{value:,.4g}" if isinstance(value, float) and value != int(value) else f"{int(value):,}"
    return str(value)


class Reasons:
    """Reasons of a run's documents, by the recipe that gave them."""

    def __init__(self, recipe: Recipe) -> None:
        self._filter: Filter | None = recipe.stage("filter")
        self._policies: dict[str, Policy] = {}

    def of(
        self, names: Sequence[str], source: str, lang: str | None, signals: Mapping[str, Any]
    ) -> list[Reason]:
        """With values and bounds, in the order in which they were given."""
        return [self._reason(name, source, lang, signals) for name in names]

    def bound(self, source: str, lang: str | None, signal: str) -> Bound | None:
        """The interval that a signal must lie in; None if it is not bounded there."""
        limits: LanguageBounds = {}
        if self._filter is not None:
            limits = self._policy(source).languages.get(lang or "unknown", {})  # type: ignore[call-overload]
        return None if isinstance(limits, str) else limits.get(signal)

    def _policy(self, source: str) -> Policy:
        if source not in self._policies:
            assert self._filter is not None
            self._policies[source] = self._filter.policy(source)
        return self._policies[source]

    def _reason(self, name: str, source: str, lang: str | None, signals: Mapping[str, Any]) -> Reason:
        kind, _, rest = name.partition(":")
        if kind == "rule" and self._filter is not None:
            rules = {rule.name: rule.condition for rule in self._policy(source).rules}
            return Reason(name, condition=rules.get(rest))
        bound = self.bound(source, lang, kind) if kind in SIGNALS else None
        if bound is None:
            return Reason(name, signals.get(kind))
        return Reason(name, signals.get(kind), bound.low, bound.high)


def signals_of(reasons: Iterable[str]) -> set[str]:
    """Signals that gave a reason.

    >>> signals_of(["num_words:low", "duplicate:near"])
    {'num_words'}
    """
    return {reason.partition(":")[0] for reason in reasons} & SIGNALS.keys()


def matching(asked: str, known: Iterable[str]) -> list[str]:
    """Reasons that a name stands for: the reason itself, else those that begin with it.

    >>> matching("num_words", ["num_words:low", "num_words:high", "empty"])
    ['num_words:high', 'num_words:low']
    >>> matching("near_dup", ["duplicate:near", "duplicate:exact"])
    ['duplicate:near']

    Raises:
        ChejilError: no document was dropped for any such reason; with near ones.
    """
    names = {reason: (reason, *ALSO_CALLED.get(reason, ())) for reason in sorted(set(known))}
    if asked in names:
        return [asked]
    found = [
        reason for reason, every in names.items() if asked and any(name.startswith(asked) for name in every)
    ]
    if found:
        return found
    mend = (
        did_you_mean(asked, [name for every in names.values() for name in every])
        if names
        else "it dropped none"
    )
    raise ChejilError(f"no document was dropped for '{asked}'", mend=mend)
