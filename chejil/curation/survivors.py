"""Which document of a cluster should survive: what each clustered document is worth, sorted by cluster.

Clusters are found over all documents, whatever the filters say, so a moved bound does not cluster again. Survivors
are chosen among the documents that every stage before has kept: the copy that a filter drops never stands in for
one that it keeps. A clustered document takes about 130 bytes here, its sketch of 64 among them.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue

from chejil.curation import shards
from chejil.curation.stage import Tally, Unit
from chejil.curation.verdicts import Verdicts

_MEMBERS = (
    ("cluster", pa.uint64()), ("cluster_size", pa.int32()), ("row", pa.int32()),
    ("id", pa.string()), ("alive", pa.bool_()), ("worth", pa.float64()),
)  # fmt: skip


def members_schema(sketch_words: int) -> pa.Schema:
    """Columns of a shard's clustered documents, which are sorted by cluster; `worth` is null where it is undefined."""
    return pa.schema([*_MEMBERS, ("sketch", pa.binary(8 * sketch_words))])


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


def weigh_members(unit: Unit) -> Tally:
    """Map: clusters, signatures, documents and verdicts → work/<stage>/members/, a row a clustered document."""
    name = unit.stage.split("/")[0]
    keep = Keep.model_validate(unit.settings["keep"])
    clusters = shards.read_shard(unit.url(f"work/{name}/clusters"))
    rows = clusters["row"].to_numpy()
    documents = shards.read_shard(unit.url("documents"), ["id"])
    sketches = shards.read_shard(unit.url(f"work/{name}/{unit.settings['measured']}"), ["sketch"])
    alive = Verdicts.of(unit, unit.shard).kept(documents.num_rows)
    worth = _worth(unit, unit.shard, keep)[rows]
    table = clusters.append_column("id", documents["id"].take(rows))
    table = table.append_column("alive", pa.array(alive[rows]))
    table = table.append_column("worth", pa.array(worth, mask=np.isnan(worth)))  # null: an undefined signal
    table = table.append_column("sketch", sketches["sketch"].take(rows)).sort_by("cluster")
    schema = members_schema(unit.settings["sketch_words"])
    path = unit.path(f"work/{unit.stage}")
    return Tally([shards.write_shard(unit.root, path, [table.select(schema.names)], schema, key="cluster")])


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
