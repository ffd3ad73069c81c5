"""Near-duplicates: MinHash over shingles, candidates by bands, verified by four bits of every lane.

Every document that is dropped resembles one that is kept, by its own sketch and not through a chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chejil.curation import edits, shards
from chejil.curation.dedup import duplicates, shingles
from chejil.curation.dedup.duplicates import Likeness, Measured
from chejil.curation.dedup.index import Earlier, open_earlier
from chejil.curation.dedup.shingles import content_hashes, signatures
from chejil.curation.dedup.sketches import (
    LANES_A_WORD,
    band_keys,
    bands_for,
    min_equal_lanes,
    sketches,
)
from chejil.curation.dedup.survivors import Keep
from chejil.curation.dedup.text_dedup_settings import Bloom, Method, SimHash, UniSim, versions
from chejil.curation.dedup.text_dedup_sketches import compared_by
from chejil.curation.place import Place, made_with
from chejil.curation.stage import Function, Stage, Tally, Unit
from chejil.errors import RunError
from chejil.filters.buffers import TextBuffers

VERSION = 4
"""Of the signatures: those of another are not compared."""


class Shingle(BaseModel):
    """What two documents are compared by."""

    model_config = ConfigDict(extra="forbid")

    unit: shingles.Unit = Field(
        "eojeol",
        description="Words between white space, or characters (letters and digits, spaces left out).",
    )
    size: int = Field(5, ge=1, le=64, description="Units of a shingle.")


class NearDedup(BaseModel):
    """Drop documents that resemble one that is kept (Jaccard similarity of shingles, by MinHash)."""

    model_config = ConfigDict(extra="forbid")

    engine: Literal["chejil", "text-dedup"] = Field(
        "chejil", description="Whose signatures: our MinHash, or text-dedup's `method` (extra `text-dedup`)."
    )
    method: Method | None = Field(
        None, description="engine: text-dedup. Its settings stand under its own name."
    )
    simhash: SimHash | None = Field(None, description="method: simhash.")
    bloom: Bloom | None = Field(None, description="method: bloom.")
    unisim: UniSim | None = Field(None, description="method: unisim.")
    threshold: float = Field(
        0.7, gt=0, le=1, description="Similarity from which two documents are duplicates."
    )
    shingle: Shingle = Field(default_factory=Shingle, description="What documents are compared by.")
    lanes: int = Field(
        128,
        ge=16,
        le=2048,
        multiple_of=LANES_A_WORD,
        description="Values of a signature; the estimate's error is about 0.43/√lanes.",
    )
    rows: int | None = Field(
        None, ge=1, description="Lanes of a band: more are fewer candidates. By itself as many as find 98 % of pairs "
        "that are just as similar as the threshold.",
    )  # fmt: skip
    against: list[str] = Field(
        default_factory=list,
        description="Folders of earlier runs: what resembles a document that one of them kept is dropped.",
    )
    keep: Keep = Field(default_factory=lambda: Keep(by="longest"), description="Which of a cluster survives.")

    @model_validator(mode="after")
    def _of_engine(self) -> NearDedup:
        foreign = self.engine == "text-dedup"
        if foreign != (self.method is not None):
            raise ValueError("'method' names the method of engine: text-dedup, and of no other")
        for name in ("simhash", "bloom", "unisim"):
            if getattr(self, name) is not None and name != self.method:
                raise ValueError(f"'{name}' has no effect here; it belongs to method: {name}")
        for name in ("threshold", "shingle", "lanes", "rows") if foreign else ():
            if getattr(self, name) != type(self).model_fields[name].get_default(call_default_factory=True):
                raise ValueError(f"'{name}' has no effect here; it belongs to engine: chejil")
        if self.method == "bloom" and self.against:
            raise ValueError("'against' has no effect on method: bloom; exact_dedup has it")
        return self

    @model_validator(mode="after")
    def _rows_fit(self) -> NearDedup:
        if self.rows is not None and self.rows > self.lanes:
            raise ValueError(f"a band of {self.rows} rows does not fit into {self.lanes} lanes")
        return self

    def earlier(self, run: str, data: str, text: Mapping[str, Any]) -> Earlier:
        """A run of `against`; `text` is what made the text that is compared (`Recipe.text_before`).

        Raises:
            RunError: it is not there, or its signatures are of other text, shingles, lanes or bands.
        """
        found, settings = open_earlier(shards.address(run, data), "near_dedup", "signatures", VERSION, text)
        theirs = NearDedup.model_validate(settings).signature
        differing = [f"{key} {value}" for key, value in theirs.items() if value != self.signature.get(key)]
        if differing:
            what = f"its signatures differ from this recipe's: {', '.join(differing)}"
            raise RunError(what, where=found.url, mend="take the same threshold, shingle, lanes and rows")
        return found

    @property
    def signature(self) -> dict[str, Any]:
        """All that a document's signature and keys depend on, beside its text."""
        if self.method is not None:
            return {
                "method": self.method,
                **self.foreign.model_dump(),
                **versions(self.method),
            }
        bands, rows = self.bands
        return {**self.shingle.model_dump(), "lanes": self.lanes, "bands": bands, "rows": rows}

    @property
    def foreign(self) -> SimHash | Bloom | UniSim:
        """Settings of text-dedup's method."""
        assert self.method is not None
        kinds = {"simhash": SimHash, "bloom": Bloom, "unisim": UniSim}
        return getattr(self, self.method) or kinds[self.method]()

    @property
    def bands(self) -> tuple[int, int]:
        """Bands of the signature, and their rows."""
        if self.rows is not None:
            return self.lanes // self.rows, self.rows
        return bands_for(self.threshold, self.lanes)


def stages(settings: NearDedup, place: Place) -> list[Stage]:
    """Signatures, edges, clusters, members, choices, verdicts.

    Raises:
        RunError: an earlier run that cannot be compared with.
    """
    like, function, find = of_method(settings)
    key = {**settings.signature, **place.edited, "made_with": made_with()}
    measure = Stage(f"near_dedup/{like.measured}", "map", function, key, place.reads, version=VERSION)
    runs = [settings.earlier(run, place.data, place.text) for run in settings.against]
    return duplicates.stages(settings.keep, like, measure, place, runs, find)


def of_method(settings: NearDedup) -> tuple[Likeness, Function, Function | None]:
    """What two sketches are compared by, what measures them, and what finds edges if keys do not."""
    if settings.method is None:
        least = min_equal_lanes(settings.threshold, settings.lanes)
        return Likeness("signatures", settings.lanes // LANES_A_WORD, least), sign, None
    return compared_by(settings.foreign)


def sign(unit: Unit) -> Tally:
    """Map: documents/ → work/near_dedup/signatures/ and keys/."""
    return duplicates.write_measured(unit, unit.settings["lanes"] // LANES_A_WORD, _signed(unit))


def _signed(unit: Unit) -> Iterator[Measured]:
    wanted = unit.settings
    for table in edits.documents(unit, ["text"]):
        texts = TextBuffers.of(table["text"])
        signature = signatures(texts, wanted["size"], wanted["lanes"], wanted["unit"])
        keys = band_keys(signature, wanted["bands"], wanted["rows"])
        # Two spacings of one text have one content hash and may be in two clusters: the keys tell them apart.
        name = content_hashes(texts)[:, 0] ^ np.bitwise_xor.reduce(keys, axis=1)
        # All ones: a document without words has no shingle, and must resemble nothing, not every other such one.
        speaks = (signature != np.iinfo(np.uint64).max).any(axis=1)
        yield Measured(sketches(signature), name, keys, speaks, np.diff(texts.offsets))
