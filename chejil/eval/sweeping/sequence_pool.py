"""Text of a sweep: a small pool that proxies train on, and excerpts that all are measured on; both are token shards.

A proxy must repeat a source as often as the large run would, or it learns to like sources that are small (RegMix and
olmix both name it). A mixture that draws a share p of a horizon of H tokens from U unique ones reads them pH/U times;
a proxy of B tokens draws pB, so its pool of the source must hold U·B/H: a part B/H of each source, *whatever the
mixture*. So the pool is cut once and all proxies read it.

It is cut by sequences of a row's length, not by documents: at B/H = 1/100,000 a source of 12 books would be one book or
none. Taken are the sequences with the smallest hashes (of their document's id and their number), up to the part: each
source has it to a sequence, and a smaller pool is a part of a larger one. Sequences are documents of the pool, which
costs each the text before it; a proxy's rows are as short in the large corpus. All seeds share the pool, so what a
source owes to this choice of its text is in no interval: at B/H = 1/700,000 of 90 G tokens it is 250 rows of 512.

Held out are whole documents, and of each one excerpt: rows of excerpts share no document, so drawing rows anew is
drawing documents anew (`decision.document_deviation`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.id_hashes import id_hashes
from chejil.errors import ChejilError
from chejil.tokenizer.encoding import derived_shards, token_shards
from chejil.tokenizer.encoding.encoder import Tokens
from chejil.tokenizer.encoding.token_shard_writer import TokenShardWriter
from chejil.tokenizer.encoding.token_shards import TokenShard
from chejil.training.data import held_out
from chejil.training.data.held_out import Held
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.data.token_streams import NOBODY

POOL, EXCERPTS = "pool", "held-out"
_POOL_SEED = 0x706F6F6C
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Sequences:
    """Sequences of a shard: of which document, and where in it; (num_sequences) each."""

    document: np.ndarray
    begin: np.ndarray
    num_tokens: np.ndarray

    def at(self, places: np.ndarray) -> Sequences:
        """Some of them."""
        return Sequences(self.document[places], self.begin[places], self.num_tokens[places])


def sequences(lengths: np.ndarray, row_tokens: int) -> Sequences:
    """All sequences of some documents: full ones and a rest.

    >>> found = sequences(np.array([5, 2]), 2)
    >>> found.document.tolist(), found.begin.tolist(), found.num_tokens.tolist()
    ([0, 0, 0, 1], [0, 2, 4, 0], [2, 2, 1, 2])
    """
    num = -(-lengths // row_tokens)
    document = np.repeat(np.arange(len(lengths)), num)
    begin = (np.arange(int(num.sum())) - np.repeat(np.cumsum(num) - num, num)) * row_tokens
    return Sequences(document, begin, np.minimum(row_tokens, lengths[document] - begin))


def mixed(hashes: np.ndarray) -> np.ndarray:
    """(…) uint64: splitmix64, so that neighbouring numbers of one document are independent draws."""
    with np.errstate(over="ignore"):
        found = hashes + _GOLDEN
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))


def part_of(shares: Mapping[str, float], name: str) -> float:
    """The part of a stream that goes into the pool; nothing of one that no pattern means."""
    return next((share for pattern, share in shares.items() if fnmatchcase(name, pattern)), 0.0)


def write_pool(
    corpus: TokenCorpus, out: str, shares: Mapping[str, float], aside: Held, row_tokens: int
) -> None:
    """Write the sequences that proxies train on: those with the smallest hashes, up to each stream's part.

    Args:
        shares: part of each stream's tokens that the pool holds, 0 to 1, by pattern.
        aside: documents that are not trained on (`held_out.held_out`); the part is of all tokens, theirs too.

    Raises:
        ChejilError: a token shard that cannot be read.
    """
    numbers = {name: found for name, (found, _) in aside.items()}
    chosen = {name: part for name in streams(corpus) if (part := part_of(shares, name)) > 0}
    limits = {
        name: _limit(corpus, name, part, numbers.get(name, NOBODY), row_tokens)
        for name, part in chosen.items()
    }
    _write(corpus, out, list(chosen), numbers, _Pool(limits, row_tokens))


def _limit(corpus: TokenCorpus, name: str, part: float, aside: np.ndarray, row_tokens: int) -> int:
    """The largest hash that is taken.

    A hash decides alone, so a smaller part is a part of a larger one. Only hashes near the part are held: 16 bytes a
    sequence, of four times as many as are taken.
    """
    source, _, lang = name.rpartition("/")
    of_stream = corpus.groups[source, lang]
    total = sum(one.num_tokens for one in of_stream)
    for near in (4 * part + 64 * row_tokens / total, 1.0):  # all of them, where most of it is held out
        hashes, sizes = _below(of_stream, aside, near, row_tokens)
        order = np.argsort(hashes, kind="stable")
        seen = np.cumsum(sizes[order])
        if len(order) and seen[-1] >= part * total:
            return int(hashes[order[np.searchsorted(seen, part * total)]])
    return 2**64 - 1


def _below(
    of_stream: Sequence[TokenShard], aside: np.ndarray, near: float, row_tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hashes and tokens of the sequences that may be trained on, up to a share of all hashes."""
    limit, hashes, sizes = np.uint64(min(int(near * 2**64), 2**64 - 1)), [], []
    for shard, here in _marked(of_stream, aside):
        every, own = _hashed(shard, row_tokens)
        few = np.flatnonzero((own <= limit) & ~here[every.document])
        hashes.append(own[few])
        sizes.append(every.num_tokens[few])
    return np.concatenate(hashes), np.concatenate(sizes)


