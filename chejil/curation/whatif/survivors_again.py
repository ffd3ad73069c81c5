"""Survivors of a deduplication, chosen again for the clusters that other bounds touch, and for no other.

Who survives depends on what the stages before have kept, so a moved bound moves survivors. Clusters do not depend on
it: they stand in the run's work/. A cluster none of whose documents changed keeps what the run said of it; of the
others the members are read (id, worth and sketch, about 130 bytes each), put in the order of preference, and walked by
the run's own kernel (`dedup.choices.stand_ins`). So the answer is the run's, at the cost of the clusters that changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.dedup import choices
from chejil.curation.dedup.clusters import EARLIER
from chejil.curation.dedup.duplicates import Likeness
from chejil.curation.whatif.known_rows import KnownRows

_LOADED = ("cluster", "row", "id", "worth", "sketch")


@dataclass
class Prepared:
    """Members of some clusters in the order of preference, those of earlier runs first: `starts` of each cluster,
    `doc` (num_members) int64 place among the known rows, -1 for those of earlier runs, and their sketches."""

    starts: np.ndarray
    doc: np.ndarray
    sketch: np.ndarray

    @property
    def cluster(self) -> np.ndarray:
        """Place of each member's cluster."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


@dataclass
class SurvivorsAgain:
    """One deduplication of a run. `dropped` is what it says of the known rows, with those of `alive` kept so far."""

    root: str
    name: str
    like: Likeness
    known: KnownRows
    doc: np.ndarray
    cluster: np.ndarray
    dropped: np.ndarray
    alive: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    _prepared: Prepared | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons that it gives."""
        return (f"duplicate:{self.name.removesuffix('_dedup')}",)

    @classmethod
    def of(cls, root: str, name: str, like: Likeness, known: KnownRows) -> SurvivorsAgain:
        """As the run left it: cluster of each member, and who was dropped; 16 bytes a clustered document."""
        docs, clusters, dropped = [], [], np.zeros(known.num, bool)
        for shard in known.shards:
            table = shards.read_shard(
                shards.join(root, f"work/{name}/members/{shard}.parquet"), ["cluster", "row"]
            )
            docs.append(known.places(shard, table["row"].to_numpy()))
            clusters.append(table["cluster"].to_numpy())
            marks = shards.read_shard(
                shards.join(root, f"work/{name}/verdicts/{shard}.parquet"), ["row", "duplicate_of"]
            )
            gone = marks["row"].to_numpy()[marks["duplicate_of"].is_valid().to_numpy()]
            dropped[known.places(shard, gone)] = True
        return cls(root, name, like, known, np.concatenate(docs), np.concatenate(clusters), dropped)

    def begin(self, alive: np.ndarray) -> np.ndarray:
        """Take what the run said as the answer for `alive`; returns the bits of the known rows."""
        self.alive = alive
        return self.dropped.astype(np.uint64)

    def prepare(self, touched: np.ndarray) -> np.ndarray:
        """Load the clusters that hold any of the touched rows; returns the rows that may change with them."""
        wanted = np.unique(self.cluster[touched[self.doc]])
        members = self._members(wanted)
        order = {key: value for key, value in choices.PREFERENCE.items() if key != "alive"}
        # Sketches are half of the bytes: they are moved once, when the order is known.
        keys = members.select(*order, "doc").with_row_index("place")
        keys = keys.sort(list(order), descending=list(order.values()), nulls_last=True).select(
            "cluster", "doc", "place"
        )
        clusters, doc = keys["cluster"].to_numpy(), keys["doc"].to_numpy()
        starts = np.append(np.searchsorted(clusters, wanted), len(clusters))
        sketch = choices.sketches_of(members, self.like.sketch_words)
        self._prepared = Prepared(starts, doc, sketch[keys["place"].to_numpy()])
        wider = touched.copy()
        wider[doc[doc >= 0]] = True
        return wider

    def answer(self, alive: np.ndarray, keep: bool = False) -> np.ndarray:
        """What it would say with these rows kept so far, as bits; `keep`: later answers start from this one."""
        prepared = self._prepared
        assert prepared is not None
        is_earlier = prepared.doc < 0
        lives = alive[prepared.doc] | is_earlier
        changed = (alive[prepared.doc] != self.alive[prepared.doc]) & ~is_earlier
        clusters = prepared.cluster
        is_changed = np.zeros(len(prepared.starts) - 1, bool)
        is_changed[clusters[changed]] = True
        rows = np.flatnonzero(is_changed[clusters])
        # The order of preference is that of all members; those that are not alive go behind, as a run sorts them.
        rows = rows[np.argsort(2 * clusters[rows] + ~lives[rows], kind="stable")]
        dropped = self.dropped.copy()
        dropped[prepared.doc[rows][~is_earlier[rows]]] = self._walked(clusters[rows], rows, lives, is_earlier)
        if keep:
            self.dropped, self.alive = dropped, alive
        return dropped.astype(np.uint64)

    def _walked(
        self, clusters: np.ndarray, rows: np.ndarray, lives: np.ndarray, is_earlier: np.ndarray
    ) -> np.ndarray:
        """Which of the members in these rows are dropped, those of earlier runs left out."""
        assert self._prepared is not None
        starts = (
            np.flatnonzero(np.append(True, clusters[1:] != clusters[:-1])) if len(rows) else np.zeros(0, int)
        )
        chosen, _ = choices.stand_ins(
            np.append(starts, len(rows)), is_earlier[rows], lives[rows], self._prepared.sketch[rows],
            self.like.min_equal_lanes,
        )  # fmt: skip
        return (chosen != np.arange(len(rows)))[~is_earlier[rows]]

    def _members(self, wanted: np.ndarray) -> pl.DataFrame:
        """Members of these clusters, in all shards and in earlier runs."""
        words = self.like.sketch_words
        empty = choices.members_schema(words).empty_table().select(_LOADED)
        extra = {"doc": pl.Int64, "earlier": pl.Boolean, "shard": pl.Int32}
        parts = [
            pl.DataFrame(pl.from_arrow(empty)).with_columns(
                pl.lit(None, kind).alias(name) for name, kind in extra.items()
            )
        ]
        rank = {
            shard: place for place, shard in enumerate(sorted(self.known.shards))
        }  # as their names are sorted
        for shard in self.known.shards if len(wanted) else ():
            rows = self._rows(f"work/{self.name}/members/{shard}.parquet", wanted)
            doc = pl.Series(self.known.places(shard, rows["row"].to_numpy()))
            parts.append(
                rows.select(_LOADED).with_columns(
                    doc=doc, earlier=pl.lit(False), shard=pl.lit(rank[shard], pl.Int32)
                )
            )
        before = f"work/{self.name}/clusters/{EARLIER}.parquet"
        if len(wanted) and self.known.has(before):
            rows = self._rows(before, wanted).select("cluster", "id", "sketch")
            parts.append(
                rows.with_columns(doc=pl.lit(-1, pl.Int64), earlier=pl.lit(True), shard=pl.lit(-1, pl.Int32))
            )
        return pl.concat(parts, how="diagonal_relaxed")

    def _rows(self, path: str, wanted: np.ndarray) -> pl.DataFrame:
        tables = []
        for table in shards.row_groups(shards.join(self.root, path)):
            clusters = table["cluster"].to_numpy()
            places = np.minimum(np.searchsorted(wanted, clusters), len(wanted) - 1)
            tables.append(table.filter(pa.array(wanted[places] == clusters)))
        whole = pa.concat_tables(tables) if tables else shards.read_shard(shards.join(self.root, path))
        return pl.DataFrame(pl.from_arrow(whole))
