"""A run: one task after the other, each kept when it is done, and one result of all that the folder holds.

    OUT/tasks/TASK.json   a task's items under a key: what their numbers depend on
    OUT/result.json       tasks of that model and mode, in the order of the tables

A task whose key is the same is not run again. The key has hashes of weights, tokenizer and items, mode, limit,
precision and lm-eval's version; neither batch size nor device, which move the last bits of a log-likelihood alone. Of
several processes (torchrun, accelerate) each takes a share of a task's items, and the first one writes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import chejil
from chejil.curation import shards
from chejil.curation.progress import Progress
from chejil.errors import ChejilError
from chejil.eval import results
from chejil.eval.harness import installed, launcher, model_folder, quiet, suites, task_files
from chejil.eval.harness.harness_settings import HarnessSettings
from chejil.eval.harness.model_folder import ModelFolder
from chejil.eval.harness.task_files import TaskData
from chejil.eval.results import Result, TaskResult

Key = dict[str, Any]
_ITEMS_VERSION = 2
"""2: items keep hashes of their texts."""


@dataclass(frozen=True)
class Evaluated:
    """What a run came to.

    Args:
        path: of the result; None where there is no task in it.
        result: tasks that the folder now holds.
        failed: tasks that could not be run, and why.
        kept: tasks that were done before.
    """

    path: str | None
    result: Result | None
    failed: Mapping[str, ChejilError]
    kept: Sequence[str]


def run(
    model: str,
    tasks: Sequence[str],
    data: str | None,
    out: str,
    settings: HarnessSettings,
    progress: Progress,
) -> Evaluated:
    """Evaluate a model.

    Args:
        model: a folder, or a name on the hub where `data` is None.
        tasks: names, see suites.named.
        data: folder of the tasks' files; None: from the hub.
        out: folder of the result.
        settings: how.
        progress: is told of tasks and requests.

    Raises:
        ChejilError: the model cannot be used, or the folder holds the result of another.
    """
    installed.require()
    for path in (model, out, *([] if data is None else [data])):
        shards.refuse_empty(path)
    with ExitStack() as stack:
        if data is not None:
            stack.enter_context(quiet.offline())
        stack.enter_context(quiet.quiet())
        evaluation = _Evaluation(model_folder.find(model, data is not None), data, out, settings, progress)
        return evaluation.of(tasks)


class _Evaluation:
    """A model, and what it is asked."""

    def __init__(
        self, folder: ModelFolder, data: str | None, out: str, settings: HarnessSettings, progress: Progress
    ) -> None:
        self.folder, self.data, self.out = folder, data, out
        self.settings, self.progress = settings, progress
        self.failed: dict[str, ChejilError] = {}
        self._refuse_other()

    def of(self, tasks: Sequence[str]) -> Evaluated:
        """Run what is not done yet."""
        found = {name: loaded for name in tasks if (loaded := self._items(name)) is not None}
        done = [name for name, items in found.items() if self._kept(name, self._key(name, items)) is not None]
        todo = {name: items for name, items in found.items() if name not in done}
        if todo:
            self._run(todo)
        if _is_first() and (result := self._result()) is not None:
            place = shards.join(self.out, results.FILE)
            results.write(place, result)
            return Evaluated(place, result, self.failed, done)
        return Evaluated(None, None, self.failed, done)

    def _items(self, name: str) -> TaskData | None:
        """A task's items; without files those that the hub will give; None where the files are no good."""
        if self.data is None:
            return TaskData((), (), {}, "hub")
        try:
            return task_files.load(self.data, name, suites.tasks()[name], self.settings.skip_broken)
        except ChejilError as error:
            self._fail(name, error)
            return None

    def _fail(self, name: str, error: ChejilError) -> None:
        self.failed[name] = error
        if _is_first():
            self.progress.say(f"{name} is left out: {error}")

    def _run(self, todo: Mapping[str, TaskData]) -> None:
        from chejil.eval.harness import model
        from chejil.eval.harness.asking import ask

        settings = self.settings
        loaded = model.load(self.folder, settings.mode, settings.batch_size, settings.device, settings.dtype)
        for name, items in todo.items():
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found = ask(loaded, name, items, settings, Path(folder), self.progress)
                except ChejilError as error:
                    self._fail(name, error)
                    continue
            if found is not None:
                content = {"key": self._key(name, items), "task": found.model_dump(mode="json")}
                shards.write_json(self.out, f"tasks/{name}.json", content)

    def _key(self, name: str, items: TaskData) -> Key:
        return {**self._asked(), "task": name, "inputs": dict(items.inputs), "left_out": len(items.faults)}

    def _asked(self) -> Key:
        """What all tasks of a result share."""
        settings, folder = self.settings, self.folder
        return {
            "model": folder.identity.hash or folder.identity.name,
            "tokenizer": model_folder.tokenizer_hash(folder) or folder.tokenizer,
            "mode": settings.mode,
            "limit": settings.limit,
            "dtype": settings.dtype,
            "lm_eval": version("lm_eval"),
            "items": _ITEMS_VERSION,
        }

    def _kept(self, name: str, key: Key | None = None) -> TaskResult | None:
        """A task that was done before, with that key or with what all tasks share."""
        content = shards.read_json(shards.join(self.out, "tasks", f"{name}.json"))
        if not isinstance(content, dict) or not isinstance(content.get("key"), dict):
            return None
        shared = {part: content["key"].get(part) for part in self._asked()}
        if shared != self._asked() or (key is not None and content["key"] != key):
            return None
        try:
            return TaskResult.model_validate(content.get("task"))
        except ValidationError:
            return None

    def _result(self) -> Result | None:
        tasks = [kept for name in suites.tasks() if (kept := self._kept(name)) is not None]
        if not tasks:
            return None
        names = ("lm_eval", "transformers", "tokenizers", "torch")
        settings = self.settings
        return Result(
            model=self.folder.identity,
            mode=settings.mode,
            versions={"chejil": chejil.__version__, **{name: version(name) for name in names}},
            settings={
                "limit": settings.limit,
                "batch_size": settings.batch_size,
                "dtype": settings.dtype,
                "items": "hub" if self.data is None else "files",
            },
            tasks=tuple(tasks),
        )

    def _refuse_other(self) -> None:
        place = shards.join(self.out, results.FILE)
        if not Path(place).is_file():
            return
        before, model = results.read(place), self.folder.identity
        if (before.model.hash or before.model.name) != (model.hash or model.name):
            what = f"another model ({before.model.name})"
        elif before.mode != self.settings.mode:
            what = f"mode {before.mode}"
        else:  # a smoke test with a limit would take the place of a whole result
            asked = {"limit": self.settings.limit, "dtype": self.settings.dtype}
            other = [
                f"{name} {before.settings.get(name)}"
                for name in asked
                if before.settings.get(name) != asked[name]
            ]
            if not other:
                return
            what = " and ".join(other)
        raise ChejilError(f"the folder holds a result of {what}", where=self.out, mend="give another --out")


def _is_first() -> bool:
    return launcher.rank() == 0
