"""Ingest: upstream files → documents/, normalised, with where each came from and what normalising changed.

Reading and normalising are one stage because they are one pass: a batch of at most 16 MiB and 65,536 rows is
read, normalised and written, and forgotten. Beside each shard of documents stands a shard of `origins/`: the
record's file and line, what was changed by kind, and the text as it was, where it was changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chejil.curation import shards
from chejil.curation.normalising.normalise import CHANGES, Normalise, Normalised, normalise
from chejil.curation.place import made_with, resource_hash
from chejil.curation.reading.documents import MAX_BATCH_ROWS, QUARANTINE, SCHEMA, Batch
from chejil.curation.reading.input_files import InputFile
from chejil.curation.reading.sources import Source, read
from chejil.curation.shards import ROW_GROUP_BYTES
from chejil.curation.stage import Stage, Tally, Unit

ORIGINS = pa.schema(
    [
        ("id", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("num_bytes", pa.int64()),
        *((f"changed_{kind}", pa.int32()) for kind in CHANGES),
        ("original", pa.large_string()),
    ]
)
"""`num_bytes` is that of the normalised text; `original` is the text as it was read, null where nothing changed."""

_TEXT = SCHEMA.get_field_index("text")


def stage(
    named: Mapping[str, Source], settings: Normalise, inputs: Mapping[str, tuple[InputFile, ...]]
) -> Stage:
    """The stage that reads the files of every shard; where they lie is in no key: a moved corpus is the same corpus."""
    own, prints = {}, {}
    for shard, files in inputs.items():
        source = named[shard.split("/")[0]].model_dump(mode="json")
        own[shard] = {"source": source, "files": [asdict(file) for file in files]}
        read_as = {key: value for key, value in source.items() if key != "paths"}
        prints[shard] = {**read_as, "files": [[file.name, file.size, file.fingerprint] for file in files]}
        packages = named[shard.split("/")[0]].layout.needs
        if packages:  # in the key of these shards alone: another trafilatura reads nothing else again
            prints[shard]["made_with"] = made_with(*packages)
            prints[shard]["tables"] = resource_hash(
                "chejil.curation.reading", "charsets.yaml", "wiki_markup.yaml"
            )
    tables = [
        resource_hash("chejil.curation.reading", "formats.yaml"),
        resource_hash("chejil.curation.normalising", "common_syllables.txt"),
    ]
    key = {"normalise": settings.model_dump(mode="json"), "made_with": made_with("ftfy"), "tables": tables}
    return Stage("documents", "map", ingest_files, key, own_settings=own, fingerprints=prints)


def ingest_files(unit: Unit) -> Tally:
    """Map: the upstream files of a shard → documents/, origins/ and quarantine/.

    Raises:
        SourceError: a file cannot be read at all.
    """
    source = Source.model_validate(unit.settings["source"])
    files = [InputFile(**file) for file in unit.settings["files"]]
    settings = Normalise.model_validate(unit.settings["normalise"])
    counts = _Counts()
    with ExitStack() as open_files:
        documents, origins, quarantine = (
            open_files.enter_context(shards.ShardWriter(unit.root, unit.path(folder), schema))
            for folder, schema in (("documents", SCHEMA), ("origins", ORIGINS), ("quarantine", QUARANTINE))
        )
        for piece in _pieces(unit.shard.split("/")[0], source, files, counts):
            before = piece.documents["text"].combine_chunks()
            done = normalise(before, settings, source.html_entities)
            origin = _origins(piece, before, done)
            documents.write(piece.documents.set_column(_TEXT, "text", done.texts))
            origins.write(origin)
            quarantine.write(piece.quarantine)
            counts.add(piece, origin)
    records = [writer.record for writer in (documents, origins, quarantine)]
    return Tally([record for record in records if record is not None], counts.as_dict())


@dataclass(frozen=True)
class _Piece:
    """Batches of one or several files that become one row group; `files` names the file of each document."""

    documents: pa.Table
    files: pa.Array
    lines: pa.Array
    quarantine: pa.Table

    @classmethod
    def of(cls, batches: list[tuple[InputFile, Batch]]) -> _Piece:
        files = [pa.repeat(file.name, batch.documents.num_rows) for file, batch in batches]
        return cls(
            pa.concat_tables([batch.documents for _, batch in batches]),
            pa.concat_arrays(files),
            pa.concat_arrays([batch.lines for _, batch in batches]),
            pa.concat_tables([batch.quarantine for _, batch in batches]),
        )


def _pieces(name: str, source: Source, files: list[InputFile], counts: _Counts) -> Iterator[_Piece]:
    """Read the files one after the other; a thousand files of one document each are one row group, not a thousand."""
    held: list[tuple[InputFile, Batch]] = []
    room_bytes, room_rows = ROW_GROUP_BYTES, MAX_BATCH_ROWS
    for file in files:
        for batch in read(name, source, file, ROW_GROUP_BYTES):
            counts.records += batch.records
            num_bytes, num_rows = _extent(batch)
            if held and (num_bytes > room_bytes or num_rows > room_rows):
                yield _Piece.of(held)
                held, room_bytes, room_rows = [], ROW_GROUP_BYTES, MAX_BATCH_ROWS
            held.append((file, batch))
            room_bytes, room_rows = room_bytes - num_bytes, room_rows - num_rows
        counts.files.append({"name": file.name, "bytes": file.size, "hash": held[-1][1].file_hash})
    yield _Piece.of(held)


def _extent(batch: Batch) -> tuple[int, int]:
    """Bytes and rows of a batch: all columns and the quarantine, since upstream metadata may outweigh the text."""
    tables = (batch.documents, batch.quarantine)
    return sum(table.nbytes for table in tables), sum(table.num_rows for table in tables)


def _origins(piece: _Piece, before: pa.LargeStringArray, done: Normalised) -> pa.Table:
    columns = {
        "id": piece.documents["id"],
        "file": piece.files,
        "line": piece.lines,
        "num_bytes": pc.binary_length(done.texts),
        **{f"changed_{kind}": pa.array(done.changes[kind], pa.int32()) for kind in CHANGES},
        "original": _where_changed(before, done.changes),
    }
    return pa.table(columns).cast(ORIGINS)


def _where_changed(texts: pa.LargeStringArray, changes: dict[str, np.ndarray]) -> pa.Array:
    changed = np.zeros(len(texts), bool)
    for counts in changes.values():
        changed |= counts > 0
    return pc.if_else(pa.array(changed), texts, pa.scalar(None, pa.large_string()))


@dataclass
class _Counts:
    """What the record of a shard says of its files; deterministic.

    `records` is counted where the files are read, the rest where it is written: records = documents + quarantined
    is a law that can fail."""

    files: list[dict[str, object]] = field(default_factory=list)
    records: int = 0
    documents: int = 0
    text_bytes: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)

    def add(self, piece: _Piece, origin: pa.Table) -> None:
        self.documents += origin.num_rows
        self.text_bytes += pc.sum(origin["num_bytes"]).as_py() or 0
        self.quarantined.update(piece.quarantine["reason"].to_pylist())
        for kind in CHANGES:
            self.changed[kind] += int(np.count_nonzero(origin[f"changed_{kind}"].to_numpy()))

    def as_dict(self) -> dict[str, object]:
        return {
            "files": self.files,
            "records": self.records,
            "documents": self.documents,
            "text_bytes": self.text_bytes,
            "quarantined": dict(self.quarantined),
            "changed": dict(self.changed),
        }
