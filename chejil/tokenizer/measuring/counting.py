"""What is counted of the sampled documents: a row of numbers each, how often each token came, and some of the texts.

A row is 100 bytes a document and tokenizer; ids are counted in 8 bytes an id, language and tokenizer. Everything is
put in the order of the documents' hashes, so that no number depends on how the work was shared out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import polars as pl

from chejil.curation.statistics.text_counts import text_sizes
from chejil.filters.buffers import TextBuffers
from chejil.tokenizer.corpus import Piece
from chejil.tokenizer.measuring.alignment import align, whole_words
from chejil.tokenizer.measuring.documents import Sampled, sampled
from chejil.tokenizer.measuring.opening import Opened, open_tokenizer

TEXT_BYTES = 2 << 20
"""Of the texts of a language that are kept: morphemes are analysed in them, and the speed is measured on them."""

COUNTS = ("tokens", "whole", "same")
SIZES = ("num_bytes", "num_chars", "num_words", "words")


@dataclass
class Part:
    """What was counted.

    Args:
        rows: a document each: hash, source, lang, SIZES; and COUNTS of each tokenizer, called `0_tokens` and so on.
        used: how often each id came, by language, of each tokenizer.
        texts: by language, texts with the smallest hashes.
    """

    rows: list[pl.DataFrame] = field(default_factory=list)
    used: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)
    texts: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    shortened: int = 0

    def add(self, other: Part) -> None:
        """Add what another has counted."""
        self.rows += other.rows
        self.shortened += other.shortened
        for key, counts in other.used.items():
            self.used[key] = self.used[key] + counts if key in self.used else counts
        for lang, texts in other.texts.items():
            self.texts[lang] = fewest([*self.texts.get(lang, []), *texts])

    def frame(self) -> pl.DataFrame:
        """All rows, in an order that follows from the documents alone."""
        return pl.concat(self.rows).sort("source", "lang", "hash", "num_bytes")


def fewest(texts: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Those with the smallest hashes, TEXT_BYTES together; the one that goes beyond is the last."""
    kept, room = [], TEXT_BYTES
    for one in sorted(texts):
        if room <= 0:
            break
        kept.append(one)
        room -= len(one[1].encode())
    return kept


@lru_cache(maxsize=16)
def opened(spec: str, name: str) -> Opened:
    """A tokenizer, opened once a process."""
    return open_tokenizer(spec, name)


def count_piece(piece: Piece, limits: Mapping[str, int], tokenizers: Sequence[tuple[str, str]]) -> Part:
    """Count the sampled documents of a piece for all tokenizers."""
    part = Part()
    for batch in sampled(piece, limits):
        count_batch(part, batch, [opened(*one) for one in tokenizers])
    return part


def count_batch(part: Part, batch: Sampled, tokenizers: Sequence[Opened]) -> None:
    """Add a batch to a part."""
    columns = {"hash": batch.hashes, "source": batch.sources, "lang": batch.langs, **text_sizes(batch.texts)}
    langs = np.array(batch.langs)
    for number, tokenizer in enumerate(tokenizers):
        found = align(batch.texts, tokenizer)
        words, whole = whole_words(batch.texts, found)
        tokens = np.diff(found.tokens.offsets)
        columns |= {"words": words}
        columns |= {
            f"{number}_{name}": one for name, one in zip(COUNTS, (tokens, whole, found.same), strict=True)
        }
        for lang in sorted(set(batch.langs)):
            ids = found.tokens.ids[np.repeat(langs == lang, tokens)]
            counts = np.bincount(ids, minlength=len(tokenizer.token_bytes))
            key = (number, lang)
            part.used[key] = part.used[key] + counts if key in part.used else counts
    part.rows.append(pl.DataFrame(columns))
    part.shortened += batch.shortened
    for lang, texts in _texts(batch).items():
        part.texts[lang] = fewest([*part.texts.get(lang, []), *texts])


def _texts(batch: Sampled) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = {}
    offsets = batch.texts.offsets
    for doc, (key, lang) in enumerate(zip(batch.hashes.tolist(), batch.langs, strict=True)):
        if lang in ("ko", "en"):
            found.setdefault(lang, []).append((key, _text(batch.texts, offsets[doc], offsets[doc + 1])))
    return found


def _text(texts: TextBuffers, start: int, end: int) -> str:
    return texts.data[start:end].tobytes().decode()
