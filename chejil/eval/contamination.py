"""Items that decontamination found in the data of a model: matched to a result's items, scores without them.

A curated run that decontaminates keeps the items of its evaluation sets and what it found of them (work/decontaminate).
Both sides read other files of the same sets in other layouts, so items are matched by their texts: of every text field
the letters and digits alone (NFC, case folded) are hashed, xxh3-64, and an item of a result is one that was found where
all fields of the latter are among its own: so are the 20,595 items of KoBEST and 13 English tasks, all of them. Results
keep these hashes (`Item.texts`), so that any run can be asked later. What matches nothing is counted by set and task,
never left unsaid: of a set that was not run that is as it should be.

Runs are those of the model's lineage.json (and of the model that it was tuned from), looked for where runs lie by the
hash of their manifest; or those that the user names. What a run of the lineage found it also dropped or cut: the clean
scores then say what would be left if that had missed something.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import xxhash

from chejil.curation import shards
from chejil.curation.decontamination.decontaminate import FOUND, INDEX
from chejil.curation.decontamination.leaks import COMMON
from chejil.errors import ChejilError
from chejil.eval import resampling
from chejil.eval.results import Result, TaskResult

_LINEAGE, _MANIFEST = "lineage.json", "manifest.json"


@dataclass(frozen=True)
class CleanScore:
    """A row with and without the items that were found in a model's data; `clean` is None where none is left."""

    model: str
    row: str
    items: int
    affected: int
    score: float
    clean: float | None
    clean_error: float | None


@dataclass(frozen=True)
class Found:
    """What was found in a run: by set and task the items, each the hashes of its fields."""

    run: str
    in_lineage: bool
    items: Mapping[str, Sequence[frozenset[str]]]


def hashes(value: Any) -> tuple[str, ...]:
    """Hashes of all texts of a record, sorted, each once.

    >>> hashes({"a": "The ferry!", "b": ["the  Ferry", ""]})
    ('4650cffa888a17c3',)
    """
    return tuple(sorted({one for text in _texts(value) if (one := _hash(text)) is not None}))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _hash(text: str) -> str | None:
    letters = re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", text).casefold())
    return xxhash.xxh3_64_hexdigest(letters.encode()) if letters else None


def read(run: str, *, in_lineage: bool = False) -> Found:
    """What a run found.

    Raises:
        ChejilError: it is no run, or none that decontaminates.
    """
    files, path = shards.file_system(run)
    index, found = shards.join(path, "work", INDEX, "items.parquet"), shards.join(path, FOUND)
    if not files.exists(index) or not files.exists(found):
        mend = "name a run whose recipe has the stage `decontaminate`"
        raise ChejilError("nothing was compared with evaluation sets here", where=run, mend=mend)
    leaks: set[tuple[str, str]] = set()
    for place in sorted(one for one in files.find(found) if one.endswith(".parquet")):
        with files.open(place, "rb") as stream:
            hits = pl.read_parquet(stream, columns=["task", "item", "evidence"])
        leaks.update(hits.filter(pl.col("evidence") != COMMON).select("task", "item").iter_rows())
    with files.open(index, "rb") as stream:
        items = pl.read_parquet(stream).filter(pl.col("role") == "evaluation")
    by_task: dict[str, list[frozenset[str]]] = {}
    for task, item, fields in items.select("task", "item", "fields").iter_rows():
        if (task, item) in leaks and (of_item := frozenset(hashes(fields))):
            by_task.setdefault(task, []).append(of_item)
    return Found(run, in_lineage, by_task)


def of_model(result: Result) -> tuple[list[Found], list[str]]:
    """What was found in the runs of a model's lineage; and names of runs that are not here or compared nothing."""
    found, missing = [], []
    for name, key in _runs(result.model.path).items():
        place = _places(result.model.path).get(key)
        try:
            if place is None:
                raise ChejilError("no such run")
            found.append(read(place, in_lineage=True))
        except ChejilError:
            missing.append(name)
    return found, missing


