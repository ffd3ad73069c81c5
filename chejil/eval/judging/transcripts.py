"""Transcripts: every request and its reply, a JSON line each, so that nothing is paid for twice.

A request is found again by what it says (model, messages, options), not by where it was sent: the same judge behind
another port is the same judge. Lines are appended whole as replies come; their order is that of time, so nothing is
ever read by place. A line that a crash tore is passed over and asked again. Headers, and with them the key, never
come here.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import orjson
import xxhash

from chejil.errors import ChejilError
from chejil.eval.judging.endpoint import Reply


def key_of(body: dict[str, Any]) -> str:
    """By what a request is found again."""
    return xxhash.xxh3_128_hexdigest(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))


class Transcripts:
    """Replies by request; a context manager. `add` may be called from many threads."""

    def __init__(self, path: Path, writable: bool = True) -> None:
        self.path, self.writable = path, writable
        self.torn = 0
        self._replies: dict[str, Reply] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        is_whole = self._read()
        if self.writable:
            self._open()
            if not is_whole:
                self._stream.write(b"\n")
        return self

    def _open(self) -> None:
        """Before the first call: a reply that cannot be kept would be paid for nothing."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("ab")
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise ChejilError(what, where=str(self.path), mend="give another --out") from None

    def __exit__(self, *error: object) -> None:
        if self.writable:
            self._stream.close()

    def __len__(self) -> int:
        return len(self._replies)

    def get(self, body: dict[str, Any]) -> Reply | None:
        """The reply to a request that was made before."""
        return self._replies.get(key_of(body))

    def add(self, body: dict[str, Any], reply: Reply) -> None:
        """Keep a reply; it is on the disk when this returns."""
        line = orjson.dumps({"key": key_of(body), "request": body, "reply": asdict(reply)})
        with self._lock:
            self._replies[key_of(body)] = reply
            self._stream.write(line + b"\n")
            self._stream.flush()

    def _read(self) -> bool:
        """Whether the file ends with a line end."""
        last = b"\n"
        if not self.path.is_file():
            return True
        with self.path.open("rb") as stream:
            for line in stream:
                last = line
                try:
                    content = json.loads(line)
                    self._replies[content["key"]] = Reply(**content["reply"])
                except (ValueError, KeyError, TypeError):
                    self.torn += bool(line.strip())
        return last.endswith(b"\n")
