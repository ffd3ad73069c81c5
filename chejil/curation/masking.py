"""Mask PII: personal data gives way to a placeholder of its kind, or to a surrogate of the same shape.

What is found, and how sure it is, stands in `chejil.filters.pii`. A surrogate is made by a keyed hash of the value, so
one number has one surrogate in the whole corpus and in every run with the same seed; which kinds have surrogates that
are no valid number of anyone stands in `chejil.filters.pii_surrogates`.
Stages after this one see the masked text: put it behind `score` and `filter` if bounds or rules count PII.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import edits
from chejil.curation.edits import Edited, write_edits
from chejil.curation.place import Place, made_with, resource_hash
from chejil.curation.stage import Stage, Tally, Unit
from chejil.filters import pii
from chejil.filters.buffers import TextBuffers
from chejil.filters.registry import FAMILIES


class MaskPii(BaseModel):
    """Replace personal data; every span is kept in edits/mask_pii with its rule and confidence."""

    model_config = ConfigDict(extra="forbid")

    style: Literal["placeholder", "surrogate"] = Field(
        "placeholder", description="`<PHONE>`, or another number of the same shape."
    )
    seed: int = Field(0, ge=0, description="Of surrogates: another seed gives others.")
    min_confidence: float = Field(
        pii.MIN_CONFIDENCE,
        ge=0,
        le=1,
        description="The least sure that is replaced; 1 is proven by checksum and label.",
    )
    kinds: Literal["all"] | list[Literal[pii.KINDS]] = Field(  # type: ignore[valid-type]
        "all", description="Kinds that are replaced."
    )


def stages(settings: MaskPii, place: Place) -> list[Stage]:
    """The stage that finds what to change."""
    key = {
        **settings.model_dump(),
        **place.edited,
        "version": FAMILIES["pii"].version,
        "made_with": made_with(),
        "tables": resource_hash("chejil.filters.lexicons", "pii.yaml"),
    }
    return [Stage(edits.folder("mask_pii"), "map", mask_shard, key, place.reads)]


def mask_shard(unit: Unit) -> Tally:
    """Map: documents/ → edits/mask_pii/, a row a span that is replaced."""
    settings = MaskPii.model_validate({name: unit.settings[name] for name in MaskPii.model_fields})

    def find(texts: TextBuffers) -> Edited:
        spans = pii.find(texts, settings.min_confidence, None if settings.kinds == "all" else settings.kinds)
        return spans, pii.replacements(texts, spans, settings.style, settings.seed)

    return write_edits(unit, find)
