"""A run: the plan's stages, done where they are not done yet, and a manifest that is written last.

The manifest is the proof that a run is complete, so it is removed before the first unit is done again. It holds
nothing that differs between two runs of the same recipe on the same files: seconds go to `timings.json`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from chejil.curation import manifest, report, shards
from chejil.curation.executors import Executor
from chejil.curation.plan import Plan, plan
from chejil.curation.progress import Progress, Silent
from chejil.curation.recipe import Recipe
from chejil.curation.shards import FileRecord
from chejil.curation.stage import ALL_SHARDS, Record, Stage, do, forget, is_done, read_record, unit_key
from chejil.errors import ChejilError, RunError


@dataclass
class Run:
    """Where a run stands: records by stage and unit, shards that stopped, seconds by stage."""

    root: str
    plan: Plan
    records: dict[str, dict[str, Record]] = field(default_factory=dict)
    failed: dict[str, ChejilError] = field(default_factory=dict)
    done: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def shards(self) -> tuple[str, ...]:
        """Shards that have not stopped."""
        return tuple(shard for shard in self.plan.inputs if shard not in self.failed)

    def names(self, stage: Stage) -> tuple[str, ...]:
        """Units of a stage."""
        return self.shards if stage.kind == "map" else (ALL_SHARDS,)

    def inputs(self, stage: Stage, name: str) -> list[FileRecord] | None:
        """Files that a unit reads, or None while one of the stages that write them has not been done."""
        found: list[FileRecord] = []
        for other in stage.inputs:
            records = self.records.get(other, {})
            if name in records:
                found += records[name].files
            elif ALL_SHARDS in records and stage.kind == "map":
                found += records[ALL_SHARDS].files_of(name)
            elif ALL_SHARDS in records or (stage.kind == "gather" and set(self.shards) <= set(records)):
                found += [file for record in records.values() for file in record.files]
            else:
                return None
        return found

    def todo(self, stage: Stage) -> dict[str, str | None]:
        """Units that must be done, with their key (None: not known before an earlier stage is done)."""
        units: dict[str, str | None] = {}
        for name in self.names(stage):
            inputs = self.inputs(stage, name)
            key = None if inputs is None else unit_key(stage, name, inputs)
            record = read_record(self.root, stage.name, name)
            if key is not None and is_done(self.root, record, key):
                assert record is not None
                self.records.setdefault(stage.name, {})[name] = record
            else:
                units[name] = key
        return units


def run(recipe: Recipe, root: str, workers: int = 1, progress: Progress | None = None) -> manifest.Manifest:
    """Do what is not done yet, and write the manifest and the report.

    Args:
        root: the run's folder or URL; its content is taken up where it was left.
        workers: processes; any number gives the same bytes.

    Returns:
        The manifest; `failed` names the shards that stopped, the others are complete.

    Raises:
        RunError: another run works in this folder, or a worker died.
        SourceError: a source's paths match nothing.
    """
    progress = progress or Silent()
    with locked(root):
        state = Run(root, plan(recipe))
        with Executor(workers) as executor:
            for stage in state.plan.stages:
                _do_stage(state, stage, executor, progress)
        _sweep(state)
        return _close(state, recipe)


def dry_run(recipe: Recipe, root: str) -> list[dict[str, object]]:
    """What `run` would do: a row a stage with its units, those done, and those to do."""
    state = Run(root, plan(recipe))
    rows: list[dict[str, object]] = []
    for stage in state.plan.stages:
        todo = state.todo(stage)
        rows.append({"stage": stage.name, "units": len(state.names(stage)), "to_do": len(todo)})
    return rows


def _do_stage(state: Run, stage: Stage, executor: Executor, progress: Progress) -> None:
    start = time.perf_counter()
    todo = state.todo(stage)
    names = state.names(stage)
    progress.start(stage.name, len(names), len(names) - len(todo))
    if todo:
        # From here on the run is not complete, whatever happens.
        shards.remove(shards.join(state.root, manifest.PATH))
    for outcome in executor.do(_calls(state, stage, todo)):
        if outcome.error is not None:
            state.failed[outcome.name] = outcome.error
            forget(state.root, stage.name, outcome.name)
        else:
            state.records.setdefault(stage.name, {})[outcome.name] = outcome.result
            state.done += 1
        progress.advance(stage.name, outcome.name, None if outcome.error is None else str(outcome.error))
    state.seconds[stage.name] = time.perf_counter() - start
    progress.finish(stage.name)


def _calls(state: Run, stage: Stage, todo: dict[str, str | None]) -> Iterator[tuple[str, Callable, tuple]]:
    for name, key in todo.items():
        unit = stage.unit(state.root, state.shards if stage.kind == "gather" else (name,))
        yield name, do, (unit, name, key, stage.function)


def _sweep(state: Run) -> None:
    """Remove what earlier recipes left: units of stages and shards that this one does not have."""
    files, path = shards.file_system(shards.join(state.root, "work"))
    planned = {f"{stage.name}/{name}" for stage in state.plan.stages for name in state.names(stage)}
    for entry in files.find(path):
        unit = entry.removeprefix(path.rstrip("/") + "/").removesuffix(".json")
        if entry.endswith(".json") and unit not in planned:
            stage, name = _split(unit)
            forget(state.root, stage, name)


def _split(unit: str) -> tuple[str, str]:
    """`near_dedup/clusters/all` -> stage and unit; a map's unit has a source and a name."""
    stage, _, last = unit.rpartition("/")
    if last == ALL_SHARDS:
        return stage, last
    stage, _, source = stage.rpartition("/")
    return stage, f"{source}/{last}"


def _close(state: Run, recipe: Recipe) -> manifest.Manifest:
    """Write recipe, report, timings and, last, the manifest."""
    content = manifest.build(state.plan, state.records, state.failed, recipe)
    complete = shards.read_json(shards.join(state.root, manifest.PATH))
    if complete != content.as_dict():
        shards.write_bytes(state.root, "recipe.yaml", recipe.resolved().encode())
        shards.write_bytes(state.root, report.PATH, report.page(content).encode())
        shards.write_json(state.root, "timings.json", {"seconds": state.seconds})
        shards.write_json(state.root, manifest.PATH, content.as_dict())
    content.units_done = state.done
    return content


@contextmanager
def locked(root: str) -> Iterator[None]:
    """Hold a run's folder against a second run; `*.tmp` that a killed one left is swept.

    Raises:
        RunError: another process holds it.
    """
    files, path = shards.file_system(root)
    if not isinstance(files, LocalFileSystem):
        yield  # Object storage has no lock; two runs there write the same objects.
        return
    import fcntl

    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                "another run works in this folder", where=path, mend="wait for it, or choose --out"
            ) from None
        for unfinished in folder.rglob("*.tmp"):
            with suppress(FileNotFoundError):
                unfinished.unlink()
        yield
