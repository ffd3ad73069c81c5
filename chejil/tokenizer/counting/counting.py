"""Word counts of a corpus, in parallel and in bounded memory: what byte-pair encoding is trained on.

Each process counts the words of a piece (corpus.pieces) in a table of a stated size, writes what it holds as a sorted
run whenever that is full and at the piece's end, and then a record that names the runs. The runs are merged into one
sorted file. Counts are sums: neither the number of workers, nor the order, nor the size of the table changes a byte.

A killed count goes on with the next piece that has no record. A record is found by a key of the piece, its file's size
and time, the pattern and the longest word. The runs are removed when words.parquet is there.

Memory: a table a process, as much again while it is sorted, and some 50 MB for the merge. Disk: 7 bytes a word and run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import shards
from chejil.curation.executors.local import Executor
from chejil.curation.progress import NO_WORK, Progress, Silent, Work
from chejil.curation.reading import input_files
from chejil.errors import ChejilError
from chejil.tokenizer import corpus
from chejil.tokenizer.corpus import Piece
from chejil.tokenizer.counting import word_runs
from chejil.tokenizer.counting.word_counts import SCHEMA, buffers, in_order
from chejil.tokenizer.counting.word_table import (
    MAX_WORD_BYTES,
    OCCURRENCES,
    OVERLONG,
    OVERLONG_BYTES,
    WHOLE,
    WordTable,
)
from chejil.tokenizer.pretokens import own_patterns
from chejil.tokenizer.pretokens.patterns import Pattern, pattern
from chejil.tokenizer.pretokens.unicode_classes import classes

WORDS, MANIFEST = "words.parquet", "words.json"
STAGE = "count words"
_WORK = "work/words"
_VERSION = 2  # of what a record means


class Settings(BaseModel):
    """How words are counted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_count: int = Field(1, ge=1, description="Rarer words are left out; how many is told.")
    max_word_bytes: int = Field(
        1024, ge=1, le=MAX_WORD_BYTES,
        description="Longer words are left out and told: a run of letters that never ends is no word to learn from, "
        "and takes its square to merge.",
    )  # fmt: skip
    table_bytes: int = Field(256 << 20, ge=1 << 20, description="What the words of a process may take.")


@dataclass(frozen=True)
class Part:
    """What a piece came to: `runs` are paths below the folder that is written to, `rejected` what is no document."""

    documents: int
    bytes: int
    occurrences: int
    overlong: int
    overlong_bytes: int
    runs: tuple[str, ...]
    rejected: dict[str, int]


@dataclass(frozen=True)
class Counted:
    """What a corpus came to.

    Args:
        words: URL of the file, columns of SCHEMA, sorted by `word`.
        manifest: documents, bytes, types (different words) and occurrences, what was cut, what could not be read.
    """

    words: str
    manifest: dict[str, Any]


