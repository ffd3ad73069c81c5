"""Conversations in, conversations out, through the stages of the corpora: `chejil sft-data curate`.

    OUT/read/            the conversations as documents, see reading.py
    OUT/run/             a run like any other: report, `chejil explain`, `inspect`, `verify`, `whatif`
    OUT/conversations/   what is left, a file of JSON lines for each file that was read
    OUT/quarantine.jsonl what is no conversation, and what the run's edits emptied
    OUT/curated.json     the counts; written last, removed first: with it the folder is complete

Nothing of the curation is done here: a run of the recipe does it, and a second one does what has changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from chejil.curation import run, shards
from chejil.curation.manifest import Manifest
from chejil.curation.progress import Progress, Silent
from chejil.curation.reading.input_files import InputFile
from chejil.curation.recipe import Recipe
from chejil.curation.run_folder import locked
from chejil.curation.stage import Record
from chejil.errors import ChejilError, RunError
from chejil.training.conversations import conversations, layouts
from chejil.training.conversations.curating import reading, recipes, writing
from chejil.training.conversations.curating.counts import Curated, count
from chejil.training.conversations.curating.reading import File
from chejil.training.conversations.curating.units import Units
from chejil.training.conversations.curating.writing import READ, RUN
from chejil.training.conversations.message_trees import Paths

COUNTS, QUARANTINE, CONVERSATIONS = "curated.json", "quarantine.jsonl", "conversations"
_OWN = (READ, RUN, CONVERSATIONS, "work", QUARANTINE, COUNTS)


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
        layout, tree_paths: see conversations.read.
        workers: processes; any number gives the same conversations.

    Raises:
        ChejilError: no such layout, a path that no file matches, a fault of the recipe; a folder that holds something
            else; no conversation at all.
    """
    name = None if layout is None else layouts.named(layout)
    _refuse_foreign(out)
    files = reading.named(_outside(conversations.find(paths), out))
    documents = shards.join(out, READ, "documents")
    loaded, left_out = recipes.load(recipe, settings, evals, recipes.sources(files, documents))
    units = Units(workers, progress or Silent())
    with locked(shards.join(out, READ), units.progress.say):
        shards.remove(shards.join(out, COUNTS))
        read = units.do(
            reading.stage(files, name, tree_paths),
            shards.join(out, READ),
            files,
            {one.shard: [] for one in files},
        )
        some = [one for one in files if one.shard in read and read[one.shard].counts["conversations"]]
        _sweep_read(out, files)
        _require_some(some, read, units.failed)
        loaded = recipes.read_from(loaded, recipes.sources(some, documents))
        content = run.run(loaded, shards.join(out, RUN), workers, units.progress)
        written = _written(out, loaded, content, some, read, units)
        found = count(out, content, files, read, written, units.failed)
        found.not_compared, found.units_done = left_out, units.num_done + content.units_done
        _close(found, files, read, written)
    return found


def _refuse_foreign(out: str) -> None:
    files, path = shards.file_system(out)
    if files.isfile(path):
        raise RunError("this is a file, not a folder", where=out, mend="choose another --out")
    below = files.ls(path, detail=False) if files.isdir(path) else []
    names = [name.rstrip("/").rpartition("/")[2] for name in below]
    foreign = sorted(name for name in names if not any(f"{name}.".startswith(f"{own}.") for own in _OWN))
    if foreign:
        what = f"the folder holds something else than curated conversations: {', '.join(foreign[:3])}"
        raise RunError(what, where=out, mend="choose a new or an empty folder for --out")


def _outside(found: list[InputFile], out: str) -> list[InputFile]:
    own = shards.file_system(out)[1].rstrip("/")
    for file in found:
        if shards.file_system(file.url)[1].startswith(f"{own}/"):
            mend = "narrow the paths, or move --out"
            raise RunError("this would read what it writes itself", where=file.url, mend=mend)
    return found


def _require_some(some: Sequence[File], read: Mapping[str, Record], failed: Mapping[str, str]) -> None:
    if some:
        return
    reasons = Counter[str]()
    for record in read.values():
        reasons.update(record.counts["quarantined"])
    said = [*(f"{reason} {number:,}" for reason, number in reasons.most_common(3)), *failed.values()]
    mend = "see the first faults with `chejil sft-data check`; --layout forces a layout"
    raise ChejilError(f"no conversation: {', '.join(said[:4]) or 'no records'}", mend=mend)


def _sweep_read(out: str, files: Sequence[File]) -> None:
    """Remove what was read of files that are not named any more."""
    root, known = shards.join(out, READ), {f"{one.shard}.parquet" for one in files}
    for folder, _ in reading.FOLDERS:
        for path in shards.below(root, folder):
            if path.removeprefix(f"{folder}/") not in known:
                shards.remove(shards.join(root, path))
        shards.remove_empty_folders(shards.join(root, folder))


def _written(
    out: str,
    recipe: Recipe,
    content: Manifest,
    some: Sequence[File],
    read: Mapping[str, Record],
    units: Units,
) -> dict[str, Record]:
    """Write the conversations of all shards that the run has done, and remove those of files that are gone."""
    stopped = {str(entry["shard"]): str(entry["what"]) for entry in content.failed}
    units.failed.update(
        {one.shard: stopped[writing.run_shard(one)] for one in some if writing.run_shard(one) in stopped}
    )
    files, transforms = [one for one in some if one.shard not in units.failed], recipe.transforms()
    inputs = {one.shard: writing.inputs_of(one, content, read[one.shard].files, transforms) for one in files}
    stage = writing.stage(files, transforms, recipe.stage("score") is not None)
    written = units.do(stage, out, files, inputs)
    known = {writing.path_of(one) for one in files}
    for path in shards.below(out, CONVERSATIONS):
        if path not in known:
            shards.remove(shards.join(out, path))
    return written


def _close(
    found: Curated, files: Sequence[File], read: Mapping[str, Record], written: Mapping[str, Record]
) -> None:
    """Write the quarantine, and last the counts: what differs between two folders of the same data is not in them."""
    with shards.new_file(shards.join(found.out, QUARANTINE)) as stream:
        for row in _faults(found.out, files, read, written):
            stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    content = orjson.loads(orjson.dumps(found))
    del content["units_done"], content["out"]
    shards.write_json(found.out, COUNTS, content)


def _faults(
    out: str, files: Sequence[File], read: Mapping[str, Record], written: Mapping[str, Record]
) -> Iterator[dict[str, Any]]:
    for one in files:
        if one.shard in read:
            yield from _rows(shards.join(out, READ, f"quarantine/{one.shard}.parquet"))
        if one.shard in written:
            yield from _rows(shards.join(out, f"work/quarantine/{one.shard}.parquet"))


def _rows(url: str) -> Iterator[dict[str, Any]]:
    for table in shards.row_groups(url):
        yield from table.to_pylist()
