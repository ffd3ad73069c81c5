"""The law of counts: how many copies were expected of documents, how many there are, and how far off that may be.

Copies of a document with weight w = n + f are n or n + 1, the second with probability f, independently of all others.
So the sum has the mean Σw exactly and the variance Σf(1 − f); `z` is how many standard deviations it is off.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np


class CountLaw:
    """Sums over documents."""

    def __init__(self) -> None:
        self.documents = self.copies = self.num_bytes = self.copied_bytes = 0
        self.weight = self.variance = self.weighted_bytes = 0.0
        self.times: Counter[int] = Counter()

    def add(self, weights: np.ndarray, num: np.ndarray, length: np.ndarray) -> None:
        """Count documents.

        Args:
            weights: (num_docs) float64.
            num: (num_docs) int64, their copies.
            length: (num_docs) bytes of their text.
        """
        part, length = weights - np.floor(weights), length.astype(np.int64)
        self.documents += len(num)
        self.copies += int(num.sum())
        self.num_bytes += int(length.sum())
        self.copied_bytes += int((length * num).sum())
        self.weight += math.fsum(weights)
        self.variance += math.fsum(part * (1 - part))
        self.weighted_bytes += math.fsum(weights * length)
        values, often = np.unique(num, return_counts=True)
        self.times.update(dict(zip(values.tolist(), often.tolist(), strict=True)))

    def join(self, other: CountLaw) -> None:
        """Add another's sums."""
        for name in (
            "documents",
            "copies",
            "num_bytes",
            "copied_bytes",
            "weight",
            "variance",
            "weighted_bytes",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.times.update(other.times)

    @classmethod
    def of(cls, content: dict[str, Any]) -> CountLaw:
        """What `as_dict` said."""
        law = cls()
        law.__dict__.update(content, times=Counter({int(n): often for n, often in content["times"].items()}))
        return law

    def as_dict(self) -> dict[str, Any]:
        """For JSON, exactly."""
        return {**self.__dict__, "times": {str(n): often for n, often in sorted(self.times.items())}}

    def told(self) -> dict[str, Any]:
        """For people: expected and actual, and by how many standard deviations they differ."""
        off = self.copies - self.weight
        return {
            "documents": self.documents,
            "copies": self.copies,
            "expected_copies": round(self.weight, 3),
            "standard_deviation": round(math.sqrt(self.variance), 3),
            "z": round(off / math.sqrt(self.variance), 3) if self.variance > 1e-9 else 0.0,
            "bytes": self.num_bytes,
            "copied_bytes": self.copied_bytes,
            "expected_bytes": round(self.weighted_bytes),
            "documents_by_copies": dict(sorted(self.times.items())),
        }
