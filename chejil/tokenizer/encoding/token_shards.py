"""Token shards as training reads them: any document and any range of tokens, without reading what lies before.

    shards = TokenShards("tokens/")
    shards.num_documents, shards.num_tokens, shards.dtype
    shards.document(7)                          # its tokens, a view of the mapped file
    shards.of(source="wiki-ko").shards[0].tokens  # all tokens of a shard, mapped

Documents are numbered through all shards in the order of their paths, so a number names the same document as long as
the fingerprint is the same; training refuses to resume on another one. A mixture by bytes needs tokens: `groups` has
both by source and language. The files are described in token_shard_writer.py; the manifest is

    format, dtype, num_ids, tokenizer {hash, file}, end_of_document {token, id} or null,
    inputs [kind, name, hash], documents, tokens, bytes, bytes_per_token, rejected {reason: count}, groups [...],
    shards [...], files {path: rows, bytes, hash}, failed [...]

1.4 T tokens of two bytes in shards of 70 M are 20,000 shards: a manifest of 12 MB, read once. Shards on object storage
are read in ranges (`read`), or copied; only local ones can be mapped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import xxhash

from chejil.curation import shards
from chejil.curation.finished_files import manifest_content
from chejil.errors import ChejilError, RunError, did_you_mean
from chejil.tokenizer.files import byte_level

MANIFEST = "manifest.json"
FORMAT = "chejil tokens 1"
AGAIN = "run the same `chejil encode` again"


@dataclass(frozen=True)
class TokenShard:
    """A shard: tokens of documents of one source and language.

    Args:
        root: the folder or URL of all shards.
        path: below it, without an ending.
        num_bytes: of the documents' text.
    """

    root: str
    path: str
    source: str
    lang: str
    num_documents: int
    num_tokens: int
    num_bytes: int
    dtype: np.dtype

    @cached_property
    def tokens(self) -> np.ndarray:
        """All tokens, mapped, read-only."""
        return self._mapped(self.dtype.name, self.dtype, self.num_tokens)

    @cached_property
    def offsets(self) -> np.ndarray:
        """(num_documents + 1) int64, mapped: where documents begin."""
        return self._mapped("offsets", np.dtype("<i8"), self.num_documents + 1)

    def document(self, number: int) -> np.ndarray:
        """The tokens of a document, counted from 0 within the shard."""
        return self.tokens[self.offsets[number] : self.offsets[number + 1]]

    def read(self, begin: int, end: int) -> np.ndarray:
        """Tokens `begin` to `end`, by one range read; local or not."""
        files, path = shards.file_system(shards.join(self.root, f"{self.path}.{self.dtype.name}"))
        size = self.dtype.itemsize
        return np.frombuffer(files.cat_file(path, begin * size, end * size), self.dtype)

    def documents(self) -> pa.Table:
        """The side table: id, source, lang, num_bytes, num_tokens."""
        return shards.read_shard(shards.join(self.root, f"{self.path}.parquet"))

    def _mapped(self, ending: str, dtype: np.dtype, num: int) -> np.ndarray:
        if "://" in self.root:
            mend = "copy the folder to a local disk, or take `read(begin, end)`"
            raise ChejilError("only local shards can be mapped", where=self.root, mend=mend)
        file = Path(self.root).expanduser() / f"{self.path}.{ending}"
        try:
            num_bytes = file.stat().st_size
        except FileNotFoundError:
            raise ChejilError("a token shard is missing", where=str(file), mend=AGAIN) from None
        if num_bytes != num * dtype.itemsize:
            what = f"{num_bytes} bytes in place of {num * dtype.itemsize}"
            raise ChejilError(f"a damaged token shard: {what}", where=str(file), mend=AGAIN)
        return np.memmap(file, dtype, "r") if num else np.zeros(0, dtype)


@dataclass(frozen=True)
class Group:
    """All documents of a source and a language."""

    source: str
    lang: str
    num_documents: int
    num_tokens: int
    num_bytes: int

    @property
    def bytes_per_token(self) -> float:
        """Bytes of text a token, end-of-document tokens included: what turns a weight in bytes into tokens."""
        return self.num_bytes / self.num_tokens if self.num_tokens else 0.0


class TokenShards:
    """The shards of a folder, or some of them.

    Args:
        root: a folder or URL that `chejil encode` wrote.

    Raises:
        ChejilError: it did not, or has not ended.
    """

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self.manifest = read_manifest(root)
        self.dtype = np.dtype(self.manifest["dtype"]).newbyteorder("<")
        self.shards: Sequence[TokenShard] = [
            TokenShard(
                self.root, row["path"], row["source"], row["lang"], row["documents"], row["tokens"], row["bytes"],
                self.dtype,
            )
            for row in self.manifest["shards"]
        ]  # fmt: skip

    @property
    def tokenizer_hash(self) -> str:
        """Of the tokenizer, see TokenizerFile.hash."""
        return self.manifest["tokenizer"]["hash"]

    @property
    def end_id(self) -> int | None:
        """The token that ends each document."""
        end = self.manifest["end_of_document"]
        return None if end is None else end["id"]

    @cached_property
    def fingerprint(self) -> str:
        """Changes with any token, and with the order of documents."""
        files = self.manifest["files"]
        said = [
            [files[f"{one.path}.{ending}"]["hash"] for ending in (one.dtype.name, "offsets")]
            for one in self.shards
        ]
        return xxhash.xxh3_128_hexdigest(orjson.dumps([self.manifest["dtype"], self.tokenizer_hash, said]))

    @property
    def num_documents(self) -> int:
        """Of all shards."""
        return int(self._first[-1])

    @property
    def num_tokens(self) -> int:
        """Of all shards, with end-of-document tokens."""
        return sum(one.num_tokens for one in self.shards)

    @property
    def groups(self) -> list[Group]:
        """Sizes by source and language, sorted."""
        return group(self.shards)

    @cached_property
    def _first(self) -> np.ndarray:
        return np.cumsum([0, *(one.num_documents for one in self.shards)])

    def locate(self, number: int) -> tuple[TokenShard, int]:
        """The shard of a document, and its number there."""
        if not 0 <= number < self.num_documents:
            raise IndexError(f"document {number} of {self.num_documents}")
        place = int(np.searchsorted(self._first, number, "right")) - 1
        return self.shards[place], number - int(self._first[place])

    def document(self, number: int) -> np.ndarray:
        """The tokens of a document, counted from 0 through all shards."""
        shard, place = self.locate(number)
        return shard.document(place)

    def of(self, source: str | None = None, lang: str | None = None) -> TokenShards:
        """The shards of a source, of a language, or of both.

        Raises:
            ChejilError: there is none.
        """
        chosen = [one for one in self.shards if source in (None, one.source) and lang in (None, one.lang)]
        if not chosen:
            known = [f"{one.source}/{one.lang}" for one in self.groups]
            asked = f"{source or '*'}/{lang or '*'}"
            raise ChejilError(f"no tokens of {asked}", where=self.root, mend=did_you_mean(asked, known))
        part = TokenShards.__new__(TokenShards)
        part.root, part.manifest, part.dtype, part.shards = self.root, self.manifest, self.dtype, chosen
        return part


def group(found: Sequence[TokenShard]) -> list[Group]:
    """Sizes by source and language, sorted."""
    sums: dict[tuple[str, str], list[int]] = {}
    for one in found:
        counts = sums.setdefault((one.source, one.lang), [0, 0, 0])
        for place, value in enumerate((one.num_documents, one.num_tokens, one.num_bytes)):
            counts[place] += value
    return [Group(*names, *counts) for names, counts in sorted(sums.items())]


def is_one(root: str) -> bool:
    """Whether a folder holds finished token shards."""
    content = manifest_content(root)
    return isinstance(content, dict) and content.get("format") == FORMAT


def read_manifest(root: str) -> dict[str, Any]:
    """The manifest.

    Raises:
        ChejilError: there is none, or a damaged one.
    """
    try:
        content = manifest_content(root)
    except RunError as error:
        raise ChejilError(error.what, where=root, mend=f"remove it and {AGAIN}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        mend = f"`chejil encode` writes them; if it was interrupted, {AGAIN}"
        if isinstance(content, dict) and "stages" in content:
            mend = f"this is a curated run: `chejil encode {root} --tokenizer … --out …` makes token shards of it"
        raise ChejilError("no finished token shards", where=root, mend=mend)
    return content


def verify(root: str) -> list[str]:
    """What differs from the manifest: files that are missing, changed or unknown, counts, and ids out of range."""
    content, found = read_manifest(root), TokenShards(root)
    problems = [
        line for path, entry in content["files"].items() for line in _file_problems(root, path, entry)
    ]
    known = {
        f"{one.path}.{ending}" for one in found.shards for ending in (one.dtype.name, "offsets", "parquet")
    }
    problems += [f"{path}: not in the manifest" for path in shards.below(root, "shards") if path not in known]
    if not problems:
        problems += [line for one in found.shards for line in _count_problems(one, content)]
    return [*problems, *_tokenizer_problems(root, content), *_sum_problems(content)]


def _tokenizer_problems(root: str, content: dict[str, Any]) -> Iterator[str]:
    """Whether the tokenizer that lies beside the shards is the one that made them."""
    name = content["tokenizer"]["file"]
    try:
        file = byte_level.read(shards.join(root, name))
    except ChejilError as error:
        yield f"{name}: {error.what}"
        return
    if file.hash != content["tokenizer"]["hash"]:
        yield f"{name}: another tokenizer than that of the tokens"
    elif file.num_ids != content["num_ids"]:
        yield f"{name}: {file.num_ids:,} ids, not {content['num_ids']:,}"


def _sum_problems(content: dict[str, Any]) -> Iterator[str]:
    """Whether totals and groups are the sums of the shards, whose own counts are those of the side tables."""
    rows = content["shards"]
    if any(content.get(name) != value for name, value in sizes(rows).items()):
        yield f"{MANIFEST}: its totals are not the sums of its shards"
    if content.get("groups") != group_sizes(rows):
        yield f"{MANIFEST}: its groups are not the sums of their shards"


def manifest_of(
    made_by: Mapping[str, Any],
    inputs: Sequence[Mapping[str, Any]],
    rows: Sequence[dict[str, Any]],
    files: Mapping[str, Any],
    rejected: Mapping[str, int],
    failed: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The content of a manifest; sizes and groups are the sums of the shards.

    Args:
        made_by: dtype, num_ids, tokenizer, end_of_document.
        rows: an entry a shard, sorted by path.
    """
    return {
        "format": FORMAT,
        **{name: made_by[name] for name in ("dtype", "num_ids", "tokenizer", "end_of_document")},
        "inputs": inputs,
        **sizes(rows),
        "rejected": rejected,
        "groups": group_sizes(rows),
        "shards": rows,
        "files": files,
        "failed": failed,
    }


