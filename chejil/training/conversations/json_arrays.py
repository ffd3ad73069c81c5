"""A JSON file that is one array of records, read element by element.

Conversations are published this way: ShareGPT is one array of 670 MB, which the reader of the corpora
(curation/reading/containers.py) refuses above 128 MiB, since it holds the whole file. Here only the element that is
being read is held. An array of 120 MB is read, normalised and checked at 39 MB/s on one core; an element of many chunks
is scanned again with each of them (16 MB/s for one of 32 MB).
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

from chejil.curation.reading.containers import MAX_JSON_BYTES, Row, Rows, parse_json
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.streams import MAX_RECORD_BYTES, RawFile, TornStream, chunks, whole

_BLANK = " \t\r\n"
_NEAR_END_CHARS = 16
"""An error so close to the end of what has been read may be the end's: `tru`, `-`, half an escape."""


def json_array(raw: RawFile) -> Rows:
    """The elements of the array that a file is; behind what is no JSON nothing is read, and the last item says so."""
    text = _Text(raw)
    try:
        if text.next_char() != "[":
            yield Flaw.of("torn_stream", "no JSON array", text.head())
            return
        text.skip(1)
        yield from _elements(text)
    except TornStream as tear:
        yield Flaw.of("torn_stream", str(tear), text.head())
    except UnicodeDecodeError as error:
        yield Flaw.of("torn_stream", f"not UTF-8: {error.reason}", text.head())


def json_object(raw: RawFile) -> Rows:
    """A file that is one object: a record, or records in its list `data`."""
    content = whole(chunks(raw), MAX_JSON_BYTES)
    row = content if isinstance(content, Flaw) else parse_json(content)
    if isinstance(row, Row) and isinstance(row.fields.get("data"), list):
        for value in row.fields["data"]:
            yield Row(value) if isinstance(value, dict) else _no_object(value)
    else:
        yield row


def _elements(text: _Text) -> Rows:
    if text.next_char() == "]":
        text.skip(1)
    else:
        while True:
            value = text.value()
            if isinstance(value, Flaw):
                yield value
                return
            yield Row(value) if isinstance(value, dict) else _no_object(value)
            mark = text.next_char()
            if mark == "":
                raise TornStream("the array has no end")
            text.skip(1)
            if mark == "]":
                break
            if mark != ",":
                yield Flaw.of("torn_stream", f"{mark!r} between two elements", text.head())
                return
    if text.next_char():
        yield Flaw.of("torn_stream", "something behind the end of the array", text.head())


def _no_object(value: Any) -> Flaw:
    return Flaw.of(
        "not_an_object", f"a {type(value).__name__}", json.dumps(value, ensure_ascii=True).encode()
    )


class _Text:
    """The text of a file from a place on, as much of it as has been read."""

    def __init__(self, raw: RawFile) -> None:
        self._parts: Iterator[bytes] = chunks(raw)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._scan = json.JSONDecoder().raw_decode
        self._held, self._at, self._is_whole = "", 0, False

    def _more(self) -> bool:
        if self._is_whole:
            return False
        part = next(self._parts, None)
        self._is_whole = part is None
        self._held = self._held[self._at :] + self._decoder.decode(part or b"", part is None)
        self._at = 0
        return True

    def next_char(self) -> str:
        """The next character that is not blank, which becomes the place; empty at the end of the file."""
        while True:
            while self._at < len(self._held):
                if self._held[self._at] not in _BLANK:
                    return self._held[self._at]
                self._at += 1
            if not self._more():
                return ""

    def skip(self, num_chars: int) -> None:
        """Go on behind so many characters."""
        self._at += num_chars

    def head(self) -> bytes:
        """The beginning of what stands at the place."""
        return self._held[self._at : self._at + 800].encode("utf-8", "replace")

    def value(self) -> Any | Flaw:
        """The JSON value that stands next, or the flaw that ends the file."""
        self.next_char()
        while True:
            try:
                value, self._at = self._scan(self._held, self._at)
                return value  # a number that a chunk cuts is two wrong elements, and no record in either case
            except (json.JSONDecodeError, RecursionError) as error:
                if self._is_wrong(error) or not self._more():
                    return Flaw.of("torn_stream", f"not JSON: {str(error)[:80]}", self.head())

    def _is_wrong(self, error: Exception) -> bool:
        """Whether more of the file could not make it JSON."""
        if not isinstance(error, json.JSONDecodeError) or len(self._held) - self._at > MAX_RECORD_BYTES:
            return True
        return error.pos < len(self._held) - _NEAR_END_CHARS and not error.msg.startswith(
            "Unterminated string"
        )
