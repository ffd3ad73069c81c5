"""Which documents are measured: of each source those with the smallest hashes, whatever the workers and the order.

Two passes over the files: the first hashes the ids and keeps 8 bytes for each of the `docs` smallest of a source, the
second takes the texts at or below the largest of them. So memory is that of a batch and the sample's, and a sample of
1,000 documents lies in that of 2,000. The hash is another one than that of `chejil tokenizer sample`, else what is
measured would be what was trained on. Of a document the first MAX_BYTES are read: else one book would outweigh its
source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.curation.dedup.shingles import content_hashes
from chejil.filters import engine
from chejil.filters.buffers import TextBuffers
from chejil.tokenizer import corpus
from chejil.tokenizer.corpus import Piece

MAX_BYTES = 128 << 10

Smallest = Mapping[str, np.ndarray]
"""The smallest hashes of each source, sorted, uint64."""


class Sampled(NamedTuple):
    """Documents of a batch that are measured: texts, and (num_docs) arrays of their hash, source and language."""

    texts: TextBuffers
    hashes: np.ndarray
    sources: list[str]
    langs: list[str]
    shortened: int


def smallest(piece: Piece, docs: int) -> tuple[Smallest, int, Counter[str]]:
    """The `docs` smallest hashes of each source of a piece, how many documents it has, and records that are none."""
    found: dict[str, np.ndarray] = {}
    number, rejected = 0, Counter[str]()
    for batch in corpus.batches(piece, ("id", "text", "source"), rejected):
        number += batch.num_rows
        rows = pl.DataFrame(
            {
                "hash": content_hashes(TextBuffers.of(batch["id"]))[:, 0],
                "source": pl.from_arrow(batch["source"]),
            }
        )
        for (source,), part in rows.group_by("source"):
            found = merged(found, {str(source): part["hash"].to_numpy()}, docs)
    return found, number, rejected


def merged(one: Smallest, other: Smallest, docs: int) -> dict[str, np.ndarray]:
    """The smallest of both."""
    nothing = np.zeros(0, np.uint64)
    return {
        source: np.sort(np.concatenate([one.get(source, nothing), other.get(source, nothing)]))[:docs]
        for source in {**one, **other}
    }


def sampled(piece: Piece, limits: Mapping[str, int]) -> Iterator[Sampled]:
    """The documents of a piece whose hash is at most their source's limit; `lang` is measured where it is null."""
    for batch in corpus.batches(piece, ("id", "text", "source", "lang")):
        hashes = content_hashes(TextBuffers.of(batch["id"]))[:, 0]
        sources = batch["source"].to_pylist()
        limit = np.array([limits.get(source, 0) for source in sources], np.uint64)
        rows = np.flatnonzero(hashes <= limit)
        if len(rows):
            chosen = batch.take(pa.array(rows))
            texts = TextBuffers.of(chosen["text"])
            short = shortened(texts)
            many = int((texts.num_bytes > MAX_BYTES).sum())
            names = [sources[row] for row in rows.tolist()]
            yield Sampled(short, hashes[rows], names, _langs(chosen["lang"], short), many)


def shortened(texts: TextBuffers) -> TextBuffers:
    """Texts of at most MAX_BYTES, cut before a character."""
    if not len(texts) or texts.num_bytes.max() <= MAX_BYTES:
        first = int(texts.offsets[0])
        return texts if first == 0 else TextBuffers(texts.data[first:], texts.offsets - first)
    starts = texts.offsets[:-1]
    ends = np.minimum(texts.offsets[1:], starts + MAX_BYTES)
    for _ in range(3):
        inside = ends < texts.offsets[1:]
        ends = np.where(
            inside & (texts.data[np.minimum(ends, len(texts.data) - 1)] & 0xC0 == 0x80), ends - 1, ends
        )
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(ends - starts, out=offsets[1:])
    data = np.concatenate([texts.data[start:end] for start, end in zip(starts, ends, strict=True)])
    data.flags.writeable = offsets.flags.writeable = False
    return TextBuffers(data, offsets)


def _langs(said: pa.ChunkedArray, texts: TextBuffers) -> list[str]:
    langs = said.to_pylist()
    if None not in langs:
        return langs
    strings = [
        texts.data[start:end].tobytes().decode()
        for start, end in zip(texts.offsets[:-1], texts.offsets[1:], strict=True)
    ]
    measured = engine.score(strings, ["lang"])["lang"].to_pylist()
    return [one or other or "unknown" for one, other in zip(langs, measured, strict=True)]
