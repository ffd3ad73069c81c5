"""Values of a row: what they must be, or why the row is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chejil.eval.harness.task_rows import BadRow

Fields = Mapping[str, Any]


def text(row: Fields, name: str) -> str:
    """A text that says something, as it stands: blanks around it are part of a prompt."""
    value = row.get(name)
    if not isinstance(value, str):
        raise BadRow(f"'{name}' is {_told(value)}, not text")
    if not value.strip():
        raise BadRow(f"'{name}' is empty")
    return value


def texts(values: Any, name: str) -> list[str]:
    """Several texts that say something."""
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise BadRow(f"'{name}' is {_told(values)}, not a list of texts")
    return [text({name: value}, name) for value in values]


def one_of(row: Fields, name: str, known: Mapping[str, int]) -> int:
    """The number of a label, which is written as one of `known` (in lower case), or is that number's place already."""
    value = row.get(name)
    found = known.get(str(value).strip().lower())
    if found is None:
        raise BadRow(f"'{name}' is {_told(value)}, not one of {', '.join(known)}")
    return found


def whole(row: Fields, name: str, low: int, high: int) -> int:
    """A whole number between two others."""
    value = row.get(name)
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRow(f"'{name}' is {_told(value)}, not a number from {low} to {high}")
    return value


def _told(value: Any) -> str:
    if value is None:
        return "missing"
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}…"


NO_YES = {"false": 0, "true": 1, "0": 0, "1": 1}
"""Labels of questions, as KoBEST, BoolQ and SuperGLUE write them."""
