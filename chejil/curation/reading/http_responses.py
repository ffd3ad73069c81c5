"""HTTP responses as crawlers keep them: a status, headers, and a body that may be chunked and compressed.

Crawlers differ in what they undo before they write: Common Crawl stores plain bodies, wget and Heritrix store what
came over the wire, others decode the body and leave the header as it was. So a coding is undone where the body has
its form, and passed over where the body begins like a page. What is compressed and breaks off is no page: its end
is missing, and nobody would know. Decoders stop at the limit, so that a body of zeros a million times its size
costs no more memory than a page.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?!\d)")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?'?\s*([\w.:-]+)", re.IGNORECASE)
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_FEED_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Response:
    """A response: status, headers by lower-case name (of several of one name the first), the body as it was sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Without its parameters, in lower case; empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """The label in `Content-Type`."""
        return charset_of(self.headers.get("content-type", ""))


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Why a body cannot be had; `is_too_large` if it is only too large."""

    detail: str
    is_too_large: bool = False


def charset_of(content_type: str) -> str | None:
    """The charset parameter of a media type.

    >>> charset_of('text/html; boundary=x; Charset="EUC-KR"')
    'EUC-KR'
    """
    found = _CHARSET.search(content_type)
    return found[1] if found else None


def parse(block: bytes) -> Response | None:
    """A response from its bytes, None if they do not begin like one."""
    status = _STATUS.match(block)
    end = _END_OF_HEADERS.search(block)
    if status is None:
        return None
    head, body = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    return Response(int(status[1]), header_fields(head.partition(b"\n")[2]), body)


def header_fields(lines: bytes) -> dict[str, str]:
    """Header lines as a mapping; a line that begins with a blank goes on with the one before.

    >>> header_fields(b"A: 1\\r\\nb:2\\r\\n  3\\r\\na: 4")
    {'a': '1', 'b': '2 3'}
    """
    fields: dict[str, str] = {}
    name = ""
    for line in lines.splitlines():
        text = line.decode("utf-8", "replace")
        if text[:1] in (" ", "\t") and name:
            fields[name] = f"{fields[name]} {text.strip()}"
            continue
        name, colon, value = text.partition(":")
        name = name.strip().lower() if colon and name.strip().lower() not in fields else ""
        if name:
            fields[name] = value.strip()
    return fields


def decoded_body(response: Response, max_bytes: int) -> bytes | Undecodable:
    """The body as the page's own bytes."""
    body = response.body
    codings = [*_codings(response, "content-encoding"), *_codings(response, "transfer-encoding")]
    for coding in reversed(codings):  # named in the order in which they were applied
        result = _undone(coding, body, max_bytes)
        if isinstance(result, Undecodable):
            if _looks_plain(body):
                continue
            return result
        body = result
    if len(body) > max_bytes:
        return Undecodable(f"{len(body):,} bytes", is_too_large=True)
    return body


def _codings(response: Response, header: str) -> list[str]:
    names = (name.strip().lower() for name in response.headers.get(header, "").split(","))
    return [name.removeprefix("x-") for name in names if name not in ("", "identity", "none")]


def _looks_plain(body: bytes) -> bool:
    return body[:256].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def _undone(coding: str, body: bytes, max_bytes: int) -> bytes | Undecodable:
    if coding == "chunked":
        return unchunked(body)
    if not body:
        return body
    try:
        if coding == "gzip":
            return _inflated(zlib.decompressobj(31), body, max_bytes)
        if coding == "deflate":  # zlib's format by the standard, raw deflate by some servers
            raw = body[0] & 15 != 8 or int.from_bytes(body[:2], "big") % 31 != 0
            return _inflated(zlib.decompressobj(-15 if raw else 15), body, max_bytes)
        if coding == "br":
            return _unbrotlied(body, max_bytes)
        if coding == "zstd":
            return _unzstd(body, max_bytes)
    except zlib.error as error:
        return Undecodable(f"{coding} body is damaged: {error}")
    return Undecodable(f"content encoding '{coding[:40]}' is not known")


def unchunked(body: bytes) -> bytes | Undecodable:
    """A chunked body in one piece.

    >>> unchunked(b"3\\r\\nabc\\r\\n2;x=y\\r\\nde\\r\\n0\\r\\n\\r\\n")
    b'abcde'
    """
    parts: list[bytes] = []
    at = 0
    while True:
        size = _CHUNK.match(body, at)
        if size is None:
            return Undecodable("a chunk has no size")
        length = int(size[1], 16)
        if not length:
            return b"".join(parts)
        part = body[size.end() : size.end() + length]
        if len(part) < length:
            return Undecodable("the last chunk is missing")
        parts.append(part)
        at = size.end() + length
        at += 2 if body[at : at + 2] == b"\r\n" else body[at : at + 1] == b"\n"


def _inflated(decoder: Any, body: bytes, max_bytes: int) -> bytes | Undecodable:
    content = decoder.decompress(body, max_bytes + 1)
    if len(content) > max_bytes:
        return Undecodable(f"more than {max_bytes:,} bytes", is_too_large=True)
    if not decoder.eof:
        return Undecodable("the compressed body breaks off")
    return content


def _unbrotlied(body: bytes, max_bytes: int) -> bytes | Undecodable:
    import brotli

    decoder = brotli.Decompressor()
    parts: list[bytes] = []
    num_bytes = 0
    try:
        for start in range(0, len(body), _FEED_BYTES):
            part = decoder.process(body[start : start + _FEED_BYTES], output_buffer_limit=max_bytes + 1)
            while part or not decoder.can_accept_more_data():
                parts.append(part)
                num_bytes += len(part)
                if num_bytes > max_bytes:
                    return Undecodable(f"more than {max_bytes:,} bytes", is_too_large=True)
                if decoder.can_accept_more_data():
                    break
                part = decoder.process(b"", output_buffer_limit=max_bytes + 1)
    except brotli.error as error:
        return Undecodable(f"br body is damaged: {error}")
    return b"".join(parts) if decoder.is_finished() else Undecodable("the compressed body breaks off")


def _unzstd(body: bytes, max_bytes: int) -> bytes | Undecodable:
    import io

    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=8 << 20).stream_reader(io.BytesIO(body))
    try:
        content = reader.read(max_bytes + 1)
    except zstandard.ZstdError as error:
        return Undecodable(f"zstd body is damaged: {error}")
    if len(content) > max_bytes:
        return Undecodable(f"more than {max_bytes:,} bytes", is_too_large=True)
    return content
