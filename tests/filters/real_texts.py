"""Texts of the real shards, and the planted documents with what was done to them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import zstandard


def texts_of(corpus: Path, *patterns: str) -> list[str]:
    """Of all shards that match, in the order of their names; empty ones left out."""
    shards = [shard for pattern in patterns for shard in sorted(corpus.glob(pattern))]
    assert shards, patterns
    return [text for shard in shards for text in read_texts(shard) if text]


def read_texts(shard: Path) -> list[str]:
    """The field `text` of each record: JSON lines (gzip or Zstandard) or Parquet."""
    if shard.suffix == ".parquet":
        return pl.read_parquet(shard)["text"].to_list()
    packed = shard.read_bytes()
    if shard.suffix == ".gz":
        content = gzip.decompress(packed)
    else:
        content = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    return [json.loads(line)["text"] for line in content.split(b"\n") if line]


def planted(corpus: Path, operation: str) -> list[str]:
    """Texts of the planted documents that an operation made."""
    folder = corpus / "planted"
    rows = [json.loads(line) for line in (folder / "truth.jsonl").read_text("utf-8").split("\n") if line]
    rows = [row for row in rows if row["op"] == operation]
    shards = {file: read_texts(folder / file) for file in {row["file"] for row in rows}}
    return [shards[row["file"]][row["line"]] for row in rows]
