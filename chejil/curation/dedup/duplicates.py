"""The stages of a deduplication by keys: which documents share one and are similar, and which of them survive.

    signatures, keys   map     a document's keys, its sketch and its name; keys sorted by value
    edges              split   documents of one bucket of keys, compared: pairs that are similar
    clusters           gather  union-find over the edges
    members            map     what each clustered document is worth
    choices            split   by cluster: who survives, and for whom the others are dropped
    verdicts           map     by shard, as every decider leaves them

Exact duplicates have one key, and a sketch that must agree as a whole. Who is preferred and what was dropped before is
a setting of `members` alone: a moved bound does not cluster again. Of a document that has no duplicates the gathering
process holds 5 bytes; split stages hold their own range of keys, map stages a row group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from chejil.curation.dedup import choices, clusters, edges, survivors
from chejil.curation.dedup.index import Earlier, key_of, settings_of
from chejil.curation.dedup.key_tables import KeyWriter
from chejil.curation.dedup.sketches import Scale
from chejil.curation.dedup.survivors import Keep
from chejil.curation.place import Place, verdicts_of
from chejil.curation.shards import ShardWriter
from chejil.curation.side_tables import fixed_bytes
from chejil.curation.stage import ALL_SHARDS, Function, Stage, Tally, Unit


@dataclass(frozen=True)
class Likeness:
    """When two documents are duplicates: where their sketches lie, how wide they are, what must agree."""

    measured: str
    sketch_words: int
    min_equal_lanes: int
    scale: Scale = "jaccard"


@dataclass(frozen=True)
class Measured:
    """A row group's documents: `sketch` (num_docs, words) uint64, `name` (num_docs) uint64, which is the same in any
    shard, `keys` (num_docs, keys) uint64, `compared` (num_docs) bool: False for what resembles nothing, and `num_bytes`
    (num_docs) int64 of the text that was read."""

    sketch: np.ndarray
    name: np.ndarray
    keys: np.ndarray
    compared: np.ndarray
    num_bytes: np.ndarray


def stages(
    keep: Keep,
    likeness: Likeness,
    measure: Stage,
    place: Place,
    earlier: Sequence[Earlier] = (),
    find: Function | None = None,
) -> list[Stage]:
    """All stages of a deduplication; `measure` is the first one, which `write_measured` must have written.

    Args:
        find: finds the edges of all documents, in one part, from what `measure` says; by itself they come from keys.
    """
    name, like = measure.name.split("/")[0], asdict(likeness)
    compared = {**like, **key_of(earlier)}
    own = {ALL_SHARDS: settings_of(earlier)}
    wanted = {"keep": keep.model_dump(mode="json"), "before": list(place.deciders)}
    scored = ("signals",) if keep.by == "signal" else ()
    measured_by = dict(measure.settings) if find else {}
    clustered, weighed = f"{name}/clusters", f"{name}/members"
    return [
        measure,
        Stage(
            f"{name}/edges", "split", find or edges.find_edges, {**compared, **measured_by}, (measure.name,),
            own_settings=own, rows_a_part=1 << 62 if find else 1 << 23,
        ),
        Stage(
            clustered, "gather", clusters.find_clusters, compared, (measure.name, f"{name}/edges"),
            own_settings=own,
        ),
        Stage(
            weighed, "map", survivors.weigh_members, {**like, **wanted},
            (clustered, measure.name, "documents", *place.verdicts, *scored),
        ),
        Stage(
            f"{name}/choices", "split", choices.choose, compared, (weighed, clustered), own_settings=own,
            rows_a_part=1 << 22,
        ),
        Stage(verdicts_of(name), "map", choices.mark, {}, (f"{name}/choices",)),
    ]  # fmt: skip


def write_measured(unit: Unit, sketch_words: int, batches: Iterable[Measured]) -> Tally:
    """Map: work/<stage>/, a row a document, and its sorted keys in work/<name>/keys/."""
    schema = pa.schema(
        [("sketch", pa.binary(8 * sketch_words)), ("name", pa.uint64()), ("num_bytes", pa.int64())]
    )
    first = 0
    with ExitStack() as files:
        rows = files.enter_context(ShardWriter(unit.root, unit.path(f"work/{unit.stage}"), schema))
        keys = files.enter_context(KeyWriter(unit, f"work/{unit.stage.split('/')[0]}/keys"))
        for batch in batches:
            rows.write(
                pa.table(
                    {"sketch": fixed_bytes(batch.sketch), "name": batch.name, "num_bytes": batch.num_bytes}
                )
            )
            compared = np.flatnonzero(batch.compared)
            keys.add(batch.keys[compared], compared + first)
            first += len(batch.name)
    assert rows.record is not None
    return Tally([rows.record, keys.record])
