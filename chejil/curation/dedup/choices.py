"""Who survives in each cluster, and for whom the others are dropped.

A document is dropped only for a survivor that it is itself similar to: in a chain A ~ B ~ C where A and C have little
in common, B is dropped for A and C stays (a peer deletes C for an A that it never resembled). Documents are walked in
the order of preference and each is compared with all survivors so far. Where those are many, in a chain of a million
pages from one template, it is compared with those alone that share a stretch of the sketch, at most 200 of them: 4 µs
and 100 bytes a document in place of a cost that grows with the square of the cluster. What an earlier run kept
survives.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash
from numba import njit

from chejil.curation import shards
from chejil.curation.dedup import sketches
from chejil.curation.dedup.clusters import EARLIER
from chejil.curation.dedup.sketches import equal_lanes
from chejil.curation.dedup.survivors import members_schema
from chejil.curation.side_tables import matrix_of
from chejil.curation.stage import Tally, Unit

SCHEMA = pa.schema(
    [
        ("shard", pa.uint64()),
        ("row", pa.int32()),
        ("cluster", pa.uint64()),
        ("cluster_size", pa.int32()),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
    ]
)
"""A row a clustered document, by the hash of its shard's name and its row there."""

MARKS = pa.schema(
    [
        ("row", pa.int32()),
        ("cluster", pa.string()),
        ("cluster_size", pa.int32()),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
    ]
)
"""A row a document that has duplicates; `duplicate_of` is null for survivors and for what was dropped before."""

PREFERENCE = {
    "cluster": False, "earlier": True, "alive": True, "worth": True, "id": False, "shard": False, "row": False,
}  # fmt: skip
"""The order in which members of a cluster are walked, with what descends; null comes last."""

MANY_SURVIVORS = 512
_STRETCH, _SLOT_BITS, _NEWEST = 5, 16, 8  # lanes of a stretch, bits of its hash, survivors compared for each


def choose(unit: Unit) -> Tally:
    """Split: members of all shards → work/<stage>/choices/part, who is dropped for whom; earlier runs come first."""
    assert unit.part is not None
    members = _members(unit)
    members = members.sort(list(PREFERENCE), descending=list(PREFERENCE.values()), nulls_last=True)
    names = members["cluster"].to_numpy()
    starts = np.flatnonzero(np.append(True, names[1:] != names[:-1])) if len(names) else np.zeros(0, np.int64)
    starts = np.append(starts, len(members))
    sketch = sketches_of(members, unit.settings["sketch_words"])
    earlier, alive = members["earlier"].to_numpy(), members["alive"].to_numpy()
    chosen, agreed = stand_ins(starts, earlier, alive, sketch, unit.settings["min_equal_lanes"])
    table = _chosen(members, chosen, agreed, unit)
    path = unit.path(f"work/{unit.stage}", unit.part.name)
    file = shards.write_shard(unit.root, path, [table], SCHEMA, key="shard")
    return Tally([file], {"shared": _shared(members, starts)})


def sketches_of(members: pl.DataFrame, sketch_words: int) -> np.ndarray:
    """Their sketches, (num_members, sketch_words) uint64."""
    kind = members_schema(sketch_words).field("sketch").type
    return matrix_of(pa.chunked_array([members["sketch"].to_arrow().cast(kind)]), np.uint64)


def _members(unit: Unit) -> pl.DataFrame:
    """Members of all shards and of earlier runs whose cluster lies in this part, with shard and origin."""
    assert unit.part is not None
    name = unit.stage.split("/")[0]
    schema = members_schema(unit.settings["sketch_words"])
    tables = [pl.DataFrame(pl.from_arrow(schema.empty_table())).with_columns(_from("", "", False))]
    for shard in unit.shards:
        found = shards.rows_between(unit.url(f"work/{name}/members", shard), "cluster", *unit.part.bounds)
        rows = pl.DataFrame(pl.from_arrow(found))
        tables.append(rows.with_columns(_from(shard, shard.split("/")[0], False)))
    if unit.settings.get("earlier"):
        url = unit.url(f"work/{name}/clusters", EARLIER)
        rows = pl.DataFrame(pl.from_arrow(shards.rows_between(url, "cluster", *unit.part.bounds)))
        tables.append(rows.with_columns(alive=pl.lit(True), shard=pl.lit(""), earlier=pl.lit(True)))
    return pl.concat(tables, how="diagonal_relaxed")


def _from(shard: str, origin: str, earlier: bool) -> list[pl.Expr]:
    return [pl.lit(shard).alias("shard"), pl.lit(origin).alias("origin"), pl.lit(earlier).alias("earlier")]


def _chosen(members: pl.DataFrame, chosen: np.ndarray, agreed: np.ndarray, unit: Unit) -> pa.Table:
    is_dropped = chosen != np.arange(len(chosen))
    lanes = unit.settings["sketch_words"] * sketches.LANES_A_WORD
    similarity = sketches.similarity(agreed, lanes, unit.settings["scale"])
    hashes = {"": 0, **{shard: shard_hash(shard) for shard in unit.shards}}
    table = members.with_columns(
        shard=members["shard"].replace_strict(hashes, return_dtype=pl.UInt64),
        duplicate_of=pl.Series(members["id"].to_arrow().take(pa.array(chosen, mask=~is_dropped))),
        similarity=pl.Series(similarity.astype(np.float32)).zip_with(
            pl.Series(is_dropped), pl.Series([None], dtype=pl.Float32)
        ),
    )
    return table.filter(~pl.col("earlier")).select(SCHEMA.names).sort("shard", "row").to_arrow()


