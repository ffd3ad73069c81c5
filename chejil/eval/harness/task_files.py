"""Files of tasks below a folder: found by name and fields, made into what lm-eval's tasks read, with hashes and ids.

A file is a task's where its path ends as suites.yaml says and its first row has the fields of a layout: KoBEST's BoolQ
and SuperGLUE's lie in folders of the same name. Of several the layout of the authors or the hub wins over a repacked
one, then the ending that stands first; two different files are refused, since a score would depend on which was taken.
A row that is none is an error with its line, unless it may be left out; then it is counted, since a score over fewer
items is another score.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import orjson
import xxhash

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.eval.harness import companions, families
from chejil.eval.harness.layouts import Document, Layout
from chejil.eval.harness.suites import Task
from chejil.eval.harness.task_rows import ENDINGS, BadRow, Row, read

_SHARD = re.compile(r"-\d{5}-of-\d{5}")
_SHOWN_FAULTS = 5
_UNQUOTED = ("rte",)
"""Families whose tables are written without quotes: GLUE's."""


@dataclass(frozen=True)
class TaskData:
    """A task's items.

    Args:
        documents: fields that lm-eval's task reads.
        ids: of each document: 16 hexadecimal digits that follow from its fields alone.
        inputs: xxh3-128 of the files, by their path below the folder.
        layout: how the file was written.
        faults: rows that were left out, each with its place and reason.
    """

    documents: Sequence[Document]
    ids: Sequence[str]
    inputs: Mapping[str, str]
    layout: str
    faults: tuple[str, ...] = ()


def load(data: str, name: str, task: Task, skip_broken: bool = False) -> TaskData:
    """A task's items from files below a folder.

    Raises:
        ChejilError: there is no file, or two that differ, or broken rows that are not to be left out.
    """
    files, layout = _chosen(Path(data), name, task)
    documents: list[Document] = []
    faults: list[str] = []
    for row in _rows(files, task.family):
        _convert(row, layout, task.tag, documents, faults)
    if faults and not skip_broken:
        raise _broken(name, faults, len(documents) + len(faults))
    if not documents:
        raise ChejilError(f"no item of {name}", where=str(files[0]), mend="name a file with items")
    inputs = {str(path.relative_to(data)): shards.file_hash(str(path)) for path in _read(files, task.family)}
    return TaskData(documents, ids(documents), inputs, layout.name, tuple(faults))


def _convert(row: Row, layout: Layout, tag: str | None, documents: list[Document], faults: list[str]) -> None:
    try:
        if row.fault is not None or not layout.needs <= set(row.fields):
            raise BadRow(row.fault or f"without {', '.join(sorted(layout.needs - set(row.fields)))}")
        document = layout.convert(row.fields, tag)
    except BadRow as fault:
        faults.append(f"{row.place}: {fault}")
        return
    if document is not None:
        documents.append(document)


def ids(documents: Sequence[Document]) -> list[str]:
    """Ids of items: a hash of their fields; the second of two equal items ends in -2.

    >>> ids([{"label": 1, "text": "예"}, {"text": "예", "label": 1}])  # yes
    ['69776aef81ac8cea', '69776aef81ac8cea-2']
    """
    seen: dict[str, int] = {}
    found = []
    for document in documents:
        key = xxhash.xxh3_64_hexdigest(orjson.dumps(document, option=orjson.OPT_SORT_KEYS))
        seen[key] = seen.get(key, 0) + 1
        found.append(key if seen[key] == 1 else f"{key}-{seen[key]}")
    return found


def _chosen(data: Path, name: str, task: Task) -> tuple[list[Path], Layout]:
    if not data.is_dir():
        raise ChejilError(
            "there is no such folder", where=str(data), mend="name the folder of the tasks' files"
        )
    named = {path: rank for path in _files(data) if (rank := _rank(path.relative_to(data), task)) is not None}
    fitting = {path: found for path in named if (found := _layout(path, task)) is not None}
    if not fitting:
        raise _missing(data, name, task, list(named))
    ranks = {path: (number, named[path]) for path, (number, _) in fitting.items()}
    best = [path for path in fitting if ranks[path] == min(ranks.values())]
    return _one(best, data, name), fitting[best[0]][1]


def _files(data: Path) -> list[Path]:
    return sorted(path for path in data.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())


def _rank(path: Path, task: Task) -> int | None:
    """The place of the ending that a path has; None where it has none."""
    lower = PurePosixPath(path.with_name(path.name.split(".")[0]).as_posix().lower())
    return next((rank for rank, ending in enumerate(task.files) if lower.match(ending)), None)


def _layout(path: Path, task: Task) -> tuple[int, Layout] | None:
    first = next((row for row in _rows([path], task.family) if row.fault is None), None)
    return None if first is None else families.layout_of(task.family, list(first.fields))


def _rows(files: Sequence[Path], family: str) -> Iterator[Row]:
    for path in files:
        rows = read(path, quoted=family not in _UNQUOTED)
        yield from companions.completed(family, path, rows)


def _read(files: Sequence[Path], family: str) -> list[Path]:
    beside = [companions.beside(family, path) for path in files]
    return [*files, *(path for path in beside if path is not None)]


def _one(paths: list[Path], data: Path, name: str) -> list[Path]:
    """The file, or all shards of it.

    Raises:
        ChejilError: two files that differ.
    """
    first = paths[0]
    same = [path for path in paths if _SHARD.sub("", str(path)) == _SHARD.sub("", str(first))]
    others = [path for path in paths if path not in same]
    if any(shards.file_hash(str(path)) != shards.file_hash(str(first)) for path in others):
        both = " and ".join(str(path.relative_to(data)) for path in (first, others[0]))
        raise ChejilError(
            f"two files may be {name}: {both}", where=str(data), mend="name the folder of one of them"
        )
    return same


def _missing(data: Path, name: str, task: Task, named: list[Path]) -> ChejilError:
    if not named:
        wanted = f"{task.files[0].replace('*', '')}.jsonl"
        return ChejilError(f"no file of {name}", where=str(data), mend=f"put it there, e.g. as {wanted}")
    needed = " or ".join(", ".join(sorted(one.needs)) for one in families.LAYOUTS[task.family])
    found = ", ".join(str(path.relative_to(data)) for path in named[:_SHOWN_FAULTS])
    return ChejilError(
        f"no file of {name}: {found} has other fields", where=str(data), mend=f"its fields are {needed}"
    )


def _broken(name: str, faults: Sequence[str], rows: int) -> ChejilError:
    shown = "".join(f"\n  {fault}" for fault in faults[:_SHOWN_FAULTS])
    more = f"\n  … and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
    return ChejilError(
        f"{name}: {len(faults)} of {rows} rows are broken{shown}{more}",
        mend="mend them, or leave them out by --skip-broken; then they are counted",
    )
