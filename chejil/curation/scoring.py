"""Score: every signal of every document, once, as columns beside the documents."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import shards
from chejil.curation.stage import Tally, Unit
from chejil.filters.catalogue import SIGNALS, find_signal
from chejil.filters.engine import score, versions

NEEDED = ("num_chars", "lang")
"""Scored whether asked for or not: bounds are by language, and an empty text has its own reason."""


class Score(BaseModel):
    """Measure signals and keep them as columns."""

    model_config = ConfigDict(extra="forbid")

    signals: Literal["all"] | list[str] = Field(
        "all", description="Names from `chejil signals`, or all of them."
    )

    @property
    def names(self) -> list[str]:
        """The signals that are measured, in the registry's order."""
        wanted = set(SIGNALS) if self.signals == "all" else {*self.signals, *NEEDED}
        return [name for name in SIGNALS if name in wanted]


def resolved(settings: Score) -> dict[str, object]:
    """Settings for the stage key: names written out, and the versions of the families that measure them."""
    return {"signals": settings.names, "families": versions(settings.names)}


def score_shard(unit: Unit) -> Tally:
    """Map: documents/ → signals/, same rows and order."""
    names = list(unit.settings["signals"])
    schema = pa.schema([("id", pa.string()), *((name, find_signal(name).type) for name in names)])
    documents = shards.row_groups(unit.url("documents"), ["id", "text"])
    tables = (score(table["text"], names).add_column(0, "id", table["id"]) for table in documents)
    return Tally([shards.write_shard(unit.root, unit.path("signals"), tables, schema)])
