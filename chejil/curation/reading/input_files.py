"""Input files: what the paths of a source match, on disk or in object storage, and what to call it.

A file's name is its path below the folder before the first wildcard, so that a corpus that moves keeps its names, and
with them the ids of its documents. Nothing is read here.
"""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from typing import Any

import fsspec
import xxhash

from chejil.curation.reading.streams import unreadable
from chejil.curation.shards import file_system, refuse_empty
from chejil.errors import RunError, SourceError, did_you_mean

_FINGERPRINTS = (
    "ETag",
    "etag",
    "blob_id",
    "md5Hash",
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
    "created",
)
"""What the file systems call the mark that changes with a file's content, best first."""

_ESCAPED = re.compile(r"\[([*?[])\]")  # as glob.escape writes a character that is no wildcard
_MAX_NAME_BYTES = 180  # a file name may have 255; the caller adds a folder's worth


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of a source.

    Args:
        name: its path below the folder before the first wildcard, in NFC; unique in the source, and free of
            the machine's folders.
        size: bytes as it lies there, None where the server does not tell.
        fingerprint: changes when the file changes; made of size and etag or time, not of content.
    """

    url: str
    name: str
    size: int | None
    fingerprint: str


def find(paths: Sequence[str], data_root: str, ignore: list[str]) -> list[InputFile]:
    """The files that match any of the paths, each once, sorted by name.

    Args:
        data_root: folder or URL that relative paths start from.
        ignore: patterns of names that are left out.

    Raises:
        SourceError: a path that no file matches, or whose protocol is unknown.
    """
    found: dict[str, InputFile] = {}
    names: set[str] = set()
    for path in paths:
        for file in _matches(path, data_root, ignore):
            if file.url in found:
                continue
            if (
                file.name in names
            ):  # the file of an earlier path keeps its name, whatever is added to the recipe
                file = replace(file, name=f"{file.name}~{xxhash.xxh3_64_hexdigest(path.encode())[:8]}")
            found[file.url] = file
            names.add(file.name)
    return sorted(found.values(), key=lambda file: file.name)


def _matches(path: str, data_root: str, ignore: list[str]) -> Iterator[InputFile]:
    files, pattern = _file_system(path, data_root)
    root = _fixed_root(pattern)
    try:
        found: Any = files.glob(pattern, detail=True)
        if not found and files.isfile(pattern):  # a name with brackets, which no one has escaped
            found = {pattern: files.info(pattern)}
    except OSError as error:
        raise unreadable(path, error) from error
    kept = [
        (name, info)
        for name, info in sorted(found.items())
        if info["type"] not in ("directory", "other")  # to open a named pipe would wait for ever
        and not any(fnmatch(name.rpartition("/")[2], other) for other in ignore)
    ]
    if not kept:
        raise SourceError(
            f"no file matches '{path}'", where=data_root, mend=_what_is_there(files, root, pattern)
        )
    for name, info in kept:
        url = name if _is_local(files) else files.unstrip_protocol(name)
        yield InputFile(url, _clean_name(name.removeprefix(root + "/")), info.get("size"), fingerprint(info))


def _file_system(path: str, data_root: str) -> tuple[fsspec.AbstractFileSystem, str]:
    absolute = "://" in path or path.startswith("/")
    try:
        for named in (path,) if absolute else (path, data_root):  # `/*.gz` of no root would be the disk's
            refuse_empty(named)
        return file_system(path if absolute else f"{glob.escape(data_root.rstrip('/'))}/{path}")
    except RunError as error:  # nothing, an unknown protocol, or one whose package is not installed
        raise SourceError(error.what, mend=error.mend) from error


def _is_local(files: fsspec.AbstractFileSystem) -> bool:
    return "file" in ([files.protocol] if isinstance(files.protocol, str) else files.protocol)


def _fixed_root(pattern: str) -> str:
    """The folder before the first wildcard, as it is called: `[[]` in a pattern is the character `[`."""
    parts = pattern.split("/")[:-1]
    wild = (i for i, part in enumerate(parts) if any(mark in _ESCAPED.sub("", part) for mark in "*?["))
    return _ESCAPED.sub(r"\1", "/".join(parts[: next(wild, len(parts))]))


def _what_is_there(files: fsspec.AbstractFileSystem, root: str, pattern: str) -> str:
    if not files.isdir(root):
        return f"there is no folder '{root}'; check `data` and `paths`"
    names = sorted(name.rpartition("/")[2] for name in files.ls(root, detail=False))
    return f"in '{root}': {did_you_mean(pattern.rpartition('/')[2], names[:20])}"


def _clean_name(name: str) -> str:
    # macOS hands Hangul file names over decomposed; names made on Windows may not be UTF-8 at all.
    readable = os.fsencode(name).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", readable)


def fingerprint(info: dict[str, Any]) -> str:
    """Of what a file system tells of a file: its size, and the best mark there is that changes with the content."""
    mark = next((info[key] for key in _FINGERPRINTS if info.get(key) is not None), "")
    return f"{info.get('size')}-{mark}"


def fingerprint_of(url: str) -> str:
    """The same of a file by its URL."""
    files, path = file_system(url)
    return fingerprint(files.info(path))


def shard_name(file: InputFile) -> str:
    """The file's name as one path component, unique in its source: `/` becomes `~1`, `~` becomes `~0` (RFC
    6901).

    >>> shard_name(InputFile("s3://corpus/book/00.jsonl.zst", "book/00.jsonl.zst", 9, ""))
    'book~100.jsonl.zst'
    """
    name = file.name.replace("~", "~0").replace("/", "~1")
    if len(name.encode()) <= _MAX_NAME_BYTES:
        return name
    end = name.encode()[-(_MAX_NAME_BYTES - 17) :].decode("utf-8", "ignore")
    return f"{xxhash.xxh3_64_hexdigest(name.encode())}-{end}"
