"""Tasks as lm-eval sees them: a YAML that includes its bundled one, so prompts are its own, over our items or the hub.

Two modes. `harness` asks as lm-eval does today. `polyglot` asks as the published numbers were made (branch polyglot of
lm-evaluation-harness, d21107e): there COPA's connector has one space before it, since then two by a slip; how text is
encoded differs, too (model.py). Every other prompt is the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import yaml

from chejil.eval.harness import squad_metrics
from chejil.eval.harness.layouts import Document
from chejil.eval.harness.suites import Task

Mode = Literal["harness", "polyglot"]

_POLYGLOT = {
    "kobest_copa": {
        "doc_to_text": "{{premise}}{{ {'원인': ' 왜냐하면', '결과': ' 그래서'}[question.strip()] }}"
    }
}
"""Prompts of the mode where they differ: cause: because, effect: therefore."""

_SPLITS = ("training_split", "validation_split", "test_split")
_DIRECT = ("acc", "acc_norm")


def config(folder: Path, name: str, task: Task, mode: Mode, documents: Sequence[Document] | None) -> Path:
    """Write a task's YAML, and its items beside it.

    Args:
        folder: where they are written; lm-eval's copy of the items goes there, too.
        name: the task's.
        task: what suites.yaml says of it.
        mode: how it asks.
        documents: its items; None: those of the hub.
    """
    content: dict[str, Any] = {"include": str(bundled() / task.config), "task": name, "num_fewshot": 0}
    asked = "test_split" if task.split.startswith("test") else "validation_split"
    content |= {split: task.split if split == asked else None for split in _SPLITS}
    if documents is not None:
        content |= _local(folder, name, task, documents)
    if name.startswith("kobest_"):  # theirs look for F1 on the hub, and ours follows from the answers
        content["metric_list"] = [
            {"metric": metric, "aggregation": "mean", "higher_is_better": True}
            for metric in task.metrics
            if metric in _DIRECT
        ]
    if mode == "polyglot":
        content |= _POLYGLOT.get(name, {})
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


def _local(folder: Path, name: str, task: Task, documents: Sequence[Document]) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    items = folder / f"{name}.parquet"
    pq.write_table(pa.Table.from_pylist(list(documents)), items)
    return {
        "dataset_path": "parquet",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {task.split: str(items)}, "cache_dir": str(folder / "cache")},
    }


def bundled() -> Path:
    """The folder of lm-eval's own tasks."""
    found = find_spec("lm_eval")
    assert found is not None  # installed.require came first
    assert found.origin is not None
    return Path(found.origin).parent / "tasks"


def load(path: Path) -> Any:
    """lm-eval's task of a YAML."""
    from lm_eval.tasks import TaskManager

    squad_metrics.provide()
    name = path.stem
    manager = TaskManager(include_path=str(path.parent), include_defaults=False)
    return manager.load([name])["tasks"][name]
