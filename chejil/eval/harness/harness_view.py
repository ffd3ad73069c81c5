"""What a run shows: its result beside the published numbers, and what could not be run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import RenderableType

from chejil.eval import comparison, comparison_view
from chejil.eval.comparison import Comparison
from chejil.eval.harness.run import Evaluated
from chejil.eval.results import TaskResult


@dataclass(frozen=True)
class TaskCount:
    """A task's items; prompts (of one choice each) that were cut, rows that were left out."""

    task: str
    items: int
    cut: int
    left_out: int
    kept: bool


@dataclass(frozen=True)
class Shown:
    """A run for people and programs."""

    path: str | None
    tasks: tuple[TaskCount, ...]
    failed: dict[str, str]
    comparison: Comparison | None


def shown(found: Evaluated, contamination: Sequence[str] = ()) -> Shown:
    """What there is to show of a run.

    Args:
        found: the run.
        contamination: curated runs, see comparison.compare.
    """
    tasks = found.result.tasks if found.result else ()
    compared = (
        comparison.compare(
            {found.result.model.name: found.result}, with_published=True, contamination=contamination
        )
        if found.result
        else None
    )
    failed = {name: str(error) for name, error in found.failed.items()}
    return Shown(found.path, tuple(_count(task, found) for task in tasks), failed, compared)


def _count(task: TaskResult, found: Evaluated) -> TaskCount:
    return TaskCount(task.task, len(task.items), task.cut, task.left_out, task.task in found.kept)


def tables(found: Shown) -> Iterator[RenderableType]:
    """Numbers with errors, classes, notes, then what is missing of them."""
    if found.comparison is not None:
        yield from comparison_view.comparison(found.comparison)
    for name, why in found.failed.items():
        yield f"{name} was not run: {why}"
    if found.path:
        yield f"written: {found.path}"
