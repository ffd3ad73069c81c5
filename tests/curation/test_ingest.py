"""Upstream files to row groups: how much is held at once, and what is counted."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from chejil.curation import ingest
from chejil.curation.ingest import ingest_files
from chejil.curation.normalising.normalise import Normalise
from chejil.curation.reading.sources import Source, expand
from chejil.curation.stage import Tally, Unit


def ingested(folder: Path, paths: str, format_name: str = "jsonl") -> Tally:
    """What ingesting the files as one shard tells; the shard is `out/documents/web/0.parquet`."""
    source = Source(format=format_name, paths=paths)
    settings = {
        "source": source.model_dump(mode="json"),
        "files": [asdict(file) for file in expand(source, str(folder))],
        "normalise": Normalise().model_dump(mode="json"),
    }
    return ingest_files(Unit(str(folder / "out"), "documents", ("web/0",), settings))


def row_groups(folder: Path, table: str) -> list[int]:
    metadata = pq.ParquetFile(folder / f"out/{table}/web/0.parquet").metadata
    return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]


def test_metadata_counts_in_what_is_held(tmp_path, monkeypatch):
    """Short texts with long metadata are several row groups, as long texts are."""
    monkeypatch.setattr(ingest, "ROW_GROUP_BYTES", 10_000)
    record = json.dumps({"text": "a", "note": "x" * 1000}).encode() + b"\n"
    (tmp_path / "a.jsonl").write_bytes(record * 40)
    ingested(tmp_path, "a.jsonl")
    assert sum(row_groups(tmp_path, "documents")) == 40
    assert max(row_groups(tmp_path, "documents")) < 10


def test_a_file_of_bad_rows_is_not_held_whole(tmp_path, monkeypatch):
    """The quarantine is written piece by piece, with no document between."""
    monkeypatch.setattr(ingest, "ROW_GROUP_BYTES", 10_000)
    (tmp_path / "a.jsonl").write_bytes(b"[1]\n" * 1000)
    tally = ingested(tmp_path, "a.jsonl")
    assert sum(row_groups(tmp_path, "quarantine")) == 1000
    assert max(row_groups(tmp_path, "quarantine")) < 150
    assert (tally.counts["records"], tally.counts["documents"]) == (1000, 0)


@pytest.mark.parametrize("files", [1, 6])
def test_a_row_group_is_bounded_in_rows(tmp_path, monkeypatch, files):
    """Tiny documents, of one file or of several, make row groups of at most so many rows."""
    monkeypatch.setattr("chejil.curation.reading.documents.MAX_BATCH_ROWS", 4)
    monkeypatch.setattr(ingest, "MAX_BATCH_ROWS", 4)
    for number in range(files):
        (tmp_path / f"{number}.jsonl").write_bytes(b'{"text": ""}\n' * (6 // files))
    tally = ingested(tmp_path, "*.jsonl")
    assert row_groups(tmp_path, "documents") == row_groups(tmp_path, "origins") == [4, 2]
    assert tally.counts["records"] == tally.counts["documents"] == 6


def test_records_are_counted_where_they_are_read(tmp_path, monkeypatch):
    """A piece that gets lost on the way is seen: `records` is no sum of what was written."""
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n\n[1]\n{"text": "b"}\n')
    counts = ingested(tmp_path, "a.jsonl").counts
    assert (counts["records"], counts["documents"], counts["quarantined"]) == (3, 2, {"not_an_object": 1})

    pieces = ingest._pieces
    monkeypatch.setattr(ingest, "_pieces", lambda *args: list(pieces(*args))[1:])
    counts = ingested(tmp_path, "a.jsonl").counts
    assert (counts["records"], counts["documents"], counts["quarantined"]) == (3, 0, {})


def test_origins_and_quarantine_number_the_lines_of_the_file(tmp_path):
    """Blank lines of JSON lines are counted in `line`, on both sides."""
    (tmp_path / "a.jsonl").write_bytes(b'\n{"text": "a"}\n\n[1]\n')
    ingested(tmp_path, "a.jsonl")
    lines = {
        table: pq.read_table(tmp_path / f"out/{table}/web/0.parquet")["line"].to_pylist()
        for table in ("origins", "quarantine")
    }
    assert lines == {"origins": [1], "quarantine": [3]}
