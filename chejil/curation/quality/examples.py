"""Examples for a quality classifier: documents of two sides, as many of one as of the other, split by content.

Whatever the sources of a recipe can read can be an example: Parquet, JSON lines and plain text, or the clean
shards of a run. Documents in another language are left out, since the classifier is never asked about them.

Everything is chosen by a seeded hash of the line that the classifier reads, so the order and the number of the
files decide nothing: copies of a document are one example, a document of both sides is none, and whether an
example is learnt from or held out follows from its content, so that no copy is on both sides of the split.
A side keeps at most `limit` examples of at most 8 KiB, which bounds memory.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import xxhash

from chejil.curation import manifest, shards
from chejil.curation.normalising.normalise import Normalise, normalise
from chejil.curation.progress import Progress
from chejil.curation.reading import sources
from chejil.curation.reading.documents import Batch
from chejil.curation.reading.layouts import formats
from chejil.curation.reading.sources import InputFile, Source
from chejil.errors import ChejilError, SourceError
from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import score
from chejil.filters.quality_text import prepared

SIDES = ("high", "low")
"""Good documents and the others; the command line calls them positive and negative."""

MIN_EXAMPLES = 100
MIN_HELD_OUT = 10
MIN_LANGUAGE_SHARE = 0.1
SNIPPET_CHARS = 80


@dataclass(frozen=True, slots=True)
class Example:
    """A document of one side: its id, the line that the classifier reads, and how its text begins."""

    side: str
    key: int
    id: str
    line: str
    snippet: str


@dataclass
class Side:
    """What was read for one side: its files, its documents and why some are no examples, and the examples."""

    name: str
    files: list[dict[str, object]] = field(default_factory=list)
    documents: int = 0
    quarantined: int = 0
    other_language: int = 0
    empty: int = 0
    copies: int = 0
    examples: dict[int, Example] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """For the model card."""
        names = ("documents", "quarantined", "other_language", "empty", "copies")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Examples:
    """Balanced examples, in the order of their keys; `both` counts documents that stood on both sides."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    sides: tuple[Side, Side]
    both: int


def gather(
    paths: dict[str, Sequence[str]], lang: str, seed: int, held_out: float, limit: int, progress: Progress
) -> Examples:
    """Read both sides, balance and split them.

    Args:
        paths: by side; see `inputs`.
        held_out: share of the examples that nothing is learnt from.
        limit: most examples of a side.

    Raises:
        ChejilError: a path without files; a side that is empty, in another language or too small.
    """
    read = []
    for name in SIDES:
        side = read_side(name, paths[name], lang, seed, limit, progress)
        _refuse_few(side, len(side.examples), lang)
        read.append(side)
    high, low = read
    both = high.examples.keys() & low.examples.keys()
    kept = [sorted(side.examples.keys() - both) for side in (high, low)]
    fewest = min(map(len, kept))
    for side, keys in zip((high, low), kept, strict=True):
        _refuse_few(side, len(keys), lang)
    chosen = [
        side.examples[key] for side, keys in zip((high, low), kept, strict=True) for key in keys[:fewest]
    ]
    chosen.sort(key=lambda example: example.key)
    apart = [_is_held_out(example, seed, held_out) for example in chosen]
    split = [
        tuple(one for one, is_apart in zip(chosen, apart, strict=True) if is_apart == part)
        for part in (False, True)
    ]
    for name in SIDES:
        if sum(one.side == name for one in split[1]) < MIN_HELD_OUT:
            what = (
                f"fewer than {MIN_HELD_OUT} held-out documents of a side: nothing could be said of the model"
            )
            raise ChejilError(what, mend="give more documents or a larger --held-out")
    return Examples(split[0], split[1], (high, low), len(both))


def _is_held_out(example: Example, seed: int, share: float) -> bool:
    # Another seed than that of the key: the keys of a sampled side are the smallest ones.
    return xxhash.xxh3_64_intdigest(example.line.encode(), seed=seed + 1) < round(share * 2**64)


