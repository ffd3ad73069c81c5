"""The documents of a finished run that are nearest to a text, or to one of them, with their true similarity and a diff.

A run that has near-deduplicated is its own index. Its sorted keys name the documents that share a band with the text (a
few row groups of 65,536 keys are read, whatever the run's size); where these are fewer than asked for, all sketches are
compared, 64 bytes and 12 ns a document. The best by sketch are read, and their shingles compared for the true Jaccard
similarity. Nothing is built, and nothing written.

A run without MinHash signatures is signed now, at 100 MB/s, and asked through datasketch's LSH forest (Bawa, Condie and
Ganesan 2005) in memory: 7 KB and 110 µs a document, so for runs of up to a million.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

from chejil.curation import edits, finished_files, lookup, manifest, shards
from chejil.curation.dedup.index import refuse_unlike
from chejil.curation.dedup.key_tables import rows_with
from chejil.curation.dedup.near_dedup import VERSION, NearDedup
from chejil.curation.dedup.shingles import shingle_set, signatures
from chejil.curation.dedup.sketches import band_keys, equal_lanes, similarity, sketches
from chejil.curation.dedup.word_diff import Diff, word_diff
from chejil.curation.manifest import Manifest
from chejil.curation.normalising.normalise import Normalise, normalise
from chejil.curation.side_tables import matrix_of
from chejil.errors import ChejilError, RunError
from chejil.filters.buffers import TextBuffers

Place = tuple[str, int]
"""Shard and row of a document."""

_MIN_READ, _READ_FOR_ONE = (
    32,
    3,
)  # candidates whose text is read: the estimate's order is not quite the true one
_TREES = 32
_PLACE = re.compile(r"[^\n]*\S#\d+")
"""What ends like `FILE#LINE` is a place, if it has spaces in it, too: file names may."""


@dataclass(frozen=True)
class Neighbour:
    """A document: its true similarity (Jaccard, of shingles), what its sketch says, and what must be changed in the
    text that was asked for to make it."""

    id: str
    shard: str
    kept: bool
    similarity: float
    estimate: float
    diff: Diff


@dataclass(frozen=True)
class Nearest:
    """Neighbours, the most similar first; `by` says how they were found, `document` whose they are (None: a text's)."""

    document: str | None
    by: str
    shingle: str
    documents: int
    neighbours: list[Neighbour]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Query:
    text: str
    signature: np.ndarray
    itself: Place | None


def nearest(root: str, query: str, top: int = 10, is_text: bool = False) -> Nearest:
    """The nearest documents to the document of that id or place, which is left out, or to a text.

    Args:
        is_text: it is a text whatever it looks like; by itself, what has white space, is no id and does not end in
            `#LINE`.

    Raises:
        RunError: no finished run, one without documents or with signatures of another version, or no such document.
        ChejilError: a text without words.
    """
    content = manifest.read(root)
    if not content.documents:
        raise RunError(
            "this run has no documents", where=root, mend="chejil explain shows what was set aside"
        )
    recipe = lookup.recipe_of(root)
    settings: NearDedup | None = recipe.stage("near_dedup")
    signed = settings is not None and settings.engine == "chejil"
    if signed:
        refuse_unlike(root, content.stages, content.versions, "near_dedup/signatures", VERSION)
    wanted = settings if settings is not None and signed else NearDedup()
    transforms = recipe.transforms(before="near_dedup") if signed else []
    folders = ["documents", "decisions"]
    folders += ["work/near_dedup/keys", "work/near_dedup/signatures"] if signed else []
    finished_files.refuse_missing(
        root, (f"{folder}/{shard}.parquet" for folder in folders for shard in lookup.shards_of(content))
    )
    itself = None if is_text else lookup.find(root, content, query)
    if itself is None and not is_text and (len(query.split()) < 2 or _PLACE.fullmatch(query)):
        raise lookup.absent(root, content, query)
    text = query if itself is None else lookup.text_of(root, *itself[:2], transforms)
    wording = _query(text, wanted, recipe.stage("normalise"), itself[:2] if itself else None)
    if signed:
        by, places = _by_signatures(root, content, wording, wanted, top)
    else:
        by, places = "datasketch", _by_forest(root, content, wording, wanted, top)
    neighbours = _compared(root, wording, places, wanted, transforms, top)
    shingle = f"{wanted.shingle.size} {wanted.shingle.unit}"
    return Nearest(itself[2]["id"] if itself else None, by, shingle, content.documents, neighbours)


def _query(text: str, wanted: NearDedup, form: Normalise | None, itself: Place | None) -> _Query:
    text = normalise([text], form or Normalise()).texts[0].as_py()
    signature = _signed([text], wanted)[0]
    if not _has_words(signature[None])[0]:
        raise ChejilError(
            "there are no words to compare", where=text[:40] or None, mend="give a text with letters"
        )
    return _Query(text, signature, itself)


def _signed(texts: pa.ChunkedArray | list[str], wanted: NearDedup) -> np.ndarray:
    return signatures(TextBuffers.of(texts), wanted.shingle.size, wanted.lanes, wanted.shingle.unit)


def _has_words(signature: np.ndarray) -> np.ndarray:
    return np.asarray((signature != np.iinfo(np.uint64).max).any(axis=1))


def _enough(top: int) -> int:
    return max(_MIN_READ, _READ_FOR_ONE * top)


def _by_signatures(
    root: str, content: Manifest, query: _Query, wanted: NearDedup, top: int
) -> tuple[str, dict[Place, float]]:
    """Documents that share a band, or the best of all sketches where these are too few, and their estimates."""
    keys = np.sort(band_keys(query.signature[None], *wanted.bands)[0])
    sketch = sketches(query.signature[None])[0]
    found: dict[Place, float] = {}
    for shard in lookup.shards_of(content):
        rows = np.unique(rows_with(shards.join(root, f"work/near_dedup/keys/{shard}.parquet"), keys))
        found |= _best(root, shard, sketch, rows, top) if len(rows) else {}
    if len(found.keys() - {query.itself}) >= top:
        return "band keys", found
    for shard in lookup.shards_of(content):
        found |= _best(root, shard, sketch, None, top)
    return "all sketches", found


def _best(root: str, shard: str, sketch: np.ndarray, rows: np.ndarray | None, top: int) -> dict[Place, float]:
    """The most similar rows of a shard, of those given or of all, with what their sketches say."""
    lanes, start = len(sketch) * 16, 0
    found: dict[Place, float] = {}
    for table in shards.row_groups(
        shards.join(root, f"work/near_dedup/signatures/{shard}.parquet"), ["sketch"]
    ):
        own = (
            np.arange(len(table))
            if rows is None
            else rows[(rows >= start) & (rows < start + len(table))] - start
        )
        agreed = _agreements(sketch, matrix_of(table["sketch"], np.uint64)[own])
        for place in np.argsort(-agreed, kind="stable")[: _enough(top)]:
            found[shard, int(own[place]) + start] = float(similarity(agreed[place : place + 1], lanes)[0])
        start += len(table)
    best = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return dict(best[: _enough(top)])


@njit(cache=True, nogil=True)
def _agreements(sketch, others):
    """Lanes in which each of the others agrees with a sketch, (num_others) int64."""
    agreed = np.empty(len(others), np.int64)
    for row in range(len(others)):
        agreed[row] = equal_lanes(sketch, others[row])
    return agreed


def _by_forest(
    root: str, content: Manifest, query: _Query, wanted: NearDedup, top: int
) -> dict[Place, float]:
    """The same from datasketch's forest over all documents, with the share of equal lanes."""
    try:
        datasketch = importlib.import_module("datasketch")
    except ImportError:
        mend = "pip install 'chejil[near]', or put near_dedup into its recipe and run it again"
        raise RunError(
            "no MinHash signatures here, and no datasketch to make up for them", where=root, mend=mend
        ) from None

    def lean(signature: np.ndarray) -> Any:
        # Lanes are ours; the forest looks at their equality and order alone, whatever scheme they come from.
        return datasketch.LeanMinHash(seed=1, hashvalues=signature, scheme="affine64")

    forest, places = datasketch.MinHashLSHForest(num_perm=wanted.lanes, l=_TREES), list[Place]()
    for place, signature in _signatures(root, content, wanted):
        forest.add(len(places), lean(signature))
        places.append(place)
    forest.index()
    found = sorted(forest.query(lean(query.signature), _enough(top) + 1))
    return {
        places[number]: float((forest.get_minhash_hashvalues(number) == query.signature).mean())
        for number in found
    }


def _signatures(root: str, content: Manifest, wanted: NearDedup) -> Iterator[tuple[Place, np.ndarray]]:
    for shard in lookup.shards_of(content):
        start = 0
        for table in edits.row_groups(root, shard, ["text"], ()):
            signed = _signed(table["text"], wanted)
            for row in np.flatnonzero(_has_words(signed)):
                yield (shard, start + int(row)), signed[row]
            start += len(table)


def _compared(
    root: str, query: _Query, places: dict[Place, float], wanted: NearDedup, transforms: list[str], top: int
) -> list[Neighbour]:
    """The candidates that have a shingle in common with the text, by true similarity; the best get a diff."""
    places.pop(query.itself, None)  # type: ignore[arg-type]
    best = sorted(places, key=lambda place: (-places[place], place))[: _enough(top)]
    shingle = wanted.shingle
    own = shingle_set(query.text, shingle.size, shingle.unit)
    rows = []
    for shard in sorted({shard for shard, _ in best}):
        here = sorted(row for other, row in best if other == shard)
        for row, decision, text in _documents(root, shard, here, transforms):
            other = shingle_set(text, shingle.size, shingle.unit)
            alike = len(own & other) / len(own | other)
            if alike:
                rows.append((-alike, decision["id"], shard, row, decision["kept"], text))
    return [
        Neighbour(id_, shard, kept, -alike, places[shard, row], word_diff(query.text, text))
        for alike, id_, shard, row, kept, text in sorted(rows)[:top]
    ]


def _documents(
    root: str, shard: str, rows: list[int], transforms: list[str]
) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Row, decision and text of some documents of a shard, which is read once."""
    decisions = lookup.table(root, f"decisions/{shard}", ["id", "kept"])[rows].to_dicts()
    left, start = list(zip(rows, decisions, strict=True)), 0
    for table in edits.row_groups(root, shard, ["text"], transforms):
        while left and left[0][0] < start + len(table):
            row, decision = left.pop(0)
            yield row, decision, table["text"][row - start].as_py()
        if not left:
            return
        start += len(table)
