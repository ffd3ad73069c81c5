"""Write: what is kept, ready to train on, as clean/<source>/<language>/<shard>.parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, field_validator

from chejil.curation import edits, shards
from chejil.curation.dedup import rehydration
from chejil.curation.dedup.rehydration import weights
from chejil.curation.place import Place
from chejil.curation.reading.documents import SCHEMA
from chejil.curation.stage import Stage, Tally, Unit

CLEAN = SCHEMA.append(pa.field("cluster_size", pa.int32()))
"""The canonical columns, `lang` filled in, and the size of the near (else exact) cluster for rehydration."""


class Write(BaseModel):
    """Write what is kept to clean/, by source and language."""

    model_config = ConfigDict(extra="forbid")

    weights: str | dict[int, float] | None = Field(
        None,
        description="A column `weight` by cluster size: `fineweb2-ko`, or {size: weight} from that size on.",
    )

    _known = field_validator("weights")(rehydration.known)


def stages(settings: Write, place: Place) -> list[Stage]:
    """The stage that writes what is kept, with every edit that stands before it."""
    key: dict[str, Any] = dict(place.edited)
    if settings.weights is not None:  # as pairs: a JSON key is no number
        key["weights"] = sorted(rehydration.table(settings.weights).items())
    return [Stage("clean", "map", write_shard, key, (*place.reads, "decisions"))]


def write_shard(unit: Unit) -> Tally:
    """Map: documents/ as edited, and decisions/ → clean/, a file a language that the shard has."""
    columns = ["lang", "kept", "near_cluster_size", "exact_cluster_size"]
    decisions = shards.read_shard(unit.url("decisions"), columns)
    kept = decisions.filter(decisions["kept"])
    files = []
    for lang in sorted(pc.unique(kept["lang"]).to_pylist(), key=lambda lang: lang or "unknown"):
        path = clean_path(unit.shard, lang or "unknown")
        files.append(shards.write_shard(unit.root, path, _clean(unit, decisions, lang), _schema(unit)))
    return Tally(files)


def _schema(unit: Unit) -> pa.Schema:
    return CLEAN.append(pa.field("weight", pa.float32())) if "weights" in unit.settings else CLEAN


def clean_path(shard: str, lang: str) -> str:
    """`mc4-ko/00` in Korean stands in `clean/mc4-ko/ko/00.parquet`."""
    source, name = shard.split("/", 1)
    return f"clean/{source}/{lang}/{name}.parquet"


def _clean(unit: Unit, decisions: pa.Table, lang: str | None) -> Iterator[pa.Table]:
    of_language = pc.is_null(decisions["lang"]) if lang is None else pc.equal(decisions["lang"], lang)
    wanted = pc.fill_null(pc.and_(decisions["kept"], of_language), False)
    size = pc.coalesce(decisions["near_cluster_size"], decisions["exact_cluster_size"])
    start = 0
    for documents in edits.documents(unit, [name for name in CLEAN.names if name in SCHEMA.names]):
        here = slice(start, start + documents.num_rows)
        start = here.stop
        table = documents.drop_columns(["lang"])
        table = table.append_column("lang", decisions["lang"][here]).append_column("cluster_size", size[here])
        if "weights" in unit.settings:
            sizes = size[here].fill_null(1).to_numpy()
            table = table.append_column("weight", pa.array(weights(sizes, dict(unit.settings["weights"]))))
        rows = table.select(_schema(unit).names).filter(wanted[here])
        if rows.num_rows:
            yield rows
