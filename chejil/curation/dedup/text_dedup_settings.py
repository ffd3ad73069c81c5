"""Settings of `engine: text-dedup`, and whether it is installed; it stands outside `all`, since it pins old versions.

text-dedup 0.4.0 needs urllib3 < 2, rich < 14, click < 9, and pulls PySpark and Sphinx: 1.8 GB in all. pip installs
it beside Chejil in an environment of its own; nothing of it is imported before a stage asks for it.
"""

from __future__ import annotations

import importlib.util
import math
from importlib import metadata
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chejil.errors import ChejilError

Method = Literal["simhash", "bloom", "unisim"]

VERSION = "0.4.0"
"""The version of text-dedup whose functions are called; 0.4.1 is another program of the same name."""

_MAX_KEYS = 256
_NEEDS = {
    "simhash": ("text_dedup", "bitarray"),
    "bloom": ("text_dedup", "pybloom_live"),
    "unisim": ("text_dedup", "unisim", "onnxruntime"),
}


class SimHash(BaseModel):
    """How text-dedup's SimHash compares."""

    model_config = ConfigDict(extra="forbid")

    bits: Literal[64, 128] = Field(64, description="Bits of a fingerprint.")
    max_differing_bits: int = Field(3, ge=0, le=16, description="Bits in which duplicates may differ.")
    ngram_chars: int = Field(
        3, ge=1, le=64, description="Characters of an n-gram; spaces count, case does not."
    )
    blocks: int = Field(
        6, ge=2, le=32, description="Parts of a fingerprint; all but `max_differing_bits` of them must be equal. "
        "More are longer keys, and fewer false candidates.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _blocks_fit(self) -> SimHash:
        if self.blocks <= self.max_differing_bits:
            raise ValueError(
                f"{self.blocks} blocks: as many may differ; more than max_differing_bits are needed"
            )
        if math.comb(self.blocks, self.max_differing_bits) > _MAX_KEYS:
            raise ValueError(f"{self.blocks} blocks are more than {_MAX_KEYS} keys a document; take fewer")
        return self


class Bloom(BaseModel):
    """How text-dedup's Bloom filter compares: equal texts alone."""

    model_config = ConfigDict(extra="forbid")

    hash: Literal["md5", "sha256", "xxh3"] = Field(
        "xxh3", description="Of the text; 128 bits of it are kept."
    )
    error_rate: float = Field(
        1e-6,
        gt=0,
        lt=1,
        description="Share of unique documents that are looked up twice; none of them is dropped.",
    )


class UniSim(BaseModel):
    """How text-dedup's UniSim compares."""

    model_config = ConfigDict(extra="forbid")

    threshold: float = Field(
        0.9, gt=0, lt=1, description="Cosine of two embeddings from which documents are duplicates."
    )


def missing(method: Method) -> ChejilError | None:
    """What keeps a method from running on this machine, or None."""
    mend = "pip install 'chejil[text-dedup]', in an environment of its own: it needs urllib3<2 and rich<14"
    absent = [name for name in _NEEDS[method] if importlib.util.find_spec(name) is None]
    if absent:
        return ChejilError(f"engine: text-dedup needs {', '.join(absent)}", mend=mend)
    if (found := metadata.version("text-dedup")) != VERSION:
        return ChejilError(f"text-dedup {found} is another program than {VERSION}", mend=mend)
    return None


def versions(method: Method) -> dict[str, str]:
    """Packages that decide what a method measures; none are named where they are not installed."""
    packages = ["text-dedup", *(["unisim", "onnxruntime"] if method == "unisim" else [])]
    if missing(method) is not None:
        return {}
    return {name: metadata.version(name) for name in packages}
