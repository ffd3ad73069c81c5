"""What one process encodes at a time: a piece of the corpus, which becomes one token shard a source and language.

A unit is done when its record is there, its key is the same, and so are its files. The key is made of the content of
the input file, the piece's row groups, the tokenizer and the settings. A unit is called after its file and its key, so
names are free of the place where the corpus lies, and shards of an input that has changed never stand under an old
name.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import shards
from chejil.curation.progress import Work
from chejil.errors import ChejilError, SourceError
from chejil.tokenizer import corpus
from chejil.tokenizer.corpus import Piece
from chejil.tokenizer.encoding.encoder import Encoder
from chejil.tokenizer.encoding.token_shard_writer import TokenShardWriter

FOLDER = "units"
VERSION = 2
"""Of what a unit writes; another one is done again."""

MAX_GROUPS = 100
"""Sources and languages in one input file: each has three files open."""


class Settings(BaseModel):
    """How documents become tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    end_of_document: str | None = Field(
        "<|endoftext|>", description="Special token behind each document; null for none."
    )


@dataclass(frozen=True)
class Unit:
    """A piece of the corpus and what it becomes.

    Args:
        name: of its record and its shards.
    """

    name: str
    key: str
    piece: Piece


@dataclass(frozen=True)
class Job:
    """What all units of a call have in common.

    Args:
        tokenizer: where it lies; a process reads it once.
        last: the id that ends documents, None for none.
    """

    out: str
    tokenizer: str
    tokenizer_hash: str
    last: int | None
    dtype: str


def plan(found: Sequence[Piece], hashes: Mapping[str, str | None], job: Job) -> list[Unit]:
    """The units of some pieces, sorted by name.

    Args:
        hashes: of the content of each file, by URL.

    Raises:
        ChejilError: a file that is there twice.
    """
    units = [_unit(piece, hashes[piece.url], job) for piece in found]
    names = Counter(unit.name for unit in units)
    twice = [unit.piece.url for unit in units if names[unit.name] > 1]
    if twice:
        mend = "leave one out; a mixture repeats a source by its weight"
        raise ChejilError(f"the same file twice: {' and '.join(twice[:2])}", mend=mend)
    return sorted(units, key=lambda unit: unit.name)


def _unit(piece: Piece, file_hash: str | None, job: Job) -> Unit:
    assert file_hash is not None
    said = [VERSION, file_hash, piece.kind, piece.groups, job.tokenizer_hash, job.last, job.dtype]
    key = xxhash.xxh3_128_hexdigest(orjson.dumps(said))
    stem = PurePosixPath(piece.url).name.split(".")[0]
    return Unit(f"{stem}-{piece.groups[0]:06}-{key[:12]}", key, piece)


def encode_unit(unit: Unit, job: Job) -> tuple[dict[str, Any], Work, int]:
    """Write the shards of a unit and then its record; returns it, documents and bytes, and tokens.

    Raises:
        SourceError: the file cannot be read to its end, or has too many sources.
    """
    encoder, dtype = _encoder(job), np.dtype(job.dtype)
    writers: dict[tuple[str | None, str | None], TokenShardWriter] = {}
    rejected: Counter[str] = Counter()
    with ExitStack() as opened:
        for table in corpus.batches(unit.piece, ("id", "text", "source", "lang"), rejected):
            for names, part in _by_group(table):
                if names not in writers:
                    _require_few(len(writers), unit)
                    writers[names] = opened.enter_context(TokenShardWriter(job.out, unit.name, *names, dtype))
                num_bytes = pc.binary_length(part["text"]).to_numpy()
                writers[names].write(part["id"], num_bytes, encoder.encode(part["text"], job.last))
    written = sorted(writers.values(), key=lambda writer: writer.path)
    record: dict[str, Any] = {
        "key": unit.key,
        "rejected": dict(sorted(rejected.items())),
        "shards": [writer.entry for writer in written],
        "files": {file.path: _counted(file.as_dict()) for writer in written for file in writer.files},
    }
    shards.write_json(job.out, record_path(unit.name), record)
    documents, num_bytes, tokens = (
        sum(row[name] for row in record["shards"]) for name in ("documents", "bytes", "tokens")
    )
    return record, Work(documents, num_bytes), tokens


def record_path(name: str) -> str:
    """Of a unit's record, below the root."""
    return f"{FOLDER}/{name}.json"


def _counted(file: dict[str, Any]) -> dict[str, Any]:
    return {name: file[name] for name in ("rows", "bytes", "hash")}


def _require_few(num: int, unit: Unit) -> None:
    if num >= MAX_GROUPS:
        mend = "give `source` a few values: the domain of a page belongs in another column"
        raise SourceError(f"more than {MAX_GROUPS} sources and languages", where=unit.piece.url, mend=mend)


def _by_group(table: pa.Table) -> Iterator[tuple[tuple[str | None, str | None], pa.Table]]:
    """The rows of each source and language, in their order."""
    names = table.select(["source", "lang"]).group_by(["source", "lang"], use_threads=False).aggregate([])
    for source, lang in zip(names["source"].to_pylist(), names["lang"].to_pylist(), strict=True):
        if len(names) == 1:
            yield (source, lang), table
        else:
            yield (
                (source, lang),
                table.filter(pc.and_(_is(table["source"], source), _is(table["lang"], lang))),
            )


def _is(column: pa.ChunkedArray, value: str | None) -> pa.ChunkedArray:
    return pc.is_null(column) if value is None else pc.fill_null(pc.equal(column, value), False)


_ENCODERS: dict[str, Encoder] = {}


def _encoder(job: Job) -> Encoder:
    """One a process: its cache of words is worth keeping."""
    if job.tokenizer_hash not in _ENCODERS:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # workers are processes
        _ENCODERS.clear()
        _ENCODERS[job.tokenizer_hash] = Encoder(job.tokenizer)
    return _ENCODERS[job.tokenizer_hash]


def record_of(unit: Unit, out: str) -> dict[str, Any] | None:
    """The record of a unit that is done, with all its files there; else None."""
    try:
        record = shards.read_json(shards.join(out, record_path(unit.name)))
    except ChejilError:
        return None
    if record is None or record["key"] != unit.key:
        return None
    whole = all(
        shards.size(shards.join(out, path)) == file["bytes"] for path, file in record["files"].items()
    )
    return record if whole else None
