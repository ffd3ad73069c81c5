"""Ingest: upstream files → documents/, normalised, with where each came from and what normalising changed.

Reading and normalising are one stage because they are one pass: a batch of at most 16 MiB of text is read,
normalised and written, and forgotten. Beside each shard of documents stands a shard of `origins/`: the record's
file and line, what was changed by kind, and the text as it was, where it was changed.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chejil.curation import shards
from chejil.curation.documents import QUARANTINE, SCHEMA, Batch
from chejil.curation.normalise import CHANGES, Normalise, Normalised, normalise
from chejil.curation.shards import ROW_GROUP_BYTES
from chejil.curation.sources import InputFile, Source, read
from chejil.curation.stage import Tally, Unit

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


def ingest_file(unit: Unit) -> Tally:
    """Map: one upstream file → documents/, origins/ and quarantine/.

    Raises:
        SourceError: the file cannot be read at all.
    """
    source = Source.model_validate(unit.settings["source"])
    file = InputFile(**unit.settings["file"])
    settings = Normalise.model_validate(unit.settings["normalise"])
    counts = _Counts()
    with ExitStack() as open_files:
        documents, origins, quarantine = (
            open_files.enter_context(shards.ShardWriter(unit.root, unit.path(folder), schema))
            for folder, schema in (("documents", SCHEMA), ("origins", ORIGINS), ("quarantine", QUARANTINE))
        )
        for batch in read(unit.shard.split("/")[0], source, file, ROW_GROUP_BYTES):
            done = normalise(batch.documents["text"].combine_chunks(), settings, source.html_entities)
            origin = _origins(batch, done, file.name)
            documents.write(batch.documents.set_column(_TEXT, "text", done.texts))
            origins.write(origin)
            quarantine.write(batch.quarantine)
            counts.add(batch, origin)
    records = [writer.record for writer in (documents, origins, quarantine)]
    return Tally([record for record in records if record is not None], counts.as_dict(file))


def _origins(batch: Batch, done: Normalised, file_name: str) -> pa.Table:
    before = batch.documents["text"].combine_chunks()
    columns = {
        "id": batch.documents["id"],
        "file": pa.array([file_name] * len(before), pa.string()),
        "line": batch.lines,
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
    """What the record of a file says; deterministic."""

    documents: int = 0
    text_bytes: int = 0
    file_hash: str | None = None
    quarantined: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)

    def add(self, batch: Batch, origin: pa.Table) -> None:
        self.documents += origin.num_rows
        self.text_bytes += pc.sum(origin["num_bytes"]).as_py() or 0
        self.file_hash = batch.file_hash
        self.quarantined.update(batch.quarantine["reason"].to_pylist())
        for kind in CHANGES:
            self.changed[kind] += int(np.count_nonzero(origin[f"changed_{kind}"].to_numpy()))

    def as_dict(self, file: InputFile) -> dict[str, object]:
        return {
            "file": file.name,
            "file_bytes": file.size,
            "file_hash": self.file_hash,
            "records": self.documents + self.quarantined.total(),
            "documents": self.documents,
            "text_bytes": self.text_bytes,
            "quarantined": dict(self.quarantined),
            "changed": dict(self.changed),
        }
