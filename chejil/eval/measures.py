"""What metrics measure: which of them share a table and a mean, which are better when they are lower, what is pooled.

A mean over accuracies, probabilities and bits would be a mean of nothing. Of bits per byte there are two: each domain
counts the same, or each byte does. The second one needs no arithmetic of its own: all documents together are one more
task (`all`, and of each language), so its errors and differences come as every other task's do.
"""

from __future__ import annotations

from collections.abc import Iterator

from chejil.eval.results import BITS, Item, Result, TaskResult

OWN, PROBABILITIES, DOMAINS, POOLED = "results", "probabilities", "bits", "bits-all"
LIKELIHOODS = ("gold_prob", "gold_prob_bytes")
ALL = "all"
TITLES = {
    OWN: "Results; the mean is of each task's first row",
    PROBABILITIES: "Probability of the right answer; the mean is of gold_prob",
    DOMAINS: "Bits per byte by domain; the mean counts each domain the same",
    POOLED: "Bits per byte over all documents; the mean counts each byte the same",
}


def task_of(row: str) -> str:
    """The task of a row TASK/METRIC.

    >>> task_of("web/ko/bits_per_byte"), task_of("kobest_copa/macro_f1")
    ('web/ko', 'kobest_copa')
    """
    return row.rpartition("/")[0]


def is_pooled(task: str) -> bool:
    """Whether a task of documents is all of them, or all of a language."""
    return task == ALL or task.startswith(f"{ALL}/")


def table_of(row: str) -> str:
    """The table that a row stands in, where no published one has it.

    >>> [table_of(row) for row in ("a/acc", "a/gold_prob", "web/ko/bits_per_byte", "all/ko/bits_per_byte")]
    ['results', 'probabilities', 'bits', 'bits-all']
    """
    task, _, metric = row.rpartition("/")
    if metric == BITS:
        return POOLED if is_pooled(task) else DOMAINS
    return PROBABILITIES if metric in LIKELIHOODS else OWN


def mean_rows(table: str, rows: tuple[str, ...]) -> tuple[str, ...]:
    """The rows that a table's mean is of: each task once.

    Of pooled documents all of them, which hold each language already; of results the first row of a task, of
    probabilities `gold_prob`: a mean of macro-F1, accuracy and normalised accuracy of one task would be one of nothing.

    >>> mean_rows("results", ("a/macro_f1", "a/acc", "b/acc"))
    ('a/macro_f1', 'b/acc')
    >>> mean_rows("probabilities", ("a/gold_prob_bytes", "a/gold_prob"))
    ('a/gold_prob',)
    """
    whole = f"{ALL}/{BITS}"
    if table == POOLED and whole in rows:
        return (whole,)
    if table == PROBABILITIES:
        return tuple(row for row in rows if row.endswith(f"/{LIKELIHOODS[0]}")) or rows
    if table == OWN:
        return tuple(
            {task_of(row): row for row in reversed(rows)}[task] for task in dict.fromkeys(map(task_of, rows))
        )
    return rows


def lower_is_better(row: str) -> bool:
    """Of bits alone.

    >>> lower_is_better("web/ko/bits_per_byte"), lower_is_better("mean of bits, 3 rows")
    (True, True)
    """
    return row.endswith(f"/{BITS}") or row.startswith((f"mean of {DOMAINS},", f"mean of {POOLED},"))


def with_pooled(result: Result) -> Result:
    """The result with its documents together as further tasks, where several tasks are of documents."""
    more = tuple(_pooled(result))
    return result.model_copy(update={"tasks": (*result.tasks, *more)}) if more else result


def _pooled(result: Result) -> Iterator[TaskResult]:
    own = [task for task in result.tasks if BITS in task.metrics]
    if len(own) < 2:
        return
    yield _joined(ALL, own)
    languages: dict[str, list[TaskResult]] = {}
    for task in own:
        if "/" in task.task:
            languages.setdefault(task.task.rpartition("/")[2], []).append(task)
    if len(languages) > 1:
        for lang, mine in languages.items():
            yield _joined(f"{ALL}/{lang}", mine)


def _joined(name: str, tasks: list[TaskResult]) -> TaskResult:
    items: list[Item] = [
        item.model_copy(update={"id": f"{task.task} {item.id}"}) for task in tasks for item in task.items
    ]
    return TaskResult.model_construct(task=name, metrics=(BITS,), items=tuple(items))
