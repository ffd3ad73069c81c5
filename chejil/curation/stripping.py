"""Strip boilerplate: menus at the head of a document, footers and notices at its tail, removed line by line.

Opt-in. Whole lines only, from the two ends inwards, never in the middle and never inside a sentence: a peer that cuts
at the first '주소:' or '©' throws the rest of the article away (EleutherAI/dps). Which lines these are stands in
`chejil.filters.boilerplate`; a document of nothing else is left as it is, for a bound to drop.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import edits
from chejil.curation.edits import Edited, write_edits
from chejil.curation.place import Place, made_with, resource_hash
from chejil.curation.stage import Stage, Tally, Unit
from chejil.filters import boilerplate
from chejil.filters.buffers import TextBuffers
from chejil.filters.registry import FAMILIES


class StripBoilerplate(BaseModel):
    """Remove menus, notices and footers at the two ends of documents; later stages see what is left."""

    model_config = ConfigDict(extra="forbid")

    head_lines: int = Field(30, ge=0, description="Lines from the top that may be removed.")
    tail_lines: int = Field(60, ge=0, description="Lines from the bottom that may be removed.")


def stages(settings: StripBoilerplate, place: Place) -> list[Stage]:
    """The stage that finds what to change."""
    key = {
        **settings.model_dump(),
        **place.edited,
        "version": FAMILIES["boilerplate"].version,
        "made_with": made_with(),
        "tables": resource_hash(
            "chejil.filters.lexicons", "boilerplate.yaml", "line_marks.yaml", "sentence_terminals.yaml"
        ),
    }
    return [Stage(edits.folder("strip_boilerplate"), "map", strip_shard, key, place.reads)]


def strip_shard(unit: Unit) -> Tally:
    """Map: documents/ → edits/strip_boilerplate/, a row a line that goes."""
    head, tail = unit.settings["head_lines"], unit.settings["tail_lines"]

    def find(texts: TextBuffers) -> Edited:
        spans = boilerplate.spans(texts, head, tail)
        return spans, [""] * len(spans)

    return write_edits(unit, find)