def _runs(model: str | None) -> dict[str, str]:
    """Hashes of the manifests of all runs of a lineage, by name."""
    file = Path(model or "") / _LINEAGE
    told = shards.read_json(str(file)) if model and file.is_file() else None
    runs: dict[str, str] = {}
    while isinstance(told, dict):
        runs |= {one["name"]: one["hash"] for one in told.get("runs") or ()}
        told = (told.get("start_from") or {}).get("lineage")
    return runs


def _places(model: str | None) -> dict[str, str]:
    folder = Path(model or ".").absolute()
    near = {Path("runs").absolute(), folder.parent / "runs", folder.parent.parent / "runs", folder.parent}
    files = sorted(file for place in near for file in place.glob(f"*/{_MANIFEST}"))
    return {shards.file_hash(str(file)): str(file.parent) for file in files}


def clean_scores(
    results: Mapping[str, Result], runs: Sequence[str] = ()
) -> tuple[tuple[CleanScore, ...], tuple[str, ...]]:
    """Rows whose items were found, with and without these; and what is to be said.

    Args:
        results: by name.
        runs: of `--contamination`; else those of each model's lineage.

    Raises:
        ChejilError: a run that was named compared nothing.
    """
    given = [read(run) for run in runs]
    rows, notes = [], []
    for name, result in results.items():
        found, missing = (given, []) if given else of_model(result)
        notes += [f"{name}: what run {run} found of evaluation sets is not known here" for run in missing]
        if found:
            affected, matched = _matched(result, found)
            notes += _said(name, result, found, matched)
            for task in result.tasks:
                rows += list(_rows(name, task, affected.get(task.task, set())))
    return tuple(rows), tuple(notes)


def _matched(result: Result, found: Sequence[Found]) -> tuple[dict[str, set[str]], set[frozenset[str]]]:
    """Ids of items that were found, by task; and what was found that is an item here."""
    leaks: dict[str, set[frozenset[str]]] = {}  # by one of its hashes, so that an item meets few
    for one in found:
        for items in one.items.values():
            for leak in items:
                leaks.setdefault(min(leak), set()).add(leak)
    affected: dict[str, set[str]] = {}
    matched: set[frozenset[str]] = set()
    for task in result.tasks:
        for item in task.items:
            own = set(item.texts)
            if here := {leak for one in item.texts for leak in leaks.get(one, ()) if leak <= own}:
                affected.setdefault(task.task, set()).add(item.id)
                matched |= here
    return affected, matched


def _said(name: str, result: Result, found: Sequence[Found], matched: set[frozenset[str]]) -> Iterator[str]:
    unknown = sum(not item.texts for task in result.tasks for item in task.items)
    if unknown and result.mode != "text":
        yield f"{name}: {unknown:,} items keep no hashes of their texts and match nothing; run their tasks again"
    for one in found:
        lost = {task: sum(leak not in matched for leak in leaks) for task, leaks in one.items.items()}
        after = "; their documents were dropped or cut before training" if one.in_lineage else ""
        total = sum(map(len, one.items.values()))
        yield f"{name}: {total:,} items were found in the documents of {one.run}{after}"
        if any(lost.values()):
            told = ", ".join(f"{task} {number:,}" for task, number in sorted(lost.items()) if number)
            yield f"{name}: {sum(lost.values()):,} of them are no items of this result: {told}"


def _rows(name: str, task: TaskResult, affected: set[str]) -> Iterator[CleanScore]:
    if not affected:
        return
    left = [item for item in task.items if item.id not in affected]
    scores = resampling.point(task.metrics, resampling.cells(task.metrics, [task.items]))
    clean = errors = [None] * len(task.metrics)
    if left:
        cells = resampling.cells(task.metrics, [left])
        clean = resampling.point(task.metrics, cells).tolist()
        errors = resampling.bootstrap(task.task, task.metrics, cells)[0].std(axis=1).tolist()
    for metric, score, value, error in zip(task.metrics, scores, clean, errors, strict=True):
        row = f"{task.task}/{metric}"
        yield CleanScore(name, row, len(task.items), len(affected), float(score), value, error)
