"""How often a document is repeated: by the size of the cluster that it stands for, its quality, and its source.

    weight = source · rehydration(cluster size) · quality(value), at most max_copies
    copies = floor(weight) + (u < weight − floor(weight)),  u = xxh3-64(id, seed) / 2**64

So the mean number of copies is the weight exactly, a document has one of two neighbouring numbers (variance
f·(1 − f) ≤ ¼, less than any other law with that mean), and it has the same number whatever else is sampled, in
whichever order, by however many processes. Repeating a survivor by its cluster is rehydration (Penedo et al. 2025,
FineWeb-2; their Korean table is `fineweb2-ko`); quality steps are what DCLM-like mixtures do with score bands.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from chejil.curation.dedup import rehydration as rehydration_weights

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class QualityWeights(BaseModel):
    """Weights by a number that a run measured."""

    model_config = ConfigDict(extra="forbid")

    column: str = Field(description="A column of the run's signals: `quality`, `quality_ko`, any number.")
    steps: dict[float, Weight] = Field(
        min_length=1,
        description="From each value on, a weight: `{0: 0.5, 0.5: 1, 0.9: 3}`; below the first, the first.",
    )
    missing: Weight = Field(1.0, description="Of a document that has no value.")


class DocumentWeights(BaseModel):
    """How often documents of a curation run are repeated."""

    model_config = ConfigDict(extra="forbid")

    run: str = Field(description="A curation run's folder.")
    rehydration: str | dict[int, Weight] | None = Field(
        None, description="By size of the cluster: `fineweb2-ko`, or {size: weight} from that size on."
    )
    quality: QualityWeights | None = Field(None, description="By quality.")
    sources: dict[str, Weight] = Field(
        default_factory=dict,
        description="By source: `wiki-ko: 2`, `mc4-*/ko: 0.5`; the first that matches. None: 1.",
    )
    max_copies: int = Field(10, ge=1, le=1000, description="A document is seen at most so often.")
    seed: int = Field(1, ge=0, lt=2**63, description="Of the hash that decides between two neighbours.")

    _known = field_validator("rehydration")(rehydration_weights.known)

    def of_source(self, source: str, lang: str) -> float:
        """The weight of a source and language."""
        names = (source, f"{source}/{lang}")
        found = [w for key, w in self.sources.items() if any(fnmatchcase(name, key) for name in names)]
        return found[0] if found else 1.0

    def weights(
        self, source: str, lang: str, sizes: np.ndarray, quality: np.ndarray | None = None
    ) -> np.ndarray:
        """(num_docs) float64: how often each is seen on the mean.

        Args:
            sizes: (num_docs) of clusters, 1 for a document without duplicates.
            quality: (num_docs) values, NaN where there is none.
        """
        found = np.full(len(sizes), self.of_source(source, lang))
        if self.rehydration is not None:
            found *= rehydration_weights.weights(sizes, rehydration_weights.table(self.rehydration))
        if self.quality is not None and quality is not None:
            found *= by_steps(quality, self.quality.steps, self.quality.missing)
        return np.minimum(found, self.max_copies)


def by_steps(values: np.ndarray, steps: Mapping[float, float], missing: float) -> np.ndarray:
    """(num_docs) float64: the weight of the last step at or below each value.

    >>> by_steps(np.array([-1, 0.4, 0.5, np.nan]), {0: 0.5, 0.5: 2}, 1).tolist()
    [0.5, 0.5, 2.0, 1.0]
    """
    edges = np.array(sorted(steps))
    weights = np.array([steps[edge] for edge in edges.tolist()], np.float64)
    at = np.searchsorted(edges, values, side="right") - 1
    return np.where(np.isnan(values), missing, weights[np.maximum(at, 0)])


def copies(weights: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """(num_docs) int64: how often each document stands in the sample.

    Args:
        hashes: (num_docs) uint64, of their ids.

    >>> copies(np.array([0.5, 0.5, 2.25]), np.array([0, 2**63, 2**63], np.uint64)).tolist()
    [1, 0, 2]
    """
    whole = np.floor(weights)
    # 53 bits of the hash: what a double tells apart, so that u < 1 always.
    uniform = (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (whole + (uniform < weights - whole)).astype(np.int64)
