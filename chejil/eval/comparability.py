"""Whether numbers may be compared: modes, sizes, examples, and items that one run alone has.

Published numbers are of one way of asking (docs/eval-tables.md): lm-eval's mode of today gives the same model another
COPA, and 200 of 1,404 items another error. Nothing is refused for it; it is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations

from chejil.eval import measures, published
from chejil.eval.published import Suite
from chejil.eval.results import Result


def notes(results: Mapping[str, Result], shown: Collection[str]) -> Iterator[str]:
    """What makes numbers less comparable than they look.

    Args:
        shown: names of the published suites that stand beside.
    """
    for name, suite in published.published().suites.items():
        if name in shown:
            yield from _unlike(results, name, suite)
    for model, result in results.items():
        yield from _lacking(model, result)
    for first, second in combinations(results, 2):
        if results[first].mode != results[second].mode:
            yield f"{first} was run in mode {results[first].mode}, {second} in mode {results[second].mode}"
        yield from _other_windows(first, second, results)
        yield from _left_out(first, second, results)


def _unlike(results: Mapping[str, Result], name: str, suite: Suite) -> Iterator[str]:
    items = {measures.task_of(row): about.items for row, about in suite.rows.items()}
    for model, result in results.items():
        if result.mode != suite.mode:
            yield f"{name}: published in mode {suite.mode}, {model} was run in mode {result.mode}"
        for task in result.tasks:
            expected = items.get(task.task)
            if expected and expected != len(task.items):
                yield f"{name}: {model} has {len(task.items):,} of {expected:,} items of {task.task}"
            if task.task in items and task.num_fewshot:
                yield f"{name}: {model} saw {task.num_fewshot} examples in {task.task}, published is zero-shot"


def _other_windows(first: str, second: str, results: Mapping[str, Result]) -> Iterator[str]:
    one, two = (results[name].settings for name in (first, second))
    for name in ("context", "stride"):
        if name in one and name in two and one[name] != two[name]:
            yield f"{first} saw documents with --{name} {one[name]:,}, {second} with {two[name]:,}"


def _lacking(model: str, result: Result) -> Iterator[str]:
    for task in result.tasks:
        if task.cut:
            yield f"{task.task}: {task.cut:,} prompts did not fit the context of {model} and lost their beginning"
        if task.left_out:
            yield f"{task.task}: {task.left_out:,} broken rows are no items of {model}"


def _left_out(first: str, second: str, results: Mapping[str, Result]) -> Iterator[str]:
    theirs = {task.task: task for task in results[second].tasks}
    for task in results[first].tasks:
        if task.task in theirs:
            one, two = ({item.id for item in run.items} for run in (task, theirs[task.task]))
            if one != two:
                yield (
                    f"{task.task}: compared on {len(one & two):,} items; {len(one - two):,} only {first} has, "
                    f"{len(two - one):,} only {second}"
                )
