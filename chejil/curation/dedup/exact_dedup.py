"""Exact deduplication: documents that are equal but for white space.

Two copies of a page differ first of all in how its lines were broken; a hash that skips white space (128 bits)
finds them, and in Korean also the copy that is spaced otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import edits, shards
from chejil.curation.dedup import duplicates
from chejil.curation.dedup.duplicates import Likeness, Measured
from chejil.curation.dedup.index import Earlier, open_earlier
from chejil.curation.dedup.shingles import content_hashes
from chejil.curation.dedup.sketches import LANES_A_WORD
from chejil.curation.dedup.survivors import Keep
from chejil.curation.place import Place
from chejil.curation.stage import Stage, Tally, Unit
from chejil.filters.buffers import TextBuffers

VERSION = 2
"""Of the hashes: those of another are not compared."""

_WORDS = 2  # the 128 bits of a hash, which must agree as a whole

LIKENESS = Likeness("hashes", _WORDS, _WORDS * LANES_A_WORD)


class ExactDedup(BaseModel):
    """Drop all but one of the documents that are equal but for white space."""

    model_config = ConfigDict(extra="forbid")

    against: list[str] = Field(
        default_factory=list, description="Folders of earlier runs: what one of them kept is dropped here."
    )
    keep: Keep = Field(
        default_factory=lambda: Keep(by="longest"), description="Which of the copies survives."
    )

    def earlier(self, run: str, data: str, text: Mapping[str, Any]) -> Earlier:
        """A run of `against`; `text` is what made the text that is compared (`Recipe.text_before`).

        Raises:
            RunError: it is not there, has no exact_dedup, or hashes of other text.
        """
        return open_earlier(shards.address(run, data), "exact_dedup", "hashes", VERSION, text)[0]


def stages(settings: ExactDedup, place: Place) -> list[Stage]:
    """Hashes, edges, clusters, members, choices, verdicts."""
    measure = Stage(
        f"exact_dedup/{LIKENESS.measured}", "map", hash_contents, place.edited, place.reads, version=VERSION
    )
    runs = [settings.earlier(run, place.data, place.text) for run in settings.against]
    return duplicates.stages(settings.keep, LIKENESS, measure, place, runs)


def hash_contents(unit: Unit) -> Tally:
    """Map: documents/ → work/exact_dedup/hashes/, the 128-bit content hash of each document, and keys/."""
    return duplicates.write_measured(unit, _WORDS, _hashed(unit))


def _hashed(unit: Unit) -> Iterator[Measured]:
    for table in edits.documents(unit, ["text"]):
        texts = TextBuffers.of(table["text"])
        hashes = content_hashes(texts)
        compared = np.asarray(hashes.any(axis=1))
        yield Measured(hashes, hashes[:, 0], hashes[:, :1], compared, np.diff(texts.offsets))
