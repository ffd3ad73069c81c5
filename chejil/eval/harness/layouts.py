"""A layout of task files: fields that tell it, and how its rows become the fields that lm-eval's task reads.

What a row becomes holds the task's own fields alone, in one form, so the same item has the same id wherever it came
from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chejil.eval.harness.fields import Fields

Document = dict[str, Any]
Convert = Callable[[Fields, str | None], Document | None]


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout.

    Args:
        name: what it is called.
        needs: fields that every row has.
        convert: a row and the task's tag to a document; None where the row is of another task.
    """

    name: str
    needs: frozenset[str]
    convert: Convert


def layout(name: str, needs: str, convert: Convert) -> Layout:
    """A layout, its fields between commas."""
    return Layout(name, frozenset(needs.split(",")), convert)
