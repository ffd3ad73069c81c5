"""Results beside one another and beside published numbers: tables, differences, what classes are predicted.

A table is a published suite, or all rows of the results where no published numbers are asked for. Means are unweighted
over a table's rows, and missing where a row is: a mean over fewer rows is another number. What is no accuracy has
tables of its own: probabilities of the right answer, and bits per byte, whose mean over domains stands beside the one
over bytes. Errors of our own are by bootstrap over items, tasks drawn independently, rows of one task together; those
of published numbers are of a proportion. Two runs differ by what resampling.py says, each row by itself and the means;
p-values of several rows stand beside those adjusted by Holm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from chejil.errors import ChejilError
from chejil.eval import comparability, measures, published, resampling, scores
from chejil.eval.contamination import CleanScore, clean_scores
from chejil.eval.published import PublishedModel, Suite
from chejil.eval.results import Result, TaskResult

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Value:
    """A number with its standard error; None where there is none."""

    value: float | None
    error: float | None = None
    flag: str | None = None


@dataclass(frozen=True)
class Column:
    """A model's numbers, in the order of the table's rows."""

    model: str
    published: bool
    values: tuple[Value, ...]
    mean: Value
    about: str = ""


@dataclass(frozen=True)
class ComparisonTable:
    """Rows are TASK/METRIC."""

    name: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Difference:
    """The second run less the first on `items` that both have; an end of the interval or a p-value of each."""

    first: str
    second: str
    row: str
    items: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float | None
    says: str


@dataclass(frozen=True)
class Classes:
    """What a model predicts in a task: shares by class, and a flag where it is one class."""

    model: str
    task: str
    items: int
    predicted: Mapping[str, float]
    gold: Mapping[str, float]
    flag: str | None


@dataclass(frozen=True)
class Comparison:
    """Everything that is shown."""

    tables: tuple[ComparisonTable, ...]
    differences: tuple[Difference, ...]
    classes: tuple[Classes, ...]
    notes: tuple[str, ...] = field(default=())
    clean: tuple[CleanScore, ...] = field(default=())


def compare(
    results: Mapping[str, Result], with_published: bool = False, contamination: Sequence[str] = ()
) -> Comparison:
    """Compare results, by name, with each other.

    Args:
        results: by name.
        with_published: set published tables beside.
        contamination: runs that decontaminate [default: those of each model's lineage].

    Raises:
        ChejilError: there is nothing to compare, or two runs have other gold answers for the same items.
    """
    if not results and not with_published:
        raise ChejilError("there is no result to compare", mend="name result.json files, or give --published")
    pooled = {name: measures.with_pooled(result) for name, result in results.items()}
    drawn = {name: _drawn(result) for name, result in pooled.items()}
    tables = tuple(_tables(pooled, drawn, with_published))
    clean, said = clean_scores(results, contamination)
    return Comparison(
        tables,
        tuple(_differences(pooled, tables)),
        tuple(_classes(results)),
        (*comparability.notes(results, [table.name for table in tables]), *said),
        clean,
    )


Drawn = dict[str, tuple[float, np.ndarray]]
"""By row, the metric and its resamples, (num_samples,)."""


def _drawn(result: Result) -> Drawn:
    found: Drawn = {}
    for task in result.tasks:
        cells = resampling.cells(task.metrics, [task.items])
        points = resampling.point(task.metrics, cells)
        samples = resampling.bootstrap(task.task, task.metrics, cells)[0]
        for metric, value, column in zip(task.metrics, points, samples, strict=True):
            found[f"{task.task}/{metric}"] = (float(value), column)
    return found


def _tables(
    results: Mapping[str, Result], drawn: Mapping[str, Drawn], with_published: bool
) -> Iterator[ComparisonTable]:
    every = list(dict.fromkeys(row for one in drawn.values() for row in one))
    suites = _suites(drawn) if with_published else {}
    for name, suite in suites.items():
        rows = tuple(suite.rows)
        columns = [_published(suite, model) for model in suite.models]
        columns += [_own(one, rows, drawn[one], results[one]) for one in results]
        yield ComparisonTable(name, suite.title, rows, tuple(columns))
    rest = [row for row in every if not any(row in suite.rows for suite in suites.values())]
    for name, title in measures.TITLES.items():
        if mine := tuple(row for row in rest if measures.table_of(row) == name):
            means = measures.mean_rows(name, mine)
            columns = [_own(one, mine, drawn[one], results[one], means) for one in results]
            said = _heading(mine) if suites and name == measures.OWN else title
            yield ComparisonTable(name, said, mine, tuple(columns))


def _heading(rows: Sequence[str]) -> str:
    """Of the rows beside the published tables: a table stands there only if a result has all of its rows."""
    known = {row for suite in published.published().suites.values() for row in suite.rows}
    if known & set(rows):
        return "Rows of published tables that are not whole here, and others"
    return "Rows that no published table has"


def _suites(drawn: Mapping[str, Drawn]) -> dict[str, Suite]:
    """Those that a result has whole, else those that one has a row of; all where there is no result."""
    known = published.published().suites
    if not drawn:
        return known
    whole = {
        name: suite
        for name, suite in known.items()
        if any(suite.rows.keys() <= one.keys() for one in drawn.values())
    }
    touched = {
        name: suite
        for name, suite in known.items()
        if any(suite.rows.keys() & one.keys() for one in drawn.values())
    }
    return whole or touched


def _published(suite: Suite, model: PublishedModel) -> Column:
    values = []
    for name, row in suite.rows.items():
        value = suite.values_of(model)[name]
        flag = "one class?" if published.looks_constant(name.split("/")[1], value, row) else None
        values.append(Value(value, published.standard_error(value, row.items), flag))
    mean = published.mean([one.value for one in values])
    error = published.mean_error([one.error for one in values])
    about = published.published().sources[model.source] + (f"; {model.note}" if model.note else "")
    return Column(model.name, True, tuple(values), Value(mean, error), about)


def _own(
    name: str, rows: Sequence[str], drawn: Drawn, result: Result, mean_rows: Sequence[str] | None = None
) -> Column:
    flags = {task.task: _flag(task) for task in result.tasks}
    values = [
        Value(drawn[row][0], float(drawn[row][1].std()), flags[measures.task_of(row)])
        if row in drawn
        else Value(None)
        for row in rows
    ]
    averaged = rows if mean_rows is None else mean_rows
    mean = published.mean([drawn[row][0] if row in drawn else None for row in averaged])
    error = None
    if mean is not None:
        error = float(np.mean([drawn[row][1] for row in averaged], axis=0).std())
    return Column(name, False, tuple(values), Value(mean, error), f"mode {result.mode}")


def _single(task: TaskResult) -> list[tuple[str, str]]:
    """(predicted, gold) as the task calls them, where each item has one of both."""
    return [
        (task.labels.get(str(item.predicted), str(item.predicted)), task.labels.get(str(item.gold), str(item.gold)))
        for item in task.items
        if item.predicted is not None and not isinstance(item.gold, tuple)
    ]  # fmt: skip


def _flag(task: TaskResult) -> str | None:
    pairs = _single(task)
    return scores.constant_answer([one for one, _ in pairs], [gold for _, gold in pairs])


_MAX_CLASSES = 8
"""Where answers are texts of the item, shares of classes say nothing."""


def _classes(results: Mapping[str, Result]) -> Iterator[Classes]:
    for name, result in results.items():
        for task in result.tasks:
            pairs = _single(task)
            gold = scores.shares([gold for _, gold in pairs]) if pairs else {}
            if 0 < len(gold) <= _MAX_CLASSES:
                predicted = scores.shares([one for one, _ in pairs])
                yield Classes(name, task.task, len(pairs), predicted, gold, _flag(task))


@dataclass(frozen=True)
class _Common:
    """A row that two runs have: items of both, the difference, its bootstrap and its null, (num_samples,) each."""

    items: int
    value: float
    drawn: np.ndarray
    null: np.ndarray


def _differences(results: Mapping[str, Result], tables: Sequence[ComparisonTable]) -> Iterator[Difference]:
    for first, second in combinations(results, 2):
        common = dict(_common(first, second, results))
        ps = [resampling.p_value(row.value, row.null) for row in common.values()]
        for (name, row), adjusted in zip(common.items(), resampling.holm(ps), strict=True):
            yield _difference(first, second, name, row, adjusted)
        for table in tables:
            if len(table.rows) > 1 and table.name != measures.POOLED and common.keys() >= set(table.rows):
                own = table.name in measures.TITLES
                rows = measures.mean_rows(table.name, table.rows) if own else table.rows
                mean = _mean([(name, common[name]) for name in rows])
                yield _difference(first, second, f"mean of {table.name}, {len(rows)} rows", mean)


def _common(first: str, second: str, results: Mapping[str, Result]) -> Iterator[tuple[str, _Common]]:
    theirs = {task.task: task for task in results[second].tasks}
    for task in results[first].tasks:
        other = theirs.get(task.task)
        metrics = [metric for metric in task.metrics if other and metric in other.metrics]
        one, two = resampling.common(task, other) if other else ([], [])
        if not metrics or not one:
            continue
        _same_gold(first, second, task.task, one, two)
        cells = resampling.cells(metrics, [one, two])
        both = resampling.bootstrap(task.task, metrics, cells)
        null = resampling.permuted(task.task, metrics, cells)
        observed = resampling.point(metrics, cells, 1) - resampling.point(metrics, cells, 0)
        for place, metric in enumerate(metrics):
            drawn = both[1, place] - both[0, place]
            yield f"{task.task}/{metric}", _Common(len(one), float(observed[place]), drawn, null[place])


def _mean(rows: Sequence[tuple[str, _Common]]) -> _Common:
    """Unweighted over rows; items of a task with two metrics count once."""
    items = {measures.task_of(name): row.items for name, row in rows}
    return _Common(
        sum(items.values()),
        float(np.mean([row.value for _, row in rows])),
        np.mean([row.drawn for _, row in rows], axis=0),
        np.mean([row.null for _, row in rows], axis=0),
    )


def _difference(
    first: str, second: str, name: str, row: _Common, adjusted: float | None = None
) -> Difference:
    low, high = np.quantile(row.drawn, (0.025, 0.975)).tolist()
    p = resampling.p_value(row.value, row.null)
    worse = measures.lower_is_better(name)
    said = _says(-row.value if worse else row.value, p if adjusted is None else adjusted)
    return Difference(first, second, name, row.items, row.value, low, high, p, adjusted, said)


def _says(value: float, p: float) -> str:
    """What may be said of a difference at 5 %."""
    if p >= SIGNIFICANT:
        return "not significant"
    return "second is better" if value > 0 else "first is better"


def _same_gold(first: str, second: str, task: str, one: Sequence, two: Sequence) -> None:
    other = [mine.id for mine, theirs in zip(one, two, strict=True) if mine.gold != theirs.gold]
    if other:
        what = f"{task}: {first} and {second} have other gold answers for {len(other)} items, e.g. {other[0]}"
        raise ChejilError(what, mend="run both on the same files: `inputs` in each result holds their hashes")