def group_sizes(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the shards of a manifest: how many, and their sizes, by source and language."""
    names = sorted({(row["source"], row["lang"]) for row in rows})
    parts = [[row for row in rows if (row["source"], row["lang"]) == name] for name in names]
    return [
        {"source": source, "lang": lang, "shards": len(part), **sizes(part)}
        for (source, lang), part in zip(names, parts, strict=True)
    ]


def sizes(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sums; bytes a token counts the tokens that end documents, as a budget of tokens does."""
    sums = {name: sum(row[name] for row in rows) for name in ("documents", "tokens", "bytes")}
    ratio = sums["bytes"] / sums["tokens"] if sums["tokens"] else 0.0
    return {**sums, "bytes_per_token": round(ratio, 6)}


def _file_problems(root: str, path: str, entry: dict[str, Any]) -> Iterator[str]:
    url = shards.join(root, path)
    if shards.size(url) is None:
        yield f"{path}: missing"
    elif shards.file_hash(url) != entry["hash"]:
        yield f"{path}: its content has changed"


def _names(one: TokenShard) -> Sequence[tuple[str, str]]:
    return ("source", one.source), ("lang", one.lang)


def _count_problems(one: TokenShard, content: dict[str, Any]) -> Iterator[str]:
    rows = one.documents()
    lengths = rows["num_tokens"].to_numpy()
    num_bytes = int(rows["num_bytes"].to_numpy().sum())
    counted = (len(rows), int(lengths.sum()), num_bytes)
    if counted != (one.num_documents, one.num_tokens, one.num_bytes):
        yield f"{one.path}: its counts differ from the manifest's"
    elif any(set(rows[name].unique().to_pylist()) - {said} for name, said in _names(one)):
        yield f"{one.path}: its documents are of another source or language"
    elif "://" not in one.root and not np.array_equal(np.diff(one.offsets), lengths):
        yield f"{one.path}: offsets differ from the documents"
    elif "://" not in one.root and one.num_tokens and int(one.tokens.max()) >= content["num_ids"]:
        yield f"{one.path}: ids beyond the vocabulary"
