"""All layouts by family: a task's file comes as its authors write it, as on the hub, or repacked by others."""

from __future__ import annotations

from collections.abc import Sequence

from chejil.eval.harness import english_layouts, korean_layouts
from chejil.eval.harness.layouts import Layout

LAYOUTS = {**korean_layouts.LAYOUTS, **english_layouts.LAYOUTS}
"""Of each family; those of the authors and of the hub before what others repacked."""


def layout_of(family: str, names: Sequence[str]) -> tuple[int, Layout] | None:
    """The first layout whose fields are all there, and its rank; None where there is none."""
    for rank, one in enumerate(LAYOUTS[family]):
        if one.needs <= set(names):
            return rank, one
    return None
