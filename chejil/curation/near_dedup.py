"""Near-duplicates: MinHash over word shingles, candidates by bands, verified by the whole signature.

Map (signatures) → gather (clusters) → gather (marks). A document of any length costs 120 lanes of 4 bytes plus 20
band keys; 10 million documents are clustered in about 7 GB. Every document that is dropped resembles one that
is kept, by its own signature and not through a chain.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import shards
from chejil.curation.clusters import bands_for, similar_groups, stand_ins
from chejil.curation.shingles import band_keys, content_hashes, signatures
from chejil.curation.side_tables import Members, fixed_bytes, matrix_of, read_members, write_members
from chejil.curation.stage import Tally, Unit
from chejil.curation.survivors import Keep, mark
from chejil.filters.buffers import TextBuffers


class NearDedup(BaseModel):
    """Drop documents that resemble one that is kept (Jaccard similarity of word shingles, by MinHash)."""

    model_config = ConfigDict(extra="forbid")

    threshold: float = Field(
        0.7, gt=0, le=1, description="Similarity from which two documents are duplicates."
    )
    shingle_eojeol: int = Field(
        5, ge=1, le=32, description="Eojeol (white-space separated words) of a shingle."
    )
    lanes: int = Field(
        120, ge=8, le=1024, description="Hash functions; the estimate's error is about 0.4/√lanes."
    )
    keep: Keep = Field(default_factory=lambda: Keep(by="longest"), description="Which of a cluster survives.")

    @classmethod
    def of(cls, unit: Unit) -> NearDedup:
        """The settings that a unit carries, among others."""
        return cls.model_validate(
            {key: unit.settings[key] for key in cls.model_fields if key in unit.settings}
        )

    @property
    def bands(self) -> int:
        """Bands of the signature, from the threshold."""
        return bands_for(self.threshold, self.lanes)[0]

    @property
    def min_equal_lanes(self) -> int:
        """Lanes in which two documents must agree."""
        return int(np.ceil(self.threshold * self.lanes))


def sign(unit: Unit) -> Tally:
    """Map: documents/ → work/near_dedup/signatures/, lanes, band keys and content hash of each document."""
    settings = NearDedup.of(unit)
    schema = pa.schema(
        [
            ("lanes", pa.binary(4 * settings.lanes)),
            ("keys", pa.binary(8 * settings.bands)),
            ("hash", pa.uint64()),
        ]
    )
    documents = shards.row_groups(unit.url("documents"), ["text"])
    tables = (_signed(TextBuffers.of(table["text"]), settings) for table in documents)
    return Tally([shards.write_shard(unit.root, unit.path(f"work/{unit.stage}"), tables, schema)])


def _signed(texts: TextBuffers, settings: NearDedup) -> pa.Table:
    signature, _ = signatures(texts, settings.shingle_eojeol, settings.lanes)
    return pa.table(
        {
            # The low half of a minimum is as good as the whole for comparing, and takes half the room.
            "lanes": fixed_bytes(signature.astype(np.uint32)),
            "keys": fixed_bytes(band_keys(signature, settings.bands)),
            "hash": content_hashes(texts)[:, 0],
        }
    )


def find_clusters(unit: Unit) -> Tally:
    """Gather: signatures of all shards → work/near_dedup/clusters/, the documents that resemble another."""
    settings = NearDedup.of(unit)
    sizes = [shards.num_rows(unit.url("work/near_dedup/signatures", shard)) for shard in unit.shards]
    lanes, keys, hashes = _signatures(unit, sum(sizes), settings)
    # All ones: a document without words has no shingle, and must resemble nothing, not every other such document.
    speaks = np.flatnonzero((lanes != np.iinfo(np.uint32).max).any(axis=1))
    walk = speaks[np.argsort(hashes[speaks], kind="stable")]
    roots = similar_groups(keys, lanes, walk, settings.min_equal_lanes)
    return write_members(unit, Members.of_roots(unit.shards, sizes, roots, hashes))


def _signatures(unit: Unit, num_docs: int, settings: NearDedup) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lanes, band keys and content hashes of all shards, read into their final place a row group at a time."""
    lanes = np.empty((num_docs, settings.lanes), np.uint32)
    keys = np.empty((num_docs, settings.bands), np.uint64)
    hashes = np.empty(num_docs, np.uint64)
    start = 0
    for shard in unit.shards:
        for table in shards.row_groups(unit.url("work/near_dedup/signatures", shard)):
            here = slice(start, start + table.num_rows)
            lanes[here] = matrix_of(table["lanes"], np.uint32)
            keys[here] = matrix_of(table["keys"], np.uint64)
            hashes[here] = table["hash"].to_numpy()
            start = here.stop
    return lanes, keys, hashes


def choose_survivors(unit: Unit) -> Tally:
    """Gather: clusters → work/near_dedup/verdicts/, who survives and for whom the others are dropped."""
    settings = NearDedup.of(unit)
    members = read_members(unit, "work/near_dedup/clusters")
    lanes = _lanes_of(unit, members, settings.lanes)

    def similar_stand_in(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen, agreed = stand_ins(group, lanes, settings.min_equal_lanes)
        return chosen, agreed / settings.lanes

    return mark(unit, members, similar_stand_in)


def _lanes_of(unit: Unit, members: pl.DataFrame, lanes: int) -> np.ndarray:
    """Signatures of the members, in their order, (num_members, lanes) uint32."""
    parts = [np.zeros((0, lanes), np.uint32)]
    for (shard,), rows in members.group_by("shard", maintain_order=True):
        column = shards.read_shard(unit.url("work/near_dedup/signatures", str(shard)), ["lanes"])["lanes"]
        parts.append(matrix_of(column, np.uint32)[rows["row"].to_numpy()])
    return np.concatenate(parts)
