"""Writes a token shard: three files side by side, which appear one by one when each is whole.

`NAME.uint16` (or `.uint32`)  the tokens, little-endian, nothing else: byte 2i begins token i, here and in a range read
                              from object storage, and `cat` joins two shards
`NAME.offsets`                int64: where each document begins, and behind the last one the end
`NAME.parquet`                a row a document: id, source, lang, num_bytes, num_tokens

No header: what is in the files stands in the manifest, so a hash is known without reading back.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import xxhash

from chejil.curation import shards
from chejil.curation.shards import FileRecord, ShardWriter
from chejil.tokenizer.encoding.encoder import Tokens

FOLDER = "shards"
DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("lang", pa.string()),
        ("num_bytes", pa.int64()),
        ("num_tokens", pa.int64()),
    ]
)
"""`num_bytes` of the text; `num_tokens` with the end-of-document token."""

UNKNOWN = "unknown"
"""In place of a source or language that nobody said."""


def folder_of(source: str | None, lang: str | None) -> str:
    """Where shards of a source and language lie, below the root; odd characters as in URLs.

    >>> folder_of("wiki-ko", "ko"), folder_of("../a b", None)
    ('shards/wiki-ko/ko', 'shards/%2E.%2Fa%20b/unknown')
    """
    return "/".join([FOLDER, *(_file_name(name or UNKNOWN) for name in (source, lang))])


def _file_name(name: str) -> str:
    quoted = quote(name, safe="-_.")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


class TokenShardWriter:
    """Writes the documents of one source and language; a context manager, `entry` and `files` are there at its end."""

    def __init__(self, root: str, name: str, source: str | None, lang: str | None, dtype: np.dtype) -> None:
        self.path = f"{folder_of(source, lang)}/{name}"
        self.source, self.lang, self.dtype = source or UNKNOWN, lang or UNKNOWN, dtype
        self.num_documents = self.num_tokens = self.num_bytes = 0
        self.files: list[FileRecord] = []
        self._root, self._open = root, ExitStack()

    def __enter__(self) -> TokenShardWriter:
        self._tokens = _Numbers(self._root, f"{self.path}.{self.dtype.name}", self._open)
        self._offsets = _Numbers(self._root, f"{self.path}.offsets", self._open)
        table = ShardWriter(self._root, f"{self.path}.parquet", DOCUMENTS)
        self._documents = self._open.enter_context(table)
        self._offsets.write(np.zeros(1, "<i8"))
        return self

    def write(self, ids: pa.ChunkedArray, num_bytes: np.ndarray, tokens: Tokens) -> None:
        """Add documents."""
        self._tokens.write(tokens.ids.astype(self.dtype.newbyteorder("<")))
        self._offsets.write(self.num_tokens + tokens.offsets[1:].astype("<i8"))
        num_tokens = np.diff(tokens.offsets)
        rows = {
            "id": ids,
            "source": pa.repeat(self.source, len(ids)),
            "lang": pa.repeat(self.lang, len(ids)),
            "num_bytes": num_bytes,
            "num_tokens": num_tokens,
        }
        self._documents.write(pa.table(rows, DOCUMENTS))
        self.num_documents += len(ids)
        self.num_tokens += int(tokens.offsets[-1])
        self.num_bytes += int(num_bytes.sum())

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)
        if error[0] is None:
            assert self._documents.record is not None
            rows = (self.num_tokens, self.num_documents + 1)
            numbers = (self._tokens, self._offsets)
            self.files = [one.record(num) for one, num in zip(numbers, rows, strict=True)]
            self.files.append(self._documents.record)

    @property
    def entry(self) -> dict[str, Any]:
        """The shard, for the manifest."""
        counts = {"documents": self.num_documents, "tokens": self.num_tokens, "bytes": self.num_bytes}
        return {"path": self.path, "source": self.source, "lang": self.lang, **counts}


class _Numbers:
    """A file of numbers, hashed while it is written."""

    def __init__(self, root: str, path: str, opened: ExitStack) -> None:
        self._stream = opened.enter_context(shards.new_file(shards.join(root, path)))
        self._path, self._hash, self._num_bytes = path, xxhash.xxh3_128(), 0

    def write(self, numbers: np.ndarray) -> None:
        """Add numbers."""
        data = numbers.tobytes()
        self._hash.update(data)
        self._num_bytes += self._stream.write(data)

    def record(self, num: int) -> FileRecord:
        """What was written."""
        return FileRecord(self._path, num, self._num_bytes, self._hash.hexdigest())
