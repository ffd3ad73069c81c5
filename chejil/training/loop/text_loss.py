"""Cross-entropy of a text as sums: what metrics by source, language and over all are made of.

Sums and not means, because only sums add up over rows, steps, ranks and sources. Bits per byte divide by the bytes of
text that the labels stand for (`Rows.num_bytes_B`), so they compare models of other tokenizers, and Korean with
English: a loss a token is lower the finer a tokenizer cuts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TextLoss:
    """Cross-entropy of a text.

    Args:
        nats: sum over the learnt tokens, without z-loss.
        num_tokens: learnt tokens.
        num_bytes: bytes of text that they stand for.
    """

    nats: float = 0.0
    num_tokens: int = 0
    num_bytes: int = 0

    def __add__(self, other: TextLoss) -> TextLoss:
        return TextLoss(
            self.nats + other.nats, self.num_tokens + other.num_tokens, self.num_bytes + other.num_bytes
        )

    @property
    def loss(self) -> float | None:
        """Nats a token; None of no token."""
        return self.nats / self.num_tokens if self.num_tokens else None

    @property
    def bits_per_byte(self) -> float | None:
        """None of no byte.

        >>> TextLoss(100 * math.log(2), 20, 50).bits_per_byte
        2.0
        """
        return self.nats / math.log(2) / self.num_bytes if self.num_bytes else None

    def as_dict(self) -> dict[str, Any]:
        """As records hold it."""
        return {
            "loss": self.loss,
            "bits_per_byte": self.bits_per_byte,
            "num_tokens": self.num_tokens,
            "num_bytes": self.num_bytes,
        }


def total(parts: Mapping[str, TextLoss]) -> TextLoss:
    """Over all parts: each byte counts the same."""
    return sum(parts.values(), TextLoss())


def by_language(sources: Mapping[str, TextLoss]) -> dict[str, TextLoss]:
    """Sums of the languages of streams, which are called SOURCE/LANGUAGE as in `Batches.names`.

    >>> found = by_language(
    ...     {"law/ko": TextLoss(1, 2, 3), "web/ko": TextLoss(1, 2, 3), "web/en": TextLoss(4, 5, 6)}
    ... )
    >>> found["ko"]
    TextLoss(nats=2.0, num_tokens=4, num_bytes=6)
    """
    found: dict[str, TextLoss] = {}
    for name, part in sources.items():
        language = name.rpartition("/")[2]
        found[language] = found.get(language, TextLoss()) + part
    return found
