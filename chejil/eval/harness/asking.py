"""Asking a model a task's items through lm-eval, and what comes of it: a task of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chejil.curation.progress import Progress
from chejil.errors import ChejilError
from chejil.eval.harness import families, suites, task_files, tasks
from chejil.eval.harness.harness_settings import HarnessSettings
from chejil.eval.harness.items import item
from chejil.eval.harness.suites import LIKELIHOODS, Task
from chejil.eval.harness.task_files import TaskData
from chejil.eval.harness.task_rows import BadRow
from chejil.eval.results import TaskResult

if TYPE_CHECKING:
    from chejil.eval.harness.model import HarnessModel


def ask(
    model: HarnessModel,
    name: str,
    items: TaskData,
    settings: HarnessSettings,
    folder: Path,
    progress: Progress,
) -> TaskResult | None:
    """Ask all items of a task, or the first `limit`.

    Returns:
        The task; None in all processes but the first.

    Raises:
        ChejilError: a choice does not fit, or the hub's items cannot be had.
    """
    task = suites.tasks()[name]
    documents = items.documents[: settings.limit] if items.documents else None
    asked = task_of(tasks.config(folder, name, task, settings.mode, documents), name)
    samples = _samples(model, name, asked, settings, progress)
    cut = sum(model.gather_object(model.cut) or [])
    if samples is None:
        return None
    keys = items.ids if documents else hub_ids(task, samples)
    metrics = (*task.metrics, *LIKELIHOODS)
    found = [item(name, keys[sample["doc_id"]], asked, sample, metrics) for sample in samples]
    return TaskResult(
        task=name, metrics=metrics, labels=task.labels, inputs=dict(items.inputs),
        left_out=len(items.faults), cut=cut, items=tuple(found),
    )  # fmt: skip


def task_of(path: Path, name: str) -> Any:
    """lm-eval's task of a YAML.

    Raises:
        ChejilError: its code or its items cannot be had.
    """
    try:
        return tasks.load(path)
    except ImportError as error:
        raise ChejilError(
            f"lm-eval's own code of {name} does not load: {error}", mend="another version of it"
        ) from None
    except (OSError, ValueError) as error:  # what `datasets` raises where there is no network
        first = str(error).strip().splitlines()[0]
        raise ChejilError(
            f"the items of {name} cannot be had: {first}", mend="give their files by --data"
        ) from None


def _samples(
    model: HarnessModel, name: str, task: Any, settings: HarnessSettings, progress: Progress
) -> list[dict[str, Any]] | None:
    from lm_eval.evaluator import evaluate

    requests = _requests(task, settings.limit, model.world_size)
    if model.rank == 0:
        progress.start(name, requests, 0)
    model.watch(lambda: progress.advance(name, name) if model.rank == 0 else None)
    found = evaluate(
        model,
        {"tasks": {name: task}, "groups": {}},
        limit=settings.limit,
        bootstrap_iters=0,
        log_samples=True,
    )
    if found is None:
        return None
    progress.finish(name)
    return sorted(found["samples"][name], key=lambda sample: sample["doc_id"])


def _requests(task: Any, limit: int | None, processes: int) -> int:
    """About how many answers the first process gives: choices of its items."""
    documents = list(task.eval_docs)[:limit:processes]
    return sum(len(task.doc_to_choice(document)) for document in documents)


def hub_ids(task: Task, samples: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ids of the hub's items: those that their files would have."""
    documents = []
    for sample in samples:
        found = families.layout_of(task.family, list(sample["doc"]))
        try:
            document = found[1].convert(sample["doc"], None) if found else None
        except BadRow:
            document = None
        documents.append(document or {"fields": str(sorted(sample["doc"].items()))})
    return task_files.ids(documents)
