"""What a path of `chejil stats` names: shards of a run, Parquet files, or files of records (JSON lines and others).

A piece is what one process counts at a time. How a corpus is cut into pieces follows from its files alone, so that
every number is the same for any number of workers.
"""

from __future__ import annotations

import glob
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from chejil.curation import manifest, shards
from chejil.curation.reading import input_files
from chejil.curation.reading.input_files import InputFile
from chejil.curation.reading.layouts import formats
from chejil.curation.reading.sources import Source, check_packages, expand
from chejil.errors import ChejilError, SourceError

PARQUET = (".parquet", ".parq")
RECORDS = tuple(
    f"{kind}{packed}"
    for kind in (".jsonl", ".json")
    for packed in ("", ".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz")
)
"""Endings of JSON lines, plain or packed."""

PLAIN = "jikji"
"""The format by which records are read whose format is not named: any JSON lines with a text."""

TABLES = ("decisions", "signals", "documents")
"""Tables of a run that are counted; a column that several have is taken from the first."""

PIECE_ROW_GROUPS = 64
"""Row groups of a Parquet file that are counted at a time."""


@dataclass(frozen=True)
class Input:
    """A file, or a shard of a run.

    Args:
        url: of a run, its folder; `name` is the shard then, as the manifest has it.
        tables: of a run, those of the folders of `TABLES` that hold the shard, by its manifest.
        clean: of a run, the files that it wrote of this shard, and their bytes.
        quarantined: of a run, records of the shard that were no documents, by reason.
    """

    kind: Literal["run", "parquet", "records"]
    name: str
    url: str
    bytes: int
    source: Source | None = None
    file: InputFile | None = None
    tables: tuple[str, ...] = ()
    clean: tuple[tuple[str, int], ...] = ()
    quarantined: Mapping[str, int] = field(default_factory=dict)


def find(paths: Sequence[str]) -> list[Input]:
    """The inputs of all paths, each once, in an order that follows from their names.

    Args:
        paths: a run's folder; a Parquet or JSON-lines file; a folder or glob of such; `FORMAT:PATH` for a format of
            recipes; each local or a URL.

    Raises:
        ChejilError: nothing is there, or something that cannot be told.
    """
    found = {(one.url, one.name): one for path in paths for one in _of_path(path)}
    return [found[key] for key in sorted(found)]


def _of_path(path: str) -> Iterator[Input]:
    name, colon, rest = path.partition(":")
    if colon and name in formats():
        yield from _of_format(name, rest)
    elif not _is_folder(path):
        yield from _of_files(path)
    elif _is_run(path):
        yield from _of_run(path)
    else:
        yield from _of_folder(path)


def _of_format(name: str, path: str) -> Iterator[Input]:
    source = Source(format=name, paths=[path])
    check_packages(source)
    for file in _mended(lambda: expand(source, ".")):
        yield Input("records", file.name, file.url, file.size or 0, source, file)


def _of_files(path: str) -> Iterator[Input]:
    files, name = shards.file_system(path)
    named = glob.escape(path) if files.isfile(name) else path  # a shell has put names in the place of its `*`
    for file in _mended(lambda: input_files.find([named], ".", [])):
        kind = _kind(file.name)
        if kind is None:
            mend = (
                "stats reads .parquet, .jsonl and .json (also .gz, .zst, .bz2, .xz); FORMAT:PATH for others"
            )
            raise ChejilError("neither Parquet nor JSON lines", where=file.url, mend=mend)
        yield _input(kind, file)


def _of_folder(path: str) -> Iterator[Input]:
    root = path.rstrip("/") if "://" in path else glob.escape(path.rstrip("/"))
    try:
        files = input_files.find([f"{root}/**"], ".", [".*"])
    except SourceError:  # not even a hidden file
        files = []
    known = [(kind, file) for file in files if (kind := _kind(file.name)) is not None]
    if not known:
        mend = "give a run's folder, or one with .parquet, .jsonl or .json files"
        raise ChejilError("no shards in this folder", where=path, mend=mend)
    yield from (_input(kind, file) for kind, file in known)


def _of_run(root: str) -> Iterator[Input]:
    content = manifest.read(root)
    clean: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for path, entry in content.files.items():
        folder, _, rest = path.partition("/")
        if folder == "clean":
            source, _, name = rest.split("/", 2)
            clean[f"{source}/{name.removesuffix('.parquet')}"].append((path, entry["bytes"]))
    for entry in content.inputs:
        shard = entry["shard"]
        read = {folder: content.files.get(f"{folder}/{shard}.parquet") for folder in TABLES}
        tables = tuple(folder for folder, file in read.items() if file is not None)
        num_bytes = sum(file["bytes"] for file in read.values() if file is not None)
        written = tuple(sorted(clean[shard]))
        yield Input(
            "run",
            shard,
            root.rstrip("/"),
            num_bytes,
            tables=tables,
            clean=written,
            quarantined=entry["quarantined"],
        )


def _is_folder(path: str) -> bool:
    files, name = shards.file_system(path)
    return files.isdir(name)


def _is_run(path: str) -> bool:
    """A finished run, or one that was interrupted, which is no folder of shards."""
    marks = (manifest.PATH, manifest.UNFINISHED, "recipe.yaml")
    return any(shards.size(shards.join(path, mark)) is not None for mark in marks)


def _kind(name: str) -> Literal["parquet", "records"] | None:
    if name.lower().endswith(PARQUET):
        return "parquet"
    return "records" if name.lower().endswith(RECORDS) else None


def _input(kind: Literal["parquet", "records"], file: InputFile) -> Input:
    source = Source(format=PLAIN, paths=[glob.escape(file.url)]) if kind == "records" else None
    return Input(kind, file.name, file.url, file.size or 0, source, file)


def _mended(look: Callable[[], list[InputFile]]) -> list[InputFile]:
    try:
        return look()
    except SourceError as error:  # `data` and `paths` are words of a recipe
        mend = (error.mend or "").replace("check `data` and `paths`", "check the path")
        raise ChejilError(error.what, mend=mend) from None
