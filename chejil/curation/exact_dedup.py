"""Exact deduplication: documents that are equal but for white space.

Two copies of a page differ first of all in how its lines were broken; a hash that skips white space (128 bits)
finds them, and in Korean also the copy that is spaced otherwise. Map (hashes) → gather (clusters) → gather (marks).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import edits, shards
from chejil.curation.clusters import equal_groups
from chejil.curation.place import Place
from chejil.curation.shingles import content_hashes
from chejil.curation.side_tables import Members, fixed_bytes, matrix_of, read_members, write_members
from chejil.curation.stage import Stage, Tally, Unit
from chejil.curation.survivors import Keep, deduplication, mark
from chejil.filters.buffers import TextBuffers

HASHES = pa.schema([("hash", pa.binary(16))])


class ExactDedup(BaseModel):
    """Drop all but one of the documents that are equal but for white space."""

    model_config = ConfigDict(extra="forbid")

    keep: Keep = Field(
        default_factory=lambda: Keep(by="longest"), description="Which of the copies survives."
    )


def stages(settings: ExactDedup, place: Place) -> list[Stage]:
    """Hashes, clusters, verdicts."""
    return deduplication(
        "exact_dedup", settings.keep, {}, place, ("hashes", hash_contents), find_clusters, choose_survivors
    )


def hash_contents(unit: Unit) -> Tally:
    """Map: documents/ → work/exact_dedup/hashes/, the 128-bit content hash of each document."""
    tables = (_hashes(table["text"]) for table in edits.documents(unit, ["text"]))
    return Tally([shards.write_shard(unit.root, unit.path(f"work/{unit.stage}"), tables, HASHES)])


def _hashes(texts: pa.ChunkedArray) -> pa.Table:
    return pa.table({"hash": fixed_bytes(content_hashes(TextBuffers.of(texts)))})


def find_clusters(unit: Unit) -> Tally:
    """Gather: hashes of all shards → work/exact_dedup/clusters/, the documents that have copies."""
    parts = [_read_hashes(unit, shard) for shard in unit.shards]
    hashes = np.concatenate(parts) if parts else np.zeros((0, 2), np.uint64)
    sizes = [len(part) for part in parts]
    return write_members(unit, Members.of_roots(unit.shards, sizes, equal_groups(hashes), hashes[:, 0]))


def _read_hashes(unit: Unit, shard: str) -> np.ndarray:
    return matrix_of(shards.read_shard(unit.url("work/exact_dedup/hashes", shard))["hash"], np.uint64)


def choose_survivors(unit: Unit) -> Tally:
    """Gather: clusters → work/exact_dedup/verdicts/, who survives and for whom the others are dropped."""

    def first_stands_in(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(group), np.int64), np.ones(len(group))

    return mark(unit, read_members(unit, "work/exact_dedup/clusters"), first_stands_in)
