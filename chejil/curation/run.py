"""A run: the plan's stages, done where they are not done yet, and a manifest that is written last.

The manifest is the proof that a run is complete, so it is removed before the first unit is done again. It holds
nothing that differs between two runs of the same recipe on the same files: seconds go to `timings.json`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chejil.curation import manifest, report, shards
from chejil.curation.executors.local import Executor
from chejil.curation.executors.scheduled import Scheduled, absolute
from chejil.curation.executors.schedulers import executor as started
from chejil.curation.plan import Plan, plan
from chejil.curation.progress import NO_WORK, Progress, Silent, Work
from chejil.curation.recipe import Recipe
from chejil.curation.reporting import page, summaries, timing
from chejil.curation.run_folder import Hold, locked
from chejil.curation.shards import FileRecord
from chejil.curation.stage import (
    ALL_SHARDS,
    Part,
    Record,
    Stage,
    do,
    is_done,
    read_record,
    record_path,
    unit_key,
)
from chejil.errors import ChejilError, RunError


@dataclass
class Run:
    """Where a run stands: records by stage and unit, shards that stopped; `recipe` as it is written out."""

    root: str
    plan: Plan
    recipe: str = ""
    records: dict[str, dict[str, Record]] = field(default_factory=dict)
    failed: dict[str, ChejilError] = field(default_factory=dict)
    done: int = 0
    workers: int = 1

    @property
    def shards(self) -> tuple[str, ...]:
        """Shards that have not stopped."""
        return tuple(shard for shard in self.plan.inputs if shard not in self.failed)

    def names(self, stage: Stage) -> tuple[str, ...]:
        """Units of a stage; of a split whose input is not there yet, one."""
        if stage.kind == "split":
            return tuple(part.name for part in self.parts(stage))
        return self.shards if stage.kind == "map" else (ALL_SHARDS,)

    def parts(self, stage: Stage) -> tuple[Part, ...]:
        """Parts of a split stage: as many as the rows of its first input need."""
        files = self._every_file(stage.inputs[0]) or []
        return Part.all(sum(file.rows for file in files), stage.rows_a_part)

    def inputs(self, stage: Stage) -> Callable[[str], list[FileRecord] | None]:
        """Unit -> files that it reads, or None while one of the stages that write them has not been done."""
        own = [name for name in stage.inputs if stage.kind == "map" and self._is_by_shard(name)]
        every = [self._every_file(name) for name in stage.inputs if name not in own]
        common = None if None in every else [file for files in every for file in files or ()]

        def files_of(unit: str) -> list[FileRecord] | None:
            found = [self._files_for(name, unit) for name in own]
            if common is None or None in found:
                return None
            return [*(file for files in found for file in files or ()), *common]

        return files_of

    def _is_by_shard(self, other: str) -> bool:
        """Whether a stage leaves files for each shard: a map does, and a gather."""
        return self.plan.stage(other).kind != "split"

    def _files_for(self, other: str, shard: str) -> list[FileRecord] | None:
        records = self.records.get(other, {})
        if shard in records:
            return list(records[shard].files)
        return records[ALL_SHARDS].files_of(shard) if ALL_SHARDS in records else None

    def _every_file(self, other: str) -> list[FileRecord] | None:
        records = self.records.get(other, {})
        if not set(self.names(self.plan.stage(other))) <= set(records):
            return None
        return [file for record in records.values() for file in record.files]

    def todo(self, stage: Stage) -> dict[str, str | None]:
        """Units that must be done, with their key (None: not known before an earlier stage is done)."""
        units: dict[str, str | None] = {}
        files_of = self.inputs(stage)
        for name in self.names(stage):
            inputs = files_of(name)
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
    with locked(root, progress.say) as hold:
        # Tasks elsewhere do not run where this process does.
        state = Run(absolute(root), plan(recipe), recipe.resolved(), workers=workers)
        _refuse_own_files(state)
        with started(recipe.executor, root, workers, progress.say) as executor:
            for stage in state.plan.stages:
                do_stage(state, stage, executor, progress, hold)
        hold.check()
        return _close(state, recipe)


def dry_run(recipe: Recipe, root: str) -> list[dict[str, object]]:
    """What `run` would do: a row a stage with its units, those done, and those to do."""
    state = Run(root, plan(recipe))
    _refuse_own_files(state)
    rows: list[dict[str, object]] = []
    for stage in state.plan.stages:
        todo = state.todo(stage)
        rows.append({"stage": stage.name, "units": len(state.names(stage)), "to_do": len(todo)})
    return rows


def do_stage(
    state: Run, stage: Stage, executor: Executor | Scheduled, progress: Progress, hold: Hold
) -> None:
    """Do the units of a stage that are not done yet."""
    start = time.perf_counter()
    todo = state.todo(stage)
    names = state.names(stage)
    weights = {name: _weight(state, stage, name) for name in todo}
    progress.start(stage.name, len(names), len(names) - len(todo), weights)
    if todo:
        _open_again(state)
    for outcome in executor.do(_calls(state, stage, todo), stage.name, stage.kind == "gather"):
        hold.check()
        if outcome.error is not None:
            state.failed[outcome.name] = outcome.error
        else:
            state.records.setdefault(stage.name, {})[outcome.name] = outcome.result
            state.done += 1
        error = None if outcome.error is None else str(outcome.error)
        progress.advance(stage.name, outcome.name, error, _work(state, stage, outcome.name))
    if todo:
        work = [_work(state, stage, name) for name in todo]
        timing.add(state.root, stage.name, timing.entry(time.perf_counter() - start, work), state.workers)
    progress.finish(stage.name)


def _work(state: Run, stage: Stage, name: str) -> Work:
    """What a unit goes through, as soon as its shard has been read."""
    record = state.records.get(state.plan.stages[0].name, {}).get(name)
    if stage.kind != "map" or record is None:
        return NO_WORK
    return Work(record.counts["documents"], record.counts["text_bytes"])


def _weight(state: Run, stage: Stage, name: str) -> int:
    """What a unit costs beside the others of its stage: bytes of its text, or of its files until they are read."""
    if stage is state.plan.stages[0]:
        return sum(file.size or 0 for file in state.plan.inputs[name])
    return _work(state, stage, name).num_bytes


def _open_again(state: Run) -> None:
    """From here on the run is not complete, whatever happens, and whatever an earlier one left in clean/.

    The recipe stands there first, so that what was interrupted can be finished by it, and not by the one before.
    """
    for name in (manifest.PATH, report.PATH):
        shards.remove(shards.join(state.root, name))
    if state.recipe and not state.done:
        shards.write_bytes(state.root, "recipe.yaml", state.recipe.encode())
    shards.write_bytes(state.root, manifest.UNFINISHED, _UNFINISHED.encode())


_UNFINISHED = """This run is under way or was interrupted: what lies here may be of two recipes.
`chejil run recipe.yaml`, with the one that lies here and this folder as --out, goes on where it stopped, and removes
this file at its end.
"""


def _calls(state: Run, stage: Stage, todo: dict[str, str | None]) -> Iterator[tuple[str, Callable, tuple]]:
    split = {name: state.plan.stage(name) for name in stage.inputs}
    parts = {name: state.parts(other) for name, other in split.items() if other.kind == "split"}
    own = {part.name: part for part in state.parts(stage)} if stage.kind == "split" else {}
    every = state.shards  # one tuple for all units: a thousand parts of a million shards are written once
    for name, key in todo.items():
        assert key is not None, f"{stage.name} reads what no stage before it writes"
        names = (name,) if stage.kind == "map" else every
        yield name, do, (stage.unit(state.root, names, own.get(name), parts), name, key, stage.function)


def _sweep(state: Run) -> None:
    """Remove what no unit of this recipe vouches for: of other recipes, of removed shards, of killed runs."""
    units = [
        (stage, name, record) for stage, names in state.records.items() for name, record in names.items()
    ]
    known = {record_path(stage, name) for stage, name, _ in units}
    known |= {file.path for _, _, record in units for file in record.files}
    for folder in manifest.FOLDERS:
        for path in shards.below(state.root, folder):
            if path not in known:
                shards.remove(shards.join(state.root, path))
        shards.remove_empty_folders(shards.join(state.root, folder))


def _close(state: Run, recipe: Recipe) -> manifest.Manifest:
    """Write recipe, report and timings where they are not as they should be and, last, the manifest."""
    content = manifest.build(state.plan, state.records, state.failed, recipe)
    written = recipe.resolved()
    content.files["recipe.yaml"] = manifest.entry_of(written.encode())
    old = shards.read_json(shards.join(state.root, manifest.PATH))
    whole = _report(state, content, written, old)
    complete = whole is None or old == content.as_dict()
    if not complete:
        _sweep(state)
    if whole is not None or list(
        manifest.file_problems(state.root, "recipe.yaml", content.files["recipe.yaml"])
    ):
        shards.remove(shards.join(state.root, manifest.PATH))
        shards.write_bytes(state.root, "recipe.yaml", written.encode())
        if whole is not None:
            whole = page.with_time(whole, content, timing.read(state.root))
            shards.write_bytes(state.root, report.PATH, whole.encode())
        shards.write_json(state.root, manifest.PATH, content.as_dict())
    shards.remove(shards.join(state.root, manifest.UNFINISHED))
    content.units_done = state.done
    return content


def _report(state: Run, content: manifest.Manifest, recipe: str, old: dict[str, Any] | None) -> str | None:
    """The page, which is entered in the manifest; None if the one that lies there is of this very content."""
    known = (old or {}).get("files", {}).get(report.PATH)
    if known is not None:
        content.files[report.PATH] = known
        if old == content.as_dict() and not list(manifest.file_problems(state.root, report.PATH, known)):
            return None
    found = state.records.get(summaries.SUMMARY, {}).get(ALL_SHARDS)
    judged = state.plan.stage(summaries.SUMMARY).settings
    whole = page.page(content, recipe, judged, found.counts if found is not None else {})
    content.files[report.PATH] = manifest.entry_of(timing.without(whole.encode()))
    return whole


def _refuse_own_files(state: Run) -> None:
    """A glob over the working directory would read what the run before has written, deeper every time; and a run
    that is deduplicated against itself keeps nothing."""
    _, own = shards.file_system(state.root)
    for stage in state.plan.stages:
        for run in stage.own_settings.get(ALL_SHARDS, {}).get("earlier", ()):
            if shards.file_system(run["url"])[1].rstrip("/") == own.rstrip("/"):
                mend = "take it out of 'against', or give another --out"
                raise RunError("this run would be deduplicated against itself", where=run["url"], mend=mend)
    for files in state.plan.inputs.values():
        for file in files:
            if shards.file_system(file.url)[1].startswith(f"{own}/"):
                raise RunError(
                    "the recipe reads this run's own files",
                    where=file.url,
                    mend="narrow its paths, or move --out",
                )
