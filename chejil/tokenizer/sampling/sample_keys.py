"""Where a sample ends: a hash a document, and for each stratum the last of the smallest that are taken.

A document's place is drawn by xxh3-64 of its id with the sample's seed, so which documents are taken follows from
their ids alone: a corpus that grows keeps most of its sample, and samples of parts can be merged. Two documents with
the same id are taken in the order of the pieces.

Nothing of the corpus is held: 65,536 counters a stratum tell in which 65,536th of the hashes the end lies, and of that
one the hashes are read (a second reading of 8 to 16 bytes a document, 30,000 documents of two billion at a time).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from chejil.curation import shards
from chejil.curation.id_hashes import id_hashes
from chejil.curation.shards import FileRecord
from chejil.tokenizer import corpus
from chejil.tokenizer.corpus import Piece
from chejil.tokenizer.sampling.quotas import SampleSettings, Stratum

SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("lang", pa.string()),
        ("hash", pa.uint64()),
        ("row", pa.int64()),
        ("num_bytes", pa.int64()),
    ]
)
"""Keys of a piece: a row a document, in order. `num_bytes` is 1 where the sample is in documents."""

BINS = 1 << 16
_BIN_SHIFT = 48
_AFTER_ALL_PIECES = 1 << 62
UNKNOWN = "unknown"


class End(NamedTuple):
    """The last document that is taken of a stratum: its hash, the number of its piece, and its row there."""

    hash: int
    piece: int
    row: int


NOTHING = End(-1, -1, -1)
EVERYTHING = End(1 << 64, 0, 0)


@dataclass
class Sizes:
    """What there is of a stratum: documents, and units (documents or bytes) by the first bits of the hash."""

    docs: int = 0
    units: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))


def write(root: str, path: str, piece: Piece, settings: SampleSettings, rejected: Counter[str]) -> FileRecord:
    """Write the keys of a piece. The text is read where the sample is in bytes, or where it cannot be passed over.

    Args:
        rejected: gains the reasons of what is no document.
    """
    return shards.write_shard(root, path, _keys(piece, settings, rejected), SCHEMA)


def _keys(piece: Piece, settings: SampleSettings, rejected: Counter[str]) -> Iterator[pa.Table]:
    row, columns = 0, ["id", "source", "lang"]
    in_bytes = settings.unit == "bytes"
    if in_bytes or corpus.may_lack_text(piece):
        columns.append("text")
    for table in corpus.batches(piece, columns, rejected):
        ids = table["id"].to_pylist()
        hashes = id_hashes(ids, settings.seed)
        units = capped(table["text"], settings.max_chars)[1] if in_bytes else np.ones(len(ids), np.int64)
        lang = table["lang"].fill_null(UNKNOWN)
        rows = np.arange(row, row + len(ids))
        yield pa.table([table["source"], lang, hashes, rows, units], schema=SCHEMA)
        row += len(ids)


def capped(texts: pa.ChunkedArray, max_chars: int) -> tuple[pa.Array, np.ndarray]:
    """Texts cut after some characters, and their bytes, (num_docs) int64."""
    series = pl.Series(pl.from_arrow(texts)).str.head(max_chars)
    return series.to_arrow(), series.str.len_bytes().to_numpy().astype(np.int64)


def sizes(urls: Iterable[str]) -> dict[Stratum, Sizes]:
    """What there is of each stratum, by all keys."""
    found: dict[Stratum, Sizes] = {}
    for url in urls:
        for table in shards.row_groups(url):
            for stratum, rows in by_stratum(table):
                size = found.setdefault(stratum, Sizes())
                size.docs += rows.num_rows
                bins = (rows["hash"].to_numpy() >> np.uint64(_BIN_SHIFT)).astype(np.int64)
                size.units += np.bincount(bins, rows["num_bytes"].to_numpy(), BINS).astype(np.int64)
    return found


def by_stratum(table: pa.Table) -> Iterator[tuple[Stratum, pa.Table]]:
    """Rows of a table, by their stratum."""
    named = pl.DataFrame(pl.from_arrow(table)).with_columns(pl.col("lang").fill_null(UNKNOWN))
    for (source, lang), rows in named.group_by("source", "lang", maintain_order=True):
        yield Stratum(str(source), str(lang)), rows.to_arrow()


def ends(urls: list[str], found: Mapping[Stratum, Sizes], given: Mapping[Stratum, int]) -> dict[Stratum, End]:
    """The last document of each stratum that is taken: all of them have what is given, or just less in bytes."""
    result, open_bins = {}, {}
    for stratum, size in found.items():
        whole = int(size.units.sum())
        if given[stratum] in (0, whole):
            result[stratum] = NOTHING if given[stratum] == 0 else EVERYTHING
            continue
        number = int(np.searchsorted(np.cumsum(size.units), given[stratum], side="right"))
        open_bins[stratum] = (number, given[stratum] - int(size.units[:number].sum()))
    members = _members(urls, {stratum: number for stratum, (number, _) in open_bins.items()})
    for stratum, (number, left) in open_bins.items():
        result[stratum] = _end(members[stratum], left, number)
    return result


def _members(urls: list[str], bins: Mapping[Stratum, int]) -> dict[Stratum, np.ndarray]:
    """Keys in one bin of each stratum: (num_keys) of hash, piece, row and units, as they are taken."""
    parts: dict[Stratum, list[np.ndarray]] = {stratum: [] for stratum in bins}
    for number, url in enumerate(urls) if bins else ():
        for table in shards.row_groups(url):
            for stratum, rows in by_stratum(table):
                if stratum in bins:
                    parts[stratum].append(_of_bin(rows, number, bins[stratum]))
    return {
        stratum: np.sort(np.concatenate(some), order=["hash", "piece", "row"])
        for stratum, some in parts.items()
    }


_MEMBER = np.dtype([("hash", np.uint64), ("piece", np.int64), ("row", np.int64), ("units", np.int64)])


def _of_bin(rows: pa.Table, piece: int, number: int) -> np.ndarray:
    hashes = rows["hash"].to_numpy()
    here = (hashes >> np.uint64(_BIN_SHIFT)) == np.uint64(number)
    members = np.empty(int(here.sum()), _MEMBER)
    members["hash"], members["piece"] = hashes[here], piece
    members["row"], members["units"] = rows["row"].to_numpy()[here], rows["num_bytes"].to_numpy()[here]
    return members


def _end(members: np.ndarray, left: int, number: int) -> End:
    taken = int(np.searchsorted(np.cumsum(members["units"]), left, side="right"))
    if taken == 0:  # all bins before this one, and nothing of it
        return End((number << _BIN_SHIFT) - 1, _AFTER_ALL_PIECES, 0) if number else NOTHING
    last = members[taken - 1]
    return End(int(last["hash"]), int(last["piece"]), int(last["row"]))


def taken(url: str, number: int, last: Mapping[Stratum, End]) -> np.ndarray:
    """Rows of a piece that are taken, sorted, by its keys.

    Args:
        number: of the piece.
    """
    rows: list[np.ndarray] = []
    for table in shards.row_groups(url):
        for stratum, keys in by_stratum(table):
            rows.append(_before(keys, number, last[stratum]))
    return np.sort(np.concatenate(rows)) if rows else np.zeros(0, np.int64)


def _before(keys: pa.Table, number: int, last: End) -> np.ndarray:
    hashes, rows = keys["hash"].to_numpy(), keys["row"].to_numpy()
    if last == EVERYTHING:
        return rows
    if last.hash < 0:
        return rows[:0]
    end = np.uint64(last.hash)
    at_end = (hashes == end) & ((number < last.piece) | ((number == last.piece) & (rows <= last.row)))
    return rows[(hashes < end) | at_end]
