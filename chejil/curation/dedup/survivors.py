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
        if self.sources is not None and len(set(self.sources)) < len(self.sources):
            raise ValueError("'sources' names a source twice; the first place would count")
        if self.lowest and self.by != "signal":
            raise ValueError("'lowest' belongs to keep by: signal")
        return self


def weigh_members(unit: Unit) -> Tally:
    """Map: clusters, signatures, documents and verdicts → work/<stage>/members/, a row a clustered document."""
    name, keep = unit.stage.split("/")[0], Keep.model_validate(unit.settings["keep"])
    clusters = shards.read_shard(unit.url(f"work/{name}/clusters"))
    rows = clusters["row"].to_numpy()
    measured = _picked(unit.url(f"work/{name}/{unit.settings['measured']}"), rows, ["sketch", "num_bytes"])
    documents = _picked(unit.url("documents"), rows, ["id", "source"])
    alive = Verdicts.of(unit, unit.shard).kept(shards.num_rows(unit.url("documents")))[rows]
    worth = _worth(unit, rows, measured, documents, keep)
    table = clusters.append_column("id", documents["id"]).append_column("alive", pa.array(alive))
    table = table.append_column("worth", pa.array(worth, mask=np.isnan(worth)))  # null: an undefined signal
    table = table.append_column("sketch", measured["sketch"]).sort_by("cluster")
    schema = members_schema(unit.settings["sketch_words"])
    path = unit.path(f"work/{unit.stage}")
    return Tally([shards.write_shard(unit.root, path, [table.select(schema.names)], schema, key="cluster")])


def _picked(url: str, rows: np.ndarray, columns: list[str]) -> pa.Table:
    """Some sorted rows of a shard; of the others only what shares a row group with them is read."""
    found = [table.take(pa.array(wanted)) for table, wanted in shards.groups_of(url, rows, columns)]
    return pa.concat_tables(found) if found else shards.read_shard(url, columns).slice(0, 0)


def _worth(unit: Unit, rows: np.ndarray, measured: pa.Table, documents: pa.Table, keep: Keep) -> np.ndarray:
    """What each clustered document is worth, (num_rows) float64; the larger is preferred, NaN never."""
    if keep.by == "longest":
        return measured["num_bytes"].to_numpy().astype(float)
    if keep.by == "signal":
        column = _picked(unit.url("signals"), rows, [str(keep.signal)])[str(keep.signal)]
        worth = column.to_numpy(zero_copy_only=False).astype(float)
        return -worth if keep.lowest else worth
    priority = {source: -rank for rank, source in enumerate(keep.sources or [])}
    return np.array(
        [priority.get(source, -len(priority)) for source in documents["source"].to_pylist()], float
    )