def _shared(members: pl.DataFrame, starts: np.ndarray) -> dict[str, dict[str, int]]:
    """Documents of a source that share their cluster with one of another (or, of the same, with another one)."""
    known = members["origin"].unique().sort().to_list()
    codes = (members["origin"].rank("dense").cast(pl.Int64) - 1).to_numpy()  # places in `known`
    table = count_shared(starts, codes, len(known))
    found = {
        one: {other: int(table[i, j]) for j, other in enumerate(known) if table[i, j]}
        for i, one in enumerate(known)
    }
    return {one: row for one, row in found.items() if row}


@njit(cache=True, nogil=True)
def count_shared(starts, source, num_sources):
    """Table of documents by their source and a source that their cluster has too, (num_sources, num_sources)."""
    table = np.zeros((num_sources, num_sources), np.int64)
    here = np.zeros(num_sources, np.int64)
    for cluster in range(len(starts) - 1):
        here[:] = 0
        for member in range(starts[cluster], starts[cluster + 1]):
            here[source[member]] += 1
        for one in range(num_sources):
            for other in range(num_sources):
                if here[one] and here[other] > (one == other):
                    table[one, other] += here[one]
    return table


@njit(cache=True, nogil=True)
def stand_ins(starts, earlier, alive, sketch, min_equal_lanes):
    """For each member its survivor (itself if it survives or is not alive), and the lanes in which they agree.

    Args:
        starts: first member of each cluster, and their number behind it; members are in the order of preference,
            those of earlier runs first, then those that are alive.
        earlier: members that an earlier run kept: survivors, whatever they resemble.
        sketch: (num_members, words) uint64.
    """
    chosen, agreed = np.arange(len(alive)), np.zeros(len(alive), np.int64)
    survivors = np.empty(len(alive), np.int64)
    for cluster in range(len(starts) - 1):
        num = 0
        for member in range(starts[cluster], starts[cluster + 1]):
            if not alive[member]:
                break
            if num == MANY_SURVIVORS:
                _choose_among_many(
                    member, starts[cluster], starts[cluster + 1], earlier, alive, sketch, min_equal_lanes,
                    survivors[:num], chosen, agreed,
                )  # fmt: skip
                break
            if not earlier[member]:
                for survivor in survivors[:num]:
                    take_if_nearer(member, survivor, sketch, min_equal_lanes, chosen, agreed)
            if chosen[member] == member:
                survivors[num] = member
                num += 1
    return chosen, agreed


@njit(cache=True, nogil=True)
def take_if_nearer(member, survivor, sketch, min_equal_lanes, chosen, agreed):
    """Let a survivor stand in for a member that is similar to it, and to no other one more."""
    agreement = equal_lanes(sketch[member], sketch[survivor])
    if agreement >= min_equal_lanes and agreement > agreed[member]:
        chosen[member], agreed[member] = survivor, agreement


@njit(cache=True, nogil=True)
def _choose_among_many(
    member, first, end, earlier, alive, sketch, min_equal_lanes, survivors, chosen, agreed
):
    """Go on from `member`, comparing with survivors that share a stretch of the sketch."""
    stretches = sketch.shape[1] * 16 // _STRETCH
    newest = np.full((stretches, 1 << _SLOT_BITS), -1, np.int32)
    before = np.full((end - first, stretches), -1, np.int32)
    for survivor in survivors:
        _enter(survivor, first, sketch, newest, before)
    while member < end and alive[member]:
        for stretch in range(0 if not earlier[member] else stretches, stretches):
            other = newest[stretch, _slot(sketch[member], stretch)]
            for _ in range(_NEWEST):
                if other < 0:
                    break
                take_if_nearer(member, first + other, sketch, min_equal_lanes, chosen, agreed)
                other = before[other, stretch]
        if chosen[member] == member:
            _enter(member, first, sketch, newest, before)
        member += 1


@njit(cache=True, nogil=True)
def _enter(member, first, sketch, newest, before):
    """Make a survivor the newest of its stretches."""
    for stretch in range(len(newest)):
        slot = _slot(sketch[member], stretch)
        before[member - first, stretch] = newest[stretch, slot]
        newest[stretch, slot] = member - first


@njit(cache=True, nogil=True)
def _slot(sketch, stretch):
    """A hash of a stretch of the sketch's lanes."""
    bits = np.uint64(0)
    for lane in range(stretch * _STRETCH, (stretch + 1) * _STRETCH):
        bits = bits << np.uint64(4) | sketch[lane // 16] >> np.uint64(4 * (lane % 16)) & np.uint64(15)
    return np.int64(bits * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - _SLOT_BITS))


def shard_hash(name: str) -> int:
    """What a shard is called in the tables of choices, whatever other shards there are."""
    return xxhash.xxh3_64_intdigest(name.encode())


def mark(unit: Unit) -> Tally:
    """Map: choices of all parts → work/<stage>/verdicts/, what they say of the documents of a shard."""
    name, own = unit.stage.split("/")[0], shard_hash(unit.shard)
    found = [shards.rows_between(url, "shard", own, own) for url in unit.part_urls(f"{name}/choices")]
    table = pa.concat_tables(found).drop_columns("shard").sort_by("row")
    clusters = pa.array([f"{cluster:016x}" for cluster in table["cluster"].to_pylist()], pa.string())
    table = table.set_column(table.schema.get_field_index("cluster"), "cluster", clusters)
    return Tally([shards.write_shard(unit.root, unit.path(f"work/{unit.stage}"), [table], MARKS)])
