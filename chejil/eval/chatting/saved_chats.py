"""Chats as JSON lines with `messages`, the layout that `chejil sft-data check` and `chejil sft` read.

A chat that is saved again replaces its own line: its beginning, kept beside it, would be trained on twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from chejil.curation import shards
from chejil.errors import ChejilError


def save(path: str, chat: Mapping[str, Any]) -> int:
    """Put a chat into a file, which is replaced as a whole; how many it holds then.

    Args:
        chat: id, messages, and whatever else is known.

    Raises:
        ChejilError: the file holds something else.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        raise ChejilError("a folder", where=path, mend=f"name a file, e.g. {place / 'chats.jsonl'}")
    try:
        others = [line for line in _lines(place) if _id(line, path) != chat["id"]]
        lines = [*others, orjson.dumps(dict(chat))]
        shards.write_bytes(str(place.parent), place.name, b"".join(line + b"\n" for line in lines))
    except OSError as error:
        raise ChejilError(
            f"cannot be written: {error.strerror}", where=path, mend="name another file"
        ) from None
    return len(lines)


def _lines(place: Path) -> list[bytes]:
    return [line for line in place.read_bytes().split(b"\n") if line.strip()] if place.exists() else []


def _id(line: bytes, path: str) -> Any:
    try:
        found = orjson.loads(line)
        if not isinstance(found["messages"], list):
            raise TypeError
        return found.get("id")
    except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
        mend = "name a new file, or one that /save has written"
        raise ChejilError(
            "it holds something else than chats, and stays as it is", where=path, mend=mend
        ) from None
