"""Held-out documents in units: what is scored, kept and shared among processes at a time.

Documents come as the tokenizer's corpus reads them (clean shards of runs, Parquet, JSON lines, formats of recipes), in
an order that follows from the files alone. A unit has up to 2 MiB of text, or one longer document, and is known by
the hash of its documents: what was scored once is found again when files were moved or more were added. Reading twice,
once to plan and once to score, costs little beside scoring: reading is at hundreds of MB/s, a GPU scores one or two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import xxhash

from chejil.eval.bits.bits_settings import By
from chejil.tokenizer import corpus

UNIT_BYTES = 2 << 20
UNIT_DOCUMENTS = 4096
UNKNOWN = "und"
"""The language of documents that do not say it (ISO 639-2: undetermined)."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document.

    Args:
        id: unique in its group; the second of equal ids ends in -2.
        group: its row of the table, e.g. web/ko.
        hash: xxh3-128 of the text's bytes.
        num_bytes: of the text in UTF-8, as it stands.
    """

    id: str
    group: str
    text: str
    hash: str
    num_bytes: int


@dataclass(frozen=True)
class Unit:
    """Some documents."""

    documents: tuple[Document, ...]

    @cached_property
    def key(self) -> str:
        """xxh3-128 over ids, groups and texts."""
        state = xxhash.xxh3_128()
        for one in self.documents:
            state.update(f"{one.group}\n{one.id}\n{one.hash}\n".encode())
        return state.hexdigest()

    @property
    def num_bytes(self) -> int:
        """Of all texts."""
        return sum(one.num_bytes for one in self.documents)


def units(
    paths: Sequence[str], by: Sequence[By], limit_bytes: int | None, rejected: Counter[str] | None = None
) -> Iterator[Unit]:
    """Documents of all paths.

    Args:
        paths: see corpus.pieces.
        by: what makes a group.
        limit_bytes: of each group the first documents until they have so many bytes, the last of them whole.
        rejected: counts records that are no documents, by reason.

    Raises:
        ChejilError: nothing is there, or a file cannot be read.
    """
    held: list[Document] = []
    size = 0
    for one in _limited(_documents(paths, by, rejected), limit_bytes):
        if held and (size + one.num_bytes > UNIT_BYTES or len(held) == UNIT_DOCUMENTS):
            yield Unit(tuple(held))
            held, size = [], 0
        held.append(one)
        size += one.num_bytes
    if held:
        yield Unit(tuple(held))


def _limited(documents: Iterator[Document], limit_bytes: int | None) -> Iterator[Document]:
    taken: Counter[str] = Counter()
    for one in documents:
        if limit_bytes is None or taken[one.group] < limit_bytes:
            taken[one.group] += one.num_bytes
            yield one


def _documents(paths: Sequence[str], by: Sequence[By], rejected: Counter[str] | None) -> Iterator[Document]:
    seen: Counter[tuple[str, str]] = Counter()
    for piece in corpus.pieces(paths):
        for table in corpus.batches(piece, ("id", "text", "source", "lang"), rejected):
            for record in table.to_pylist():
                group = "/".join(record[name] or UNKNOWN for name in by)
                seen[group, record["id"]] += 1
                number = seen[group, record["id"]]
                yield _document(record["id"] if number == 1 else f"{record['id']}-{number}", group, record)


def _document(name: str, group: str, record: dict[str, str]) -> Document:
    data = record["text"].encode()
    return Document(name, group, record["text"], xxhash.xxh3_128_hexdigest(data), len(data))
