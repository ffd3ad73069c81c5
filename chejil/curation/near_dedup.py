"""Near-duplicates: MinHash over word shingles, candidates by bands, verified by the whole signature.

Map (signatures) → gather (clusters) → gather (verdicts). Of each 64-bit minimum 16 bits are kept (b-bit minwise
hashing, Li and König 2010): two lanes agree by chance once in 65,536 times, and a document of any length costs 240
bytes. The band keys, made of the whole minima, are read one band at a time, so 10 million documents are clustered
in about 3 GB. Every document that is dropped resembles one that is kept, by its own signature and not through a chain.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import edits, shards
from chejil.curation.clusters import bands_for, similar_groups, stand_ins
from chejil.curation.place import Place
from chejil.curation.shingles import band_keys, content_hashes, signatures
from chejil.curation.side_tables import Members, fixed_bytes, matrix_of, read_members, write_members
from chejil.curation.stage import Stage, Tally, Unit
from chejil.curation.survivors import Keep, deduplication, mark
from chejil.filters.buffers import TextBuffers

_SIGNATURES = "work/near_dedup/signatures"


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


def stages(settings: NearDedup, place: Place) -> list[Stage]:
    """Signatures, clusters, verdicts."""
    similarity = settings.model_dump(mode="json", exclude={"keep"})
    return deduplication(
        "near_dedup", settings.keep, similarity, place, ("signatures", sign), find_clusters, choose_survivors
    )


def sign(unit: Unit) -> Tally:
    """Map: documents/ → work/near_dedup/signatures/, lanes, band keys and a name for each document."""
    settings = NearDedup.of(unit)
    keys = [(_key(band), pa.uint64()) for band in range(settings.bands)]
    schema = pa.schema([("lanes", pa.binary(2 * settings.lanes)), ("name", pa.uint64()), *keys])
    documents = edits.documents(unit, ["text"])
    tables = (_signed(TextBuffers.of(table["text"]), settings) for table in documents)
    return Tally([shards.write_shard(unit.root, unit.path(f"work/{unit.stage}"), tables, schema)])


def _key(band: int) -> str:
    return f"key_{band:02}"


def _signed(texts: TextBuffers, settings: NearDedup) -> pa.Table:
    signature = signatures(texts, settings.shingle_eojeol, settings.lanes)
    keys = band_keys(signature, settings.bands)
    # Two spacings of one text have one content hash and may be in two clusters: the keys tell them apart.
    name = content_hashes(texts)[:, 0] ^ np.bitwise_xor.reduce(keys, axis=1)
    columns = {_key(band): keys[:, band] for band in range(settings.bands)}
    return pa.table({"lanes": fixed_bytes(signature.astype(np.uint16)), "name": name, **columns})


def find_clusters(unit: Unit) -> Tally:
    """Gather: signatures of all shards → work/near_dedup/clusters/, the documents that resemble another."""
    settings = NearDedup.of(unit)
    sizes = [shards.num_rows(unit.url(_SIGNATURES, shard)) for shard in unit.shards]
    lanes = _column(unit, "lanes", np.empty((sum(sizes), settings.lanes), np.uint16))
    names = _column(unit, "name", np.empty(sum(sizes), np.uint64))
    # All ones: a document without words has no shingle, and must resemble nothing, not every other such document.
    speaks = np.flatnonzero((lanes != np.iinfo(np.uint16).max).any(axis=1))
    walk = speaks[np.argsort(names[speaks], kind="stable")]
    bands = (_column(unit, _key(band), np.empty_like(names)) for band in range(settings.bands))
    roots = similar_groups(bands, lanes, walk, settings.min_equal_lanes)
    return write_members(unit, Members.of_roots(unit.shards, sizes, roots, names))


def _column(unit: Unit, name: str, out: np.ndarray) -> np.ndarray:
    """One column of all shards, read into its final place a row group at a time."""
    start = 0
    for shard in unit.shards:
        for table in shards.row_groups(unit.url(_SIGNATURES, shard), [name]):
            here = slice(start, start + table.num_rows)
            out[here] = matrix_of(table[name], np.uint16) if out.ndim == 2 else table[name].to_numpy()
            start = here.stop
    return out


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
    """Signatures of the members, in their order, (num_members, lanes) uint16."""
    parts = [np.zeros((0, lanes), np.uint16)]
    for (shard,), rows in members.group_by("shard", maintain_order=True):
        column = shards.read_shard(unit.url(_SIGNATURES, str(shard)), ["lanes"])["lanes"]
        parts.append(matrix_of(column, np.uint16)[rows["row"].to_numpy()])
    return np.concatenate(parts)
