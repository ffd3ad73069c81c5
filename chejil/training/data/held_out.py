"""Held-out documents: set aside by a seeded hash of their id, never in a training row.

A document is held out if xxh3-64 of its id with the seed is below its source's share of 2**64. So it stays held out
when the corpus grows, is encoded by another tokenizer or trained on with another seed, and two documents with one id go
together. The seed is its own: runs with several training seeds are measured on the same text. Of a stream in which none
is below, the document with the smallest hash is taken; a stream of fewer than ten documents is left whole.

Evaluation goes through them in the order of their hashes, so its first N tokens are a uniform sample of the source.

Ids are read once: 0.3 µs a document, so 8 minutes for the 1.7 billion documents of 1.4 T tokens on one core; what was
found is kept beside the shards, 16 bytes a held-out document.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated

import numpy as np
import orjson
import pyarrow as pa
import xxhash
from pydantic import BaseModel, ConfigDict, Field

from chejil.curation import shards as files
from chejil.curation.id_hashes import id_hashes
from chejil.errors import ChejilError, did_you_mean
from chejil.tokenizer.encoding.token_shards import TokenShard
from chejil.training.data import kept_tables
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.whole_numbers import Positive

SCHEMA = pa.schema([("stream", pa.string()), ("document", pa.int64()), ("hash", pa.uint64())])
"""`document`: its number among all of its stream, held out or not. Sorted by stream and document."""

MIN_DOCUMENTS = 10
"""Of fewer, one that is held out would be missed."""


class HeldOutSettings(BaseModel):
    """What is set aside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(0.001, ge=0, lt=1, description="Of the documents of each source; 0 for none.")
    shares: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(
        default_factory=dict, description="Of some sources instead: `wiki-ko`, `mc4-*` or `wiki-ko/ko`."
    )
    seed: int = Field(1, ge=0, lt=2**63, description="Of the hash; another one sets others aside.")
    eval_tokens: Positive = Field(
        1 << 20, description="An evaluation reads so many of each source, or all that are set aside."
    )

    def share_of(self, source: str, lang: str) -> float:
        """What is set aside of a source and language: what its first matching pattern says."""
        names = (source, f"{source}/{lang}")
        found = [value for key, value in self.shares.items() if any(fnmatchcase(name, key) for name in names)]
        return found[0] if found else self.share


Held = dict[str, tuple[np.ndarray, np.ndarray]]
"""By stream: numbers of the documents, sorted, and their hashes."""


def held_out(found: TokenCorpus, settings: HeldOutSettings, kept: str | None) -> Held:
    """The documents that are set aside.

    Args:
        kept: folder in which the table is looked up and kept; None to find them anew.

    Raises:
        ChejilError: a share for a source that is not there.
    """
    _require_known(found, settings)
    if settings.share == 0 and not any(settings.shares.values()):
        return {}
    said = [settings.share, settings.shares, settings.seed, found.ids_hash]
    name = f"held-out-{xxhash.xxh3_128_hexdigest(orjson.dumps(said))[:16]}"
    return _by_stream(kept_tables.table(kept, name, SCHEMA, lambda: _find(found, settings)))


def all_documents(found: TokenCorpus, seed: int) -> Held:
    """Every document, for a corpus that is there to measure on."""
    held: Held = {}
    for (source, lang), shards in found.groups.items():
        hashes = np.concatenate([_hashes(shard, seed) for shard in shards])
        held[f"{source}/{lang}"] = np.arange(len(hashes)), hashes
    return held


def _require_known(found: TokenCorpus, settings: HeldOutSettings) -> None:
    names = {name for source, lang in found.groups for name in (source, f"{source}/{lang}")}
    for key in settings.shares:
        if not any(fnmatchcase(name, key) for name in names):
            raise ChejilError(f"held_out.shares: no source '{key}'", mend=did_you_mean(key, names))


def _find(found: TokenCorpus, settings: HeldOutSettings) -> pa.Table:
    parts = []
    for (source, lang), shards in found.groups.items():
        numbers, hashes = _of_stream(shards, settings.share_of(source, lang), settings.seed)
        name = pa.repeat(f"{source}/{lang}", len(numbers))
        parts.append(pa.table([name, numbers, hashes], schema=SCHEMA))
    return pa.concat_tables(parts)


def _of_stream(shards: Sequence[TokenShard], share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    num = sum(one.num_documents for one in shards)
    if share == 0 or num < MIN_DOCUMENTS:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    limit, first = int(share * 2**64), 0
    numbers, hashes, least = [], [], (2**64, -1)  # hash and number of the smallest
    for shard in shards:
        found = _hashes(shard, seed)
        below = np.flatnonzero(found < np.uint64(limit))
        numbers.append(first + below)
        hashes.append(found[below])
        if len(found):
            least = min(least, (int(found.min()), first + int(found.argmin())))
        first += len(found)
    taken = np.concatenate(numbers)
    if len(taken) == 0:
        return np.array([least[1]]), np.array([least[0]], np.uint64)
    return _all_but_one(taken, np.concatenate(hashes), num)


def _all_but_one(numbers: np.ndarray, hashes: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    """At least one document is left to be trained on."""
    if len(numbers) < num:
        return numbers, hashes
    left = np.delete(np.arange(num), int(hashes.argmax()))
    return numbers[left], hashes[left]


def _hashes(shard: TokenShard, seed: int) -> np.ndarray:
    parts = [np.zeros(0, np.uint64)]
    for table in files.row_groups(files.join(shard.root, f"{shard.path}.parquet"), ["id"]):
        parts.append(id_hashes(table["id"].to_pylist(), seed))
    return np.concatenate(parts)


def _by_stream(table: pa.Table) -> Held:
    names = np.array(table["stream"].to_pylist(), object)
    numbers, hashes = table["document"].to_numpy(), table["hash"].to_numpy()
    return {str(name): (numbers[names == name], hashes[names == name]) for name in dict.fromkeys(names)}


def in_order(numbers: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Documents as an evaluation reads them: by hash, then by number."""
    return numbers[np.lexsort((numbers, hashes))]
