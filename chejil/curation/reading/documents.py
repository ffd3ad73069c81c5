"""The document batch: the one schema in which every source arrives and every later stage reads.

A row of a source ends in one of two tables: `documents`, or `quarantine` with a reason. Between them they
hold every row of the file, so rows can be counted against the file at any time. Upstream fields that have
no column here travel in `meta` as JSON text: a struct column would have to agree on one type for each field
over all shards of all sources, which published corpora do not (RedPajama's `meta` is a string in one subset
and an object in another); the price is about 1 µs a row for writing it and a JSON parse for reading it.

Canonical columns: docs/design.md, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("lang", pa.string()),
        pa.field("url", pa.string()),
        pa.field("timestamp", pa.string()),
        pa.field("license", pa.string()),
        pa.field("meta", pa.string()),
    ]
)
"""A document batch. `lang` is null until it has been measured; `meta` is JSON with sorted keys, or null."""

QUARANTINE = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("line", pa.int64()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("excerpt", pa.string()),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)
"""Rows that are no documents. `line` is the record's number in its file, from 0: in JSON lines that of its
line, blank lines counted, in every other container that of the record. `bytes` is the record's size in the
file (decompressed), or that of its JSON where the file is Parquet."""

REASONS = MappingProxyType(
    {
        "torn_stream": "the compressed stream ends or breaks here; whatever followed is lost",
        "bad_json": "the line is not JSON",
        "not_an_object": "the line is JSON, but not an object",
        "bad_row": "the row does not fit the table: another number of fields, or a quote that is not closed",
        "invalid_utf8": "the bytes are not UTF-8, or a JSON escape names half a surrogate pair",
        "missing_text": "there is no such field as the text's",
        "null_text": "the text is null",
        "text_not_string": "the text is a number, a list or an object",
        "record_too_large": "one record above 64 MiB",
        "broken_record": "a record of a web archive that cannot be read: torn, damaged, or an unknown encoding",
        "other_record": "a record of a web archive that holds no page: warcinfo, request, metadata, revisit",
        "http_status": "a response whose status is not asked for (`statuses`): redirects, errors",
        "not_html": "no HTML page: another media type, a feed, plain text",
        "unknown_charset": "no charset reads the page, neither the declared one nor those that are guessed",
        "undecodable_text": "bytes of the page's main text cannot be read",
        "page_too_large": "a page above the bytes or elements that `extraction` allows",
        "extraction_failed": "the page is nested too deeply, or the extractor failed on it",
        "no_text": "the page or article has no main text: scripts, frames, menus, templates alone",
        "other_namespace": "a wiki page of a namespace that is not asked for: talk, user, template, category",
        "redirect": "a wiki page that leads to another one",
        "disambiguation": "a wiki page that lists the meanings of a word",
    }
)
"""Every reason of `quarantine`, with what it means."""

EXCERPT_CHARS = 200


@dataclass(frozen=True, slots=True)
class Document:
    """One document; `text` is UTF-8, so that its bytes go into the table as they are."""

    id: str
    text: bytes
    url: str | None
    timestamp: str | None
    license: str | None
    meta: str | None


@dataclass(frozen=True, slots=True)
class Flaw:
    """One record that is no document: a key of `REASONS`, what exactly, the beginning of it, and its size."""

    reason: str
    detail: str
    excerpt: str
    num_bytes: int

    @classmethod
    def of(cls, reason: str, detail: str, raw: bytes, num_bytes: int | None = None) -> Flaw:
        """A flaw of a record of which `raw` is at least the beginning.

        >>> Flaw.of("bad_json", "unexpected end", b'{"text": ').excerpt
        '{"text": '
        """
        assert reason in REASONS, reason
        excerpt = raw[: 4 * EXCERPT_CHARS].decode("utf-8", "replace")[:EXCERPT_CHARS]
        return cls(reason, detail, excerpt, len(raw) if num_bytes is None else num_bytes)

    def after(self, begin: bytes | Flaw) -> Flaw:
        """The same flaw of a record that began earlier, with `begin`."""
        if not isinstance(begin, Flaw):
            begin = Flaw.of(self.reason, self.detail, begin)
        excerpt = (begin.excerpt + self.excerpt)[:EXCERPT_CHARS]
        return Flaw(self.reason, self.detail, excerpt, begin.num_bytes + self.num_bytes)


@dataclass(frozen=True, slots=True)
class Batch:
    """A piece of one file, in the order of the file.

    Args:
        documents: rows in `SCHEMA`.
        lines: (num_documents) int64, the number of each document's record in the file, as `line` of `QUARANTINE`.
        quarantine: rows in `QUARANTINE`.
        records: records that the reader met in this piece, counted before they became documents or not.
        bytes_read: bytes of the file (compressed) that have been read so far.
        file_hash: xxh3-128 of the whole file as it lies there, hexadecimal; only the last batch has it.
    """

    documents: pa.Table
    lines: pa.Int64Array
    quarantine: pa.Table
    records: int
    bytes_read: int
    file_hash: str | None = None


MAX_BATCH_ROWS = 1 << 16
"""Rows of a batch, so that a row group of very short documents stays small in every later stage, too."""


@dataclass(slots=True)
class BatchBuilder:
    """Gathers the rows of one file into batches of at most `batch_bytes` and `MAX_BATCH_ROWS`.

    `records` is the reader's own count of what it has met, which no method here changes but `take`."""

    source: str
    file: str
    batch_bytes: int
    license: str | None = None
    records: int = 0
    num_bytes: int = 0
    documents: list[Document] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    flaws: list[tuple[int, Flaw]] = field(default_factory=list)

    def has_room(self, row: Document | Flaw) -> bool:
        """False if the row would take the batch above its size; an empty batch has room for any row."""
        if len(self.documents) + len(self.flaws) >= MAX_BATCH_ROWS:
            return False
        return not self.num_bytes or self.num_bytes + _num_bytes(row) <= self.batch_bytes

    def add(self, line: int, row: Document | Flaw) -> None:
        """Add the record whose number in the file is `line`."""
        self.num_bytes += _num_bytes(row)
        if isinstance(row, Flaw):
            self.flaws.append((line, row))
        else:
            self.documents.append(row)
            self.lines.append(line)

    def take(self, bytes_read: int, file_hash: str | None = None) -> Batch:
        """What has been gathered, as a batch; the builder is empty afterwards."""
        batch = Batch(
            self._document_table(),
            pa.array(self.lines, pa.int64()),
            self._quarantine_table(),
            self.records,
            bytes_read,
            file_hash,
        )
        self.documents, self.lines, self.flaws, self.num_bytes, self.records = [], [], [], 0, 0
        return batch

    def _document_table(self) -> pa.Table:
        rows = self.documents
        columns = {
            "id": pa.array([row.id for row in rows], pa.string()),
            # Bytes that came from a str are UTF-8: a view saves Arrow's second look at them.
            "text": pa.array([row.text for row in rows], pa.large_binary()).view(pa.large_string()),
            "source": pa.array([self.source] * len(rows), pa.string()),
            "lang": pa.nulls(len(rows), pa.string()),
            **{
                name: pa.array([getattr(row, name) for row in rows], pa.string())
                for name in ("url", "timestamp", "meta")
            },
            "license": pa.array([row.license or self.license for row in rows], pa.string()),
        }
        return pa.Table.from_pydict(columns, SCHEMA)

    def _quarantine_table(self) -> pa.Table:
        rows = [
            (self.source, self.file, line, flaw.reason, flaw.detail, flaw.excerpt, flaw.num_bytes)
            for line, flaw in self.flaws
        ]
        columns = zip(*rows, strict=True) if rows else [[] for _ in QUARANTINE]
        return pa.Table.from_arrays(
            [pa.array(column, kind.type) for column, kind in zip(columns, QUARANTINE, strict=True)],
            schema=QUARANTINE,
        )


_ROW_BYTES = 128
"""What a row costs beside its strings: a batch of a million empty documents must end, too."""


def _num_bytes(row: Document | Flaw) -> int:
    if isinstance(row, Flaw):
        return _ROW_BYTES + _at_most_bytes(row.excerpt) + _at_most_bytes(row.detail)
    strings = (row.id, row.url, row.timestamp, row.license, row.meta)
    return _ROW_BYTES + len(row.text) + sum(map(_at_most_bytes, strings))


def _at_most_bytes(value: str | None) -> int:
    # To encode a string only for its size would cost more than a batch that is a little smaller.
    if value is None:
        return 0
    return len(value) if value.isascii() else 4 * len(value)
