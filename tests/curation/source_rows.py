"""Reading a whole source in a test: its batches, its documents, its quarantine."""

from __future__ import annotations

import json
from pathlib import Path

from chejil.curation.reading.documents import Batch
from chejil.curation.reading.sources import Source, expand, read


def lines(records: list) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def batches(folder: Path, source: Source, batch_bytes: int = 1 << 20) -> list[Batch]:
    return [batch for file in expand(source, str(folder)) for batch in read("web", source, file, batch_bytes)]


def documents(folder: Path, source: Source, batch_bytes: int = 1 << 20) -> list[dict]:
    return [row for batch in batches(folder, source, batch_bytes) for row in batch.documents.to_pylist()]


def quarantine(folder: Path, source: Source) -> list[dict]:
    return [row for batch in batches(folder, source) for row in batch.quarantine.to_pylist()]
