"""Layouts of task files: fields that tell one, and how its rows become the fields that lm-eval's task reads.

A task's file comes in the layout of its authors, of the hub (where lm-eval's own runs take it), or repacked by others;
`of` finds it by the fields of the first row. What a row becomes holds the task's own fields alone, in one form, so the
same item has the same id wherever it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def families() -> Mapping[str, Sequence[Layout]]:
    """Layouts of each family, those of the authors and of the hub before what others repacked."""
    from chejil.eval.harness import english_layouts, korean_layouts

    return {**korean_layouts.LAYOUTS, **english_layouts.LAYOUTS}


def of(family: str, names: Sequence[str]) -> tuple[int, Layout] | None:
    """The first layout whose fields are all there, and its rank; None where there is none."""
    for rank, one in enumerate(families()[family]):
        if one.needs <= set(names):
            return rank, one
    return None
