"""Server-sent events as OpenAI-compatible endpoints send them: `data: {…}` a line, `data: [DONE]` at the end.

Lines end at line feeds alone: a reader that uses str.splitlines, as httpx's `iter_lines` does, also cuts a JSON text at
a raw U+2028. An endpoint that does not stream sends one JSON object: it is one event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

_MAX_LINE_BYTES = 8 << 20


def events(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The objects of a stream.

    Raises:
        ValueError: a line is none, tells an error, or the stream stops before its end.
    """
    held: list[bytes] = []
    for line in _lines(chunks):
        if line.startswith(b"data:"):
            data = line.removeprefix(b"data:").strip()
            if data == b"[DONE]":
                return
            yield _object(data)
        elif line and not held and line[:1] not in b"{[":
            continue  # a comment that keeps the line open, `event:`, `id:`
        else:
            held.append(line)
    whole = b"\n".join(held).strip()
    if whole:
        yield _object(whole)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        *whole, rest = held.split(b"\n")
        yield from (bytes(line).rstrip(b"\r") for line in whole)
        held = bytearray(rest)
        if len(held) > _MAX_LINE_BYTES:
            raise ValueError(f"a line of more than {_MAX_LINE_BYTES >> 20} MB")
    yield bytes(held)


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(data[:200].decode("utf-8", "replace")) from None
    if not isinstance(found, dict) or found.get("error"):
        raise ValueError(data[:200].decode("utf-8", "replace"))
    return found
