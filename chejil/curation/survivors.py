"""Which document of a cluster survives, and for whom the others are dropped.

Clusters are found over all documents, whatever the filters say, so a moved bound does not cluster again. Survivors
are chosen among the documents that every stage before has kept: the copy that a filter drops never stands in for
one that it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue

from chejil.curation import shards
from chejil.curation.place import Place, verdicts_of
from chejil.curation.stage import Function, Stage, Tally, Unit
from chejil.curation.verdicts import Verdicts

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

StandIns = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Members in order of preference -> position of each one's survivor, and the similarity to it."""


class Keep(BaseModel):
    """Which document of a cluster survives; ties go to the smaller id."""

    model_config = ConfigDict(extra="forbid")

    by: Literal["longest", "signal", "source"] = Field("longest", description="What is preferred.")
    signal: str | None = Field(None, description="by: signal. The document with the highest value survives.")
    lowest: bool = Field(False, description="by: signal. The lowest value survives instead.")
    sources: list[str] | None = Field(
        None, min_length=1, description="by: source. The best source first; others come last."
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [schema, {"const": "longest", "description": "Short for {by: longest}."}]}

    @model_validator(mode="before")
    @classmethod
    def _of_word(cls, value: Any) -> Any:
        return {"by": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _complete(self) -> Keep:
        if (self.by == "signal") != (self.signal is not None):
            raise ValueError("'signal' names the signal of keep by: signal, and of no other")
        if (self.by == "source") != (self.sources is not None):
            raise ValueError("'sources' lists the sources of keep by: source, and of no other")
        if self.lowest and self.by != "signal":
            raise ValueError("'lowest' belongs to keep by: signal")
        return self


def deduplication(
    name: str, keep: Keep, similarity: Mapping[str, Any], place: Place, measure: tuple[str, Function],
    clusters: Function, survivors: Function,
) -> list[Stage]:  # fmt: skip
    """Map (`measure`: what its files are called, and its function) → gather (clusters) → gather (verdicts).

    Only the last one knows who is preferred and what was dropped before: a moved bound does not cluster again.
    """
    called, measures = measure
    measured, clustered = f"{name}/{called}", f"{name}/clusters"
    scored = ("signals",) if keep.by == "signal" else ()
    key = {**similarity, "keep": keep.model_dump(mode="json"), "before": list(place.deciders)}
    return [
        Stage(measured, "map", measures, {**similarity, **place.edited}, place.reads),
        Stage(clustered, "gather", clusters, similarity, (measured,)),
        Stage(
            verdicts_of(name), "gather", survivors, key,
            (clustered, measured, "documents", *place.verdicts, *scored),
        ),
    ]  # fmt: skip


def mark(unit: Unit, members: pl.DataFrame, stand_ins: StandIns) -> Tally:
    """Choose survivors and write `work/<stage>/<shard>` for every shard.

    Args:
        members: a row a clustered document: shard, row, cluster, cluster_size; the index into what `stand_ins`
            takes is the row number of this frame.
    """
    members = members.with_row_index("member").join(
        _preference(unit, members), on=["shard", "row"], how="left"
    )
    chosen = _choose(members.filter("alive").sort("cluster", "rank"), stand_ins)
    marks = members.join(chosen, on="member", how="left", maintain_order="left")
    files = []
    for shard in unit.shards:
        table = marks.filter(pl.col("shard") == shard).sort("row").select(MARKS.names).to_arrow()
        files.append(shards.write_shard(unit.root, unit.path(f"work/{unit.stage}", shard), [table], MARKS))
    return Tally(files, {"members": len(members), "clusters": members["cluster"].n_unique()})


def _choose(alive: pl.DataFrame, stand_ins: StandIns) -> pl.DataFrame:
    """member, duplicate_of and similarity of each document that is dropped."""
    ids, dropped = alive["id"], []
    ends = alive["cluster"].rle_id().value_counts(sort=False) if len(alive) else None
    sizes = ends.sort(ends.columns[0])["count"].to_list() if ends is not None else []
    start = 0
    for size in sizes:
        group = alive["member"][start : start + size].to_numpy()
        if size > 1:
            chosen, similarity = stand_ins(group)
            dropped += [
                (int(group[i]), ids[start + int(chosen[i])], float(similarity[i]))
                for i in range(size)
                if chosen[i] != i
            ]
        start += size
    schema = {"member": pl.UInt32, "duplicate_of": pl.String, "similarity": pl.Float32}
    return pl.DataFrame(dropped, schema=schema, orient="row")


def _preference(unit: Unit, members: pl.DataFrame) -> pl.DataFrame:
    """shard, row, id, alive, and rank: 0 is the document that should survive."""
    keep = Keep.model_validate(unit.settings["keep"])
    parts = [
        _preference_of(unit, shard, rows, keep)
        for (shard,), rows in members.group_by("shard", maintain_order=True)
    ]
    schema = {"shard": pl.String, "row": pl.Int32, "id": pl.String, "alive": pl.Boolean, "worth": pl.Float64}
    table = pl.concat(parts) if parts else pl.DataFrame(schema=schema)
    # A null worth (an undefined signal) is worth less than any value.
    order = {"worth": True, "id": False, "shard": False, "row": False}
    ordered = table.sort(list(order), descending=list(order.values()), nulls_last=True)
    return ordered.with_row_index("rank").drop("worth")


def _preference_of(unit: Unit, shard: object, rows: pl.DataFrame, keep: Keep) -> pl.DataFrame:
    name = str(shard)
    wanted = rows["row"].to_numpy()
    documents = shards.read_shard(unit.url("documents", name), ["id"])
    alive = Verdicts.of(unit, name).kept(documents.num_rows)
    return pl.DataFrame(
        {
            "shard": pl.repeat(name, len(wanted), eager=True),
            "row": rows["row"],
            "id": pl.Series(documents["id"].take(wanted).to_pylist(), dtype=pl.String),
            "alive": alive[wanted],
            # NaN, an undefined signal, would compare above every value in Polars.
            "worth": pl.Series(_worth(unit, name, keep)[wanted], nan_to_null=True),
        }
    )


def _worth(unit: Unit, shard: str, keep: Keep) -> np.ndarray:
    """What each document of a shard is worth; the larger is preferred."""
    if keep.by == "longest":
        return (
            shards.read_shard(unit.url("origins", shard), ["num_bytes"])["num_bytes"].to_numpy().astype(float)
        )
    if keep.by == "signal":
        column = shards.read_shard(unit.url("signals", shard), [str(keep.signal)]).column(0)
        worth = column.to_numpy(zero_copy_only=False).astype(float)
        return -worth if keep.lowest else worth
    sources = shards.read_shard(unit.url("documents", shard), ["source"])["source"].to_pylist()
    priority = {source: -rank for rank, source in enumerate(keep.sources or [])}
    return np.array([priority.get(source, -len(priority)) for source in sources], float)