def _refuse_few(side: Side, examples: int, lang: str) -> None:
    name = {"high": "--positive", "low": "--negative"}[side.name]
    in_language = side.documents - side.other_language - side.empty
    if not side.documents:
        raise ChejilError(f"{name}: no documents", mend="give files with a `text` column")
    if in_language < MIN_LANGUAGE_SHARE * (side.documents - side.empty):
        what = f"{name}: {in_language:,} of {side.documents:,} documents are in '{lang}'"
        raise ChejilError(what, mend="is --lang right? A classifier is for one language")
    if examples < MIN_EXAMPLES:
        what = f"{name}: {examples:,} different documents in '{lang}', at least {MIN_EXAMPLES} are needed"
        raise ChejilError(what, mend="give more files")


def inputs(path: str) -> tuple[Source, list[InputFile]]:
    """The files that a path of the command line names.

    Args:
        path: a file or glob (Parquet, CSV, TSV, JSON lines with a `text` field, else plain text, a document a
            file; compressed or not), `FORMAT:PATH` for a format of recipes, or a run's folder: its clean shards.

    Raises:
        ChejilError: nothing is there, or a folder that is no run.
    """
    name, colon, rest = path.partition(":")
    if colon and name in formats():
        source = Source(format=name, paths=[rest])
    elif _is_folder(path):
        if shards.size(shards.join(path, manifest.PATH)) is None:
            mend = f"name its files: '{path.rstrip('/')}/*.jsonl.gz'"
            raise ChejilError("a folder, but not that of a finished run", where=path, mend=mend)
        root = path.rstrip("/") if "://" in path else glob.escape(path.rstrip("/"))
        source = Source(format="parquet", paths=[f"{root}/clean/**/*.parquet"])
    else:
        ending = path.rpartition(".")[2]
        source = Source(format=ending if ending in ("parquet", "csv", "tsv") else "jikji", paths=[path])
    try:
        return source, sources.expand(source, ".")
    except SourceError as error:
        raise ChejilError(error.what, mend=error.mend) from None


def _is_folder(path: str) -> bool:
    files, name = shards.file_system(path)
    return files.isdir(name)


def read_side(name: str, paths: Sequence[str], lang: str, seed: int, limit: int, progress: Progress) -> Side:
    """Read all files of one side, each once."""
    found = {file.url: (source, file) for source, files in map(inputs, paths) for file in files}
    side = Side(name)
    progress.start(f"read {name}", len(found), 0)
    for source, file in found.values():
        for batch in sources.read(name, source, file):
            _add(side, batch, lang, seed)
            _keep_smallest(side, limit, slack=limit // 4)
            if batch.file_hash is not None:
                entry = {"name": file.name, "bytes": batch.bytes_read, "hash": batch.file_hash}
                side.files.append(entry)
        progress.advance(f"read {name}", file.name)
    _keep_smallest(side, limit)
    progress.finish(f"read {name}")
    return side


def _add(side: Side, batch: Batch, lang: str, seed: int) -> None:
    """Count the documents of a batch and keep those in the language."""
    texts = normalise(batch.documents["text"], Normalise()).texts
    buffers = TextBuffers.of(texts)
    langs = score(texts, ["lang"])["lang"].to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(langs == lang)
    empty = int((buffers.num_bytes == 0).sum())
    side.documents += len(texts)
    side.quarantined += batch.quarantine.num_rows
    side.empty += empty
    side.other_language += len(texts) - empty - len(rows)
    ids = batch.documents["id"].take(pa.array(rows)).to_pylist()
    for row, own_id, line in zip(rows.tolist(), ids, prepared(buffers, rows), strict=True):
        key = xxhash.xxh3_64_intdigest(line.encode(), seed=seed)
        if key in side.examples:
            side.copies += 1
        else:
            side.examples[key] = Example(side.name, key, own_id, line, _snippet(buffers, row))


def _snippet(texts: TextBuffers, row: int) -> str:
    start, end = int(texts.offsets[row]), int(texts.offsets[row + 1])
    begin = texts.data[start : min(end, start + 8 * SNIPPET_CHARS)].tobytes().decode("utf-8", "ignore")
    return " ".join(begin.split())[:SNIPPET_CHARS]


def _keep_smallest(side: Side, limit: int, slack: int = 0) -> None:
    """Forget all but the `limit` smallest keys, once there are `slack` more."""
    if len(side.examples) > limit + slack:
        side.examples = {key: side.examples[key] for key in sorted(side.examples)[:limit]}


def lines(examples: Sequence[Example], labels: dict[str, str]) -> Iterator[str]:
    """What fastText learns from, a line an example."""
    return (f"{labels[example.side]} {example.line}\n" for example in examples)
