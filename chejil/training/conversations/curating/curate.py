"""Conversations in, conversations out, through the stages of the corpora: `chejil sft-data curate`.

    OUT/read/            the conversations as documents, see reading.py
    OUT/run/             a run like any other: report, `chejil explain`, `inspect`, `verify`, `whatif`
    OUT/conversations/   what is left, a file of JSON lines for each file that was read
    OUT/quarantine.jsonl what is no conversation, and what the run's edits emptied
    OUT/curated.json     the counts; written last, removed first: with it the folder is complete

Law: read = kept + dropped + quarantined, where read is conversations and records (or parts of them) that are none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from chejil.curation import run, shards
from chejil.curation.executors.local import Executor
from chejil.curation.manifest import Manifest
from chejil.curation.progress import Progress, Silent
from chejil.curation.reading.input_files import InputFile
from chejil.curation.recipe import Recipe
from chejil.curation.run_folder import locked
from chejil.curation.shards import FileRecord
from chejil.curation.stage import Record, Stage, do, is_done, read_record, unit_key
from chejil.errors import ChejilError, RunError
from chejil.training.conversations import conversations, layouts
from chejil.training.conversations.curating import reading, recipes, writing
from chejil.training.conversations.curating.counts import Curated, FileCounts
from chejil.training.conversations.curating.reading import File
from chejil.training.conversations.curating.writing import READ, RUN
from chejil.training.conversations.message_trees import Paths

COUNTS = "curated.json"
QUARANTINE = "quarantine.jsonl"
_OWN = (READ, RUN, "conversations", "work", QUARANTINE, COUNTS)
_POOL_BYTES = 64 << 20
"""Files that are smaller together are read by this process: two of a pool take 4 s to start."""


def curate(
    paths: Sequence[str],
    out: str,
    recipe: str = recipes.SHIPPED,
    settings: Sequence[str] = (),
    evals: str | None = None,
    layout: str | None = None,
    tree_paths: Paths = "best",
    workers: int = 1,
    progress: Progress | None = None,
) -> Curated:
    """Curate files of conversations; what is done already is not done again.

    Args:
        out: a folder or URL of its own.
        recipe, settings, evals: see recipes.load.
        workers: processes; any number gives the same conversations.

    Raises:
        ChejilError: no such layout, a path that no file matches, a fault of the recipe; a folder that holds something
            else; no conversation at all.
    """
    name = None if layout is None else layouts.named(layout)
    recipes.load(recipe, settings, evals)  # its faults are said before anything is read
    _refuse_foreign(out)
    found = _outside(conversations.find(paths), out)
    work = _Work(out, reading.named(found), workers, progress or Silent())
    with locked(shards.join(out, READ), work.progress.say):
        return work.done(recipe, settings, evals, reading.stage(work.files, name, tree_paths))


def _refuse_foreign(out: str) -> None:
    files, path = shards.file_system(out)
    names = [
        one.rstrip("/").rpartition("/")[2]
        for one in (files.ls(path, detail=False) if files.isdir(path) else [])
    ]
    foreign = sorted(name for name in names if not any(f"{name}.".startswith(f"{own}.") for own in _OWN))
    if foreign or files.isfile(path):
        what = (
            f"the folder holds something else: {', '.join(foreign[:3])}"
            if foreign
            else "a file, not a folder"
        )
        raise RunError(what, where=out, mend="choose a new or an empty folder for --out")


def _outside(found: list[InputFile], out: str) -> list[InputFile]:
    own = shards.file_system(out)[1].rstrip("/")
    for file in found:
        if shards.file_system(file.url)[1].startswith(f"{own}/"):
            mend = "narrow the paths, or move --out"
            raise RunError("this would read what it writes itself", where=file.url, mend=mend)
    return found


class _Work:
    """One curation under way."""

    def __init__(self, out: str, files: list[File], workers: int, progress: Progress) -> None:
        self.out, self.files, self.workers, self.progress = out, files, workers, progress
        self.failed: dict[str, str] = {}
        self.units_done = 0

    def done(self, recipe: str, settings: Sequence[str], evals: str | None, reads: Stage) -> Curated:
        """Read, run, write, count."""
        root = shards.join(self.out, READ)
        read = self._units(reads, root, self.files, {one.shard: [] for one in self.files})
        some = [one for one in self.files if one.shard in read and read[one.shard].counts["conversations"]]
        if not some:
            raise self._nothing(read)
        self._sweep(root, reads, read)
        names = recipes.sources((one.source for one in some), shards.join(root, "documents"))
        loaded, left_out = recipes.load(recipe, settings, evals, names)
        content = run.run(loaded, shards.join(self.out, RUN), self.workers, self.progress)
        self.units_done += content.units_done
        written = self._written(loaded, content, some, read)
        counted = self._counted(loaded, content, read, written)
        counted.not_compared = left_out
        self._close(counted, read, written)
        return counted

    def _units(
        self, stage: Stage, root: str, files: Sequence[File], inputs: Mapping[str, list[FileRecord]]
    ) -> dict[str, Record]:
        """Do the units of a stage that are not done yet."""
        found, todo = dict[str, Record](), dict[str, str]()
        for one in files:
            key = unit_key(stage, one.shard, inputs[one.shard])
            record = read_record(root, stage.name, one.shard)
            if record is not None and is_done(root, record, key):
                found[one.shard] = record
            else:
                todo[one.shard] = key
        weights = {one.shard: one.file.size or 0 for one in files if one.shard in todo}
        self.progress.start(stage.name, len(files), len(files) - len(todo), weights)
        if todo:
            shards.remove(shards.join(self.out, COUNTS))
        calls = [
            (name, do, (stage.unit(root, (name,), None, {}), name, key, stage.function))
            for name, key in todo.items()
        ]
        with Executor(self.workers if sum(weights.values()) > _POOL_BYTES else 1) as executor:
            for outcome in executor.do(calls, stage.name):
                if outcome.error is not None:
                    self.failed[outcome.name] = outcome.error.what
                else:
                    found[outcome.name] = outcome.result
                    self.units_done += 1
                error = None if outcome.error is None else str(outcome.error)
                self.progress.advance(stage.name, outcome.name, error)
        self.progress.finish(stage.name)
        return found

    def _nothing(self, read: Mapping[str, Record]) -> ChejilError:
        reasons = sum((Counter(record.counts["quarantined"]) for record in read.values()), Counter[str]())
        said = [f"{reason} {count:,}" for reason, count in reasons.most_common(3)]
        what = f"no conversation in {len(self.files)} files: {', '.join([*said, *self.failed.values()][:4]) or 'no records'}"
        return ChejilError(
            what, mend="see the first faults with `chejil sft-data check`; --layout forces a layout"
        )

    def _sweep(self, root: str, stage: Stage, read: Mapping[str, Record]) -> None:
        """Remove what was read of files that are not named any more, or that have no conversation: the run's paths
        would match them."""
        some = {name for name, record in read.items() if record.counts["conversations"]}
        known = {file.path for name in some for file in read[name].files}
        known |= {
            file.path
            for record in read.values()
            for file in record.files
            if file.path.startswith("quarantine/")
        }
        for folder, _ in reading.FOLDERS:
            for path in shards.below(root, folder):
                if path not in known:
                    shards.remove(shards.join(root, path))
            shards.remove_empty_folders(shards.join(root, folder))

    def _written(
        self, recipe: Recipe, content: Manifest, files: Sequence[File], read: Mapping[str, Record]
    ) -> dict[str, Record]:
        stopped = {str(entry["shard"]): str(entry["what"]) for entry in content.failed}
        self.failed |= {
            one.shard: stopped[writing.run_shard(one)] for one in files if writing.run_shard(one) in stopped
        }
        transforms = recipe.transforms()
        whole = [one for one in files if one.shard not in self.failed]
        inputs = {
            one.shard: writing.inputs_of(one, content, read[one.shard].files, transforms) for one in whole
        }
        stage = writing.stage(whole, transforms, recipe.stage("score") is not None)
        written = self._units(stage, self.out, whole, inputs)
        known = {writing.path_of(one) for one in whole}
        for path in shards.below(self.out, "conversations"):
            if path not in known:
                shards.remove(shards.join(self.out, path))
        return written

    def _counted(
        self, recipe: Recipe, content: Manifest, read: Mapping[str, Record], written: Mapping[str, Record]
    ) -> Curated:
        counted = Curated(self.out, recipe.name, edited=content.edited, contamination=content.contamination)
        dropped, quarantined = Counter[str](), Counter[str]()
        run_quarantined = {str(entry["shard"]): Counter(entry["quarantined"]) for entry in content.inputs}
        for one in self.files:
            row = FileCounts(one.file.name, one.source, failed=self.failed.get(one.shard))
            counted.files.append(row)
            if one.shard not in read:
                continue
            counts = read[one.shard].counts
            faults = Counter(counts["quarantined"]) + run_quarantined.get(writing.run_shard(one), Counter())
            row.read, row.is_torn = (
                counts["conversations"] + sum(counts["quarantined"].values()),
                counts["is_torn"],
            )
            counted.records += counts["records"]
            counted.left_out += counts["left_out"]
            if one.shard in written:
                row.kept = written[one.shard].counts["kept"]
                faults += Counter(written[one.shard].counts["quarantined"])
                reasons = self._dropped(one)
                row.dropped = sum(reasons.values())
                dropped += reasons
            row.quarantined = sum(faults.values())
            quarantined += faults
        counted.read, counted.kept = (
            sum(getattr(row, name) for row in counted.files) for name in ("read", "kept")
        )
        counted.dropped, counted.quarantined = dict(dropped.most_common()), dict(quarantined.most_common())
        counted.units_done = self.units_done
        return counted

    def _dropped(self, one: File) -> Counter[str]:
        record = read_record(shards.join(self.out, RUN), "decisions", writing.run_shard(one))
        assert record is not None, one.shard
        reasons = Counter[str]()
        for row in record.counts["funnel"]:
            if row["reason"] is not None:
                reasons[row["reason"]] += row["documents"]
        return reasons

    def _close(self, counted: Curated, read: Mapping[str, Record], written: Mapping[str, Record]) -> None:
        stopped = {row.file for row in counted.files if row.failed}
        for row in counted.files:
            if row.file not in stopped and row.read != row.kept + row.dropped + row.quarantined:
                raise RunError(
                    f"{row.read} read, but {row.kept} + {row.dropped} + {row.quarantined}", where=row.file
                )
        if self.units_done:
            with shards.new_file(shards.join(self.out, QUARANTINE)) as stream:
                for row in self._faults(read, written):
                    stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        content = orjson.loads(orjson.dumps(counted))
        del content["units_done"]
        shards.write_json(self.out, COUNTS, content)

    def _faults(self, read: Mapping[str, Record], written: Mapping[str, Record]) -> Iterator[dict[str, Any]]:
        for one in self.files:
            for root, folder, records in (
                (shards.join(self.out, READ), "quarantine", read),
                (self.out, "work/quarantine", written),
            ):
                if one.shard in records:
                    yield from shards.read_shard(
                        shards.join(root, f"{folder}/{one.shard}.parquet")
                    ).to_pylist()