def _hashed(shard: TokenShard, row_tokens: int) -> tuple[Sequences, np.ndarray]:
    """All sequences of a shard, and the hash of each: of its document's id and its number there."""
    every = sequences(np.diff(np.asarray(shard.offsets)), row_tokens)
    ids = id_hashes(shard.documents()["id"].to_pylist(), _POOL_SEED)
    return every, mixed(ids[every.document] + (every.begin // row_tokens).astype(np.uint64))


def _marked(of_stream: Sequence[TokenShard], numbers: np.ndarray) -> Iterator[tuple[TokenShard, np.ndarray]]:
    """Each shard, and which of its documents are among the numbers of the stream."""
    first = 0
    for shard in of_stream:
        here = np.zeros(shard.num_documents, bool)
        here[numbers[(numbers >= first) & (numbers < first + shard.num_documents)] - first] = True
        first += shard.num_documents
        yield shard, here


def write_excerpts(corpus: TokenCorpus, out: str, aside: Held, seed: int, row_tokens: int, most: int) -> None:
    """Write a sequence of each document that is set aside.

    Args:
        seed: of the choice of the sequence.
        most: documents of a stream: those with the smallest hashes.

    Raises:
        ChejilError: a token shard that cannot be read.
    """
    numbers = {name: np.sort(held_out.in_order(*both)[:most]) for name, both in aside.items()}
    _write(corpus, out, list(numbers), numbers, _Excerpts(seed, row_tokens))


def is_whole(root: str) -> bool:
    """Whether a pool or excerpts lie there as they were written: a manifest, and its files with their sizes."""
    try:
        content = token_shards.read_manifest(root) if token_shards.is_one(root) else None
    except ChejilError:  # torn
        return False
    if content is None:
        return False
    files = {**content["files"], content["tokenizer"]["file"]: {}}
    sizes = ((shards.size(shards.join(root, path)), entry.get("bytes")) for path, entry in files.items())
    return all(size is not None and wanted in (None, size) for size, wanted in sizes)


def streams(corpus: TokenCorpus) -> list[str]:
    """Those of a corpus, `source/lang`."""
    return [f"{source}/{lang}" for source, lang in corpus.groups]


def _write(
    corpus: TokenCorpus,
    out: str,
    names: list[str],
    aside: Mapping[str, np.ndarray],
    chosen: _Pool | _Excerpts,
) -> None:
    table = corpus.token_bytes().num_bytes
    writers = [
        _stream(out, of_stream, aside.get(name, NOBODY), chosen, table)
        for name, of_stream in zip(streams(corpus), corpus.groups.values(), strict=True) if name in names
    ]  # fmt: skip
    derived_shards.finish(out, corpus.folders[0], writers)


class _Pool:
    """Sequences of the documents that are trained on, by their hash."""

    def __init__(self, limits: Mapping[str, int], row_tokens: int) -> None:
        self.limits, self.row_tokens = limits, row_tokens

    def of(self, shard: TokenShard, aside: np.ndarray) -> Sequences:
        every, hashes = _hashed(shard, self.row_tokens)
        taken = hashes <= np.uint64(self.limits[f"{shard.source}/{shard.lang}"])
        return every.at(np.flatnonzero(taken & ~aside[every.document]))


class _Excerpts:
    """A full sequence of each document that is set aside and measured on, or all of a short one."""

    def __init__(self, seed: int, row_tokens: int) -> None:
        self.seed, self.row_tokens = seed, row_tokens

    def of(self, shard: TokenShard, aside: np.ndarray) -> Sequences:
        lengths, ids = np.diff(np.asarray(shard.offsets)), shard.documents()["id"].to_pylist()
        documents = np.flatnonzero(aside & (lengths > 0))
        full = np.maximum(1, lengths[documents] // self.row_tokens).astype(np.uint64)
        number = mixed(id_hashes([ids[one] for one in documents], self.seed)) % full
        begin = number.astype(np.int64) * self.row_tokens
        return Sequences(documents, begin, np.minimum(self.row_tokens, lengths[documents] - begin))


def _stream(
    out: str, of_stream: Sequence[TokenShard], aside: np.ndarray, chosen: _Pool | _Excerpts, table: np.ndarray
) -> TokenShardWriter:
    one = of_stream[0]
    with TokenShardWriter(out, "sequences", one.source, one.lang, one.dtype) as writer:
        for shard, here in _marked(of_stream, aside):
            _copy(writer, shard, chosen.of(shard, here), table)
    return writer


def _copy(writer: TokenShardWriter, shard: TokenShard, found: Sequences, table: np.ndarray) -> None:
    if not len(found.document):
        return
    ids, ends = shard.documents()["id"].to_pylist(), np.cumsum(found.num_tokens)
    starts = np.asarray(shard.offsets)[found.document] + found.begin
    at = np.arange(int(ends[-1])) + np.repeat(starts - (ends - found.num_tokens), found.num_tokens)
    tokens = np.asarray(shard.tokens)[at].astype(np.int32)
    bounds = np.concatenate([[0], ends])
    num_bytes = np.add.reduceat(table[tokens].astype(np.int64), bounds[:-1])
    names = [f"{ids[d]}#{b}" for d, b in zip(found.document, found.begin, strict=True)]
    writer.write(pa.chunked_array([pa.array(names)]), num_bytes, Tokens(tokens, bounds))
