"""Verdicts: what a judge's reply says, checked before it counts.

Judges wrap JSON into prose and fences, write "4" for 4 and forget criteria. The first JSON object of a reply is taken,
keys in any case; a score is a whole number within the scale, or the reply cannot be used and is asked for again with
what was wrong. Nothing is guessed: a missing score is no 3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chejil.eval.judging.rubrics import Rubric

_DECODER = json.JSONDecoder()
_MAX_STARTS = 50
"""Braces of a reply at which an object is looked for."""


@dataclass(frozen=True)
class Verdict:
    """Scores by criterion, or of a pair which is better: A, B or tie."""

    scores: Mapping[str, int] = field(default_factory=dict)
    explanations: Mapping[str, str] = field(default_factory=dict)
    better: str | None = None


class UnusableReply(ValueError):
    """A reply that is no verdict; its text says what is wrong, for the judge to mend."""


def verdict(reply: str, rubric: Rubric) -> Verdict:
    """What a reply says.

    Raises:
        UnusableReply: it is no JSON, lacks a criterion, or a score is none.
    """
    content = {str(key).strip().casefold(): value for key, value in first_object(reply).items()}
    if not rubric.criteria:
        return _better(content)
    scores, explanations = {}, {}
    for name in rubric.criteria:
        if name not in content:
            raise UnusableReply(f'"{name}" is missing')
        scores[name], explanations[name] = _score(name, content[name], rubric)
    return Verdict(scores, explanations)


def first_object(reply: str) -> dict[str, Any]:
    """The first JSON object in a text.

    >>> first_object('Sure: {"a": {"b": 1}} {}')
    {'a': {'b': 1}}

    Raises:
        UnusableReply: there is none.
    """
    start = reply.find("{")
    for _ in range(_MAX_STARTS):
        if start < 0:
            break
        try:
            found, _ = _DECODER.raw_decode(reply, start)
        except (ValueError, RecursionError):
            start = reply.find("{", start + 1)
            continue
        if found:
            return found
        start = reply.find("{", start + 1)
    raise UnusableReply("there is no whole JSON object in it")


def _score(name: str, value: Any, rubric: Rubric) -> tuple[int, str]:
    explanation = ""
    if isinstance(value, dict):
        fields = {str(key).strip().casefold(): one for key, one in value.items()}
        if "score" not in fields:
            raise UnusableReply(f'"{name}" has no "score"')
        value, explanation = fields["score"], str(fields.get("explanation", ""))
    number = _whole(value)
    if number is None or not rubric.low <= number <= rubric.high:
        what = json.dumps(value, ensure_ascii=False)[:40]
        raise UnusableReply(
            f'the score of "{name}" is {what}, no whole number from {rubric.low} to {rubric.high}'
        )
    return number, explanation


def _whole(value: Any) -> int | None:
    """A whole number, also as 4.0 or "4"; of a truth value or 4.5 there is none.

    >>> _whole(4.0), _whole("4"), _whole(4.5), _whole(True), _whole("four"), _whole(float("inf"))
    (4, 4, None, None, None, None)
    """
    if isinstance(value, str) and len(value.strip()) == 1 and value.strip() in "0123456789":
        return int(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _better(content: Mapping[str, Any]) -> Verdict:
    found = str(content.get("better", "")).strip().casefold()
    if found not in ("a", "b", "tie"):
        raise UnusableReply('"better" is none of "A", "B", "tie"')
    better = found if found == "tie" else found.upper()
    return Verdict(explanations={"better": str(content.get("explanation", ""))}, better=better)