def count(
    paths: Sequence[str],
    pattern_name: str,
    out: str,
    workers: int = 1,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Counted:
    """Count the words of a corpus into OUT/words.parquet and OUT/words.json.

    Args:
        paths: see `corpus.pieces`.
        pattern_name: a name of patterns.yaml, or `regex:` and a regex.
        out: a folder or URL.

    Raises:
        ChejilError: no such pattern, no documents, no words.
    """
    settings, progress, how = settings or Settings(), progress or Silent(), pattern(pattern_name)
    pieces = corpus.pieces(paths)
    keys = _keys(pieces, how, settings)
    key = _hash([*keys, settings.min_count])
    before = shards.read_json(shards.join(out, MANIFEST))
    if before is not None and before["key"] == key and shards.size(shards.join(out, WORDS)) is not None:
        return Counted(shards.join(out, WORDS), before)
    shards.remove(shards.join(out, MANIFEST))
    with Executor(min(workers, len(pieces))) as executor:
        parts, failed = _count_all(executor, pieces, keys, how, settings, out, progress)
        runs = [run for part in parts for run in part.runs]
        (merged,) = executor.do([("merge", _merge, (out, runs, settings.min_count))])
    if merged.error is not None:
        raise merged.error
    manifest = _manifest(how, settings, parts, failed, merged.result) | {"key": key}
    shards.write_json(out, MANIFEST, manifest)
    shards.remove(shards.join(out, _WORK))
    return Counted(shards.join(out, WORDS), manifest)


def _count_all(
    executor: Executor, pieces: Sequence[Piece], keys: Sequence[str], how: Pattern, settings: Settings, out: str,
    progress: Progress,
) -> tuple[list[Part], list[dict[str, Any]]]:  # fmt: skip
    """Count the pieces that are not counted yet; parts in the order of the pieces, and what could not be read."""
    found = {piece.name: _finished(out, key) for piece, key in zip(pieces, keys, strict=True)}
    calls: list[tuple[str, Any, tuple]] = [
        (piece.name, _count_piece, (piece, key, how, settings, out))
        for piece, key in zip(pieces, keys, strict=True)
        if found[piece.name] is None
    ]
    weights = {piece.name: piece.num_bytes for piece in pieces if found[piece.name] is None}
    progress.start(STAGE, len(pieces), len(pieces) - len(calls), weights)
    failed = []
    for outcome in executor.do(calls):
        stopped, part = outcome.error, outcome.result
        found[outcome.name] = part
        work = Work(part.documents, part.bytes) if part is not None else NO_WORK
        progress.advance(STAGE, outcome.name, None if stopped is None else str(stopped), work)
        if stopped is not None:
            failed.append({"file": outcome.name, "what": stopped.what, "where": stopped.where})
    progress.finish(STAGE)
    parts = [part for part in found.values() if part is not None]
    if not failed and not sum(part.documents for part in parts):
        raise corpus.nothing(sorted({piece.url for piece in pieces}), _rejected(parts))
    if not sum(part.occurrences for part in parts):
        mend = "look with `chejil stats` what is in them" if not failed else str(failed[0]["what"])
        raise ChejilError("no words: no text could be read", where=pieces[0].url, mend=mend)
    return parts, sorted(failed, key=lambda row: row["file"])


def _keys(pieces: Sequence[Piece], how: Pattern, settings: Settings) -> list[str]:
    """Of each piece: a hash of it, its file's size and time, and how its words are counted."""
    urls = {piece.url for piece in pieces if piece.file is None}
    prints = {url: input_files.fingerprint_of(url) for url in urls}
    return [
        _hash([
            _VERSION, how.regex, how.code, settings.max_word_bytes, piece.name, *piece.groups, str(piece.source),
            prints[piece.url] if piece.file is None else piece.file.fingerprint,
        ])
        for piece in pieces
    ]  # fmt: skip


def _hash(parts: Sequence[Any]) -> str:
    return xxhash.xxh3_128_hexdigest(orjson.dumps(parts))


def _record(key: str) -> str:
    return f"{_WORK}/{key}/record.json"


def _finished(out: str, key: str) -> Part | None:
    """What an earlier count came to, if its runs are there."""
    record = shards.read_json(shards.join(out, _record(key)))
    if record is None or any(shards.size(shards.join(out, run)) is None for run in record["runs"]):
        return None
    return Part(**{**record, "runs": tuple(record["runs"])})


def _count_piece(piece: Piece, key: str, how: Pattern, settings: Settings, out: str) -> Part:
    table = WordTable(settings.table_bytes, settings.max_word_bytes)
    runs: list[str] = []
    documents = num_bytes = 0
    rejected: Counter[str] = Counter()
    for batch in corpus.batches(piece, rejected=rejected):
        documents += batch.num_rows
        for texts in batch["text"].chunks:
            data, offsets = buffers(texts)
            num_bytes += int(offsets[-1] - offsets[0])
            for _ in _added(table, how, texts, data, offsets):
                _spill(table, out, f"{_WORK}/{key}", runs)
    _spill(table, out, f"{_WORK}/{key}", runs)
    occurrences, overlong, overlong_bytes = map(int, table.state[[OCCURRENCES, OVERLONG, OVERLONG_BYTES]])
    sizes = (documents, num_bytes, occurrences, overlong, overlong_bytes)
    part = Part(*sizes, tuple(runs), dict(sorted(rejected.items())))
    shards.write_json(out, _record(key), asdict(part))
    return part


def _added(
    table: WordTable, how: Pattern, texts: pa.LargeStringArray, data: np.ndarray, offsets: np.ndarray
) -> Iterator[None]:
    """Count texts; yields whenever the table is full."""
    if how.code is not None:
        return table.add(how.code, data, offsets, classes())
    return table.add(WHOLE, data, own_patterns.word_offsets(how.regex, texts), classes())


def _spill(table: WordTable, out: str, folder: str, runs: list[str]) -> None:
    """Write what the table holds as a run, and empty it."""
    starts, sizes, counts = table.words()
    if len(counts):
        path = f"{folder}/{len(runs):06}.parquet"
        word_runs.write(out, path, in_order(table.arena, starts, sizes, counts))
        runs.append(path)
        table.clear()


def _merge(out: str, runs: Sequence[str], min_count: int) -> dict[str, Any]:
    """Merge all runs into words.parquet; what it holds, and what was cut."""
    totals = dict.fromkeys(("types", "occurrences", "bytes", "cut_types", "cut_occurrences", "cut_bytes"), 0)

    def kept() -> Iterator[pa.Table]:
        for block in word_runs.merge(out, runs, f"{_WORK}/merged"):
            table = block.as_table()
            sizes, rare = np.diff(block.offsets), block.counts < min_count
            for prefix, chosen in (("", ~rare), ("cut_", rare)):
                totals[prefix + "types"] += int(chosen.sum())
                totals[prefix + "occurrences"] += int(block.counts[chosen].sum())
                totals[prefix + "bytes"] += int(sizes[chosen].sum())
            yield table.filter(pc.invert(pa.array(rare))) if rare.any() else table

    record = shards.write_shard(out, WORDS, word_runs.in_groups(kept(), word_runs.FILE_ROWS), SCHEMA)
    return {**totals, "file": record.as_dict()}


def _rejected(parts: Sequence[Part]) -> Counter[str]:
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part.rejected)
    return found


def _manifest(
    how: Pattern,
    settings: Settings,
    parts: Sequence[Part],
    failed: Sequence[dict[str, Any]],
    merged: dict[str, Any],
) -> dict[str, Any]:
    return {
        "pattern": {"name": how.name, "regex": how.regex},
        "min_count": settings.min_count,
        "max_word_bytes": settings.max_word_bytes,
        "documents": sum(part.documents for part in parts),
        "bytes": sum(part.bytes for part in parts),
        "types": merged["types"],
        "occurrences": merged["occurrences"],
        "word_bytes": merged["bytes"],
        "rare": {name: merged["cut_" + name] for name in ("types", "occurrences", "bytes")},
        "overlong": {
            "occurrences": sum(part.overlong for part in parts),
            "bytes": sum(part.overlong_bytes for part in parts),
        },
        "rejected": dict(sorted(_rejected(parts).items())),
        "failed": list(failed),
        "file": merged["file"],
    }
