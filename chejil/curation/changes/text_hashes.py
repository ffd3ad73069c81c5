"""Which documents of a shard have another final text in another run, reading as little as proves it.

Equal files of documents/ and of all edits: none. Equal documents and other edits: a document whose edits are the same
is the same, one whose edits add up to another length differs; only where they differ and the length does not (another
surrogate of the same shape) both texts are read. Other documents: both are read. Texts are compared by a 64-bit hash:
of 10 million changed pairs one is taken for equal with a chance of 10⁻¹².
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from chejil.curation import edits, shards

_EDIT = ("row", "start", "end", "after")


@dataclass(frozen=True)
class Texts:
    """The texts of a run: documents/ and the edits of its transforms; `files` is that of its manifest."""

    root: str
    transforms: Sequence[str]
    files: Mapping[str, Mapping[str, Any]]

    def hash_of(self, folder: str, shard: str) -> str | None:
        """The hash of a file; None where there is none."""
        return self.files.get(f"{folder}/{shard}.parquet", {}).get("hash")

    def hashes(self, shard: str, rows: np.ndarray | None = None) -> np.ndarray:
        """A hash of each final text, (num_rows) uint64, comparable within this process; of all, or of some rows."""
        parts, start = [], 0
        for table in edits.row_groups(self.root, shard, ["text"], self.transforms):
            here = rows is None or bool(
                np.searchsorted(rows, start) < np.searchsorted(rows, start + len(table))
            )
            texts = pl.Series(pl.from_arrow(table["text"].combine_chunks())) if here else None
            parts.append(np.zeros(len(table), np.uint64) if texts is None else texts.hash().to_numpy())
            start += len(table)
        return np.concatenate(parts) if parts else np.zeros(0, np.uint64)

    def edits_of(self, shard: str, num_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Of each document, (num_rows): bytes that its edits add (int64), and a hash of them (uint64; 0: none)."""
        grown, hashes = np.zeros(num_rows, np.int64), np.zeros(num_rows, np.uint64)
        for transform in self.transforms:
            for table in shards.row_groups(
                shards.join(self.root, f"{edits.folder(transform)}/{shard}.parquet"), _EDIT
            ):
                rows = pl.DataFrame(pl.from_arrow(table))
                added = rows["after"].str.len_bytes().cast(pl.Int64) - (rows["end"] - rows["start"])
                at = rows["row"].to_numpy()
                np.add.at(grown, at, added.to_numpy())
                marked = rows.select("start", "end", "after", by=pl.lit(transform))
                np.add.at(hashes, at, marked.hash_rows(seed=1).to_numpy())
        return grown, hashes


def changed_texts(one: Texts, other: Texts, shard: str) -> np.ndarray | None:
    """Documents of an aligned shard whose final texts differ, (num_rows) bool; None: none do."""
    same_documents = one.hash_of("documents", shard) == other.hash_of("documents", shard)
    if same_documents and _edit_files(one, shard) == _edit_files(other, shard):
        return None
    if not same_documents:
        return one.hashes(shard) != other.hashes(shard)
    num_rows = one.files[f"documents/{shard}.parquet"]["rows"]
    (grown, marks), (other_grown, other_marks) = (texts.edits_of(shard, num_rows) for texts in (one, other))
    differs = grown != other_grown
    unlike = (marks != other_marks) if _in_one_order(one, other) else (marks | other_marks) != 0
    unsure = np.flatnonzero(unlike & ~differs)
    if len(unsure):
        differs[unsure] = one.hashes(shard, unsure)[unsure] != other.hashes(shard, unsure)[unsure]
    return differs


def _edit_files(texts: Texts, shard: str) -> list[tuple[str, str | None]]:
    """Hashes of the edits that change anything, in order."""
    folders = [edits.folder(name) for name in texts.transforms]
    paths = [(folder, f"{folder}/{shard}.parquet") for folder in folders]
    return [(folder, texts.hash_of(folder, shard)) for folder, path in paths if texts.files[path]["rows"]]


def _in_one_order(one: Texts, other: Texts) -> bool:
    """True if the transforms that both have stand in the same order: equal edits then make equal texts."""
    common = [
        [name for name in texts.transforms if name in set(rest.transforms)]
        for texts, rest in ((one, other), (other, one))
    ]
    return common[0] == common[1]
