"""Bytes of one file: read once, hashed on the way, decompressed by what they are, cut into lines.

The compression is told by the first bytes, never by the file's name: published shards are renamed more
often than they are recompressed. Decoders are fed a few KiB at a time, so that even a file that decompresses
30,000 times larger (zstd on one repeated byte) hands over at most 64 MiB at once; the small feeds cost gzip
a tenth of its speed (260 instead of 290 MB/s on one core), and zstd nothing (1.5 GB/s).

A stream that ends too early or is damaged raises `TornStream` *after* everything before the tear has been
handed over: to the last byte where it ends, to the feed before where its bytes are damaged.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import xxhash
import zstandard

from chejil.curation.reading.documents import Flaw
from chejil.errors import SourceError

MAX_RECORD_BYTES = 64 << 20
"""A record above this is quarantined without being held: 64 MiB of text is 20 million Hangul syllables."""

_BLOCK_BYTES = 1 << 20
_CHUNK_BYTES = 256 << 10
_ZSTD_WINDOW_BYTES = 1 << 30  # zstd allows 2 GiB windows (--long=31): more than a worker's memory
_HEAD_BYTES = 1024  # kept of a record that is too large, for the excerpt
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TornStream(Exception):
    """The stream ends before its end mark, or its bytes are damaged from here on."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A compression: how its streams begin, a decoder for one of them, how many bytes to feed at once."""

    name: str
    magic: re.Pattern[bytes]
    decoder: Callable[[], Any]
    feed_bytes: int


def _zstd_decoder() -> Any:
    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()


CODECS = (
    Codec("gzip", re.compile(rb"\x1f\x8b"), lambda: zlib.decompressobj(wbits=31), 8 << 10),
    # A file of pzstd or of the seekable format may begin with a skippable frame.
    Codec("zstd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _zstd_decoder, 2 << 10),
    Codec("bzip2", re.compile(rb"BZh[1-9]"), bz2.BZ2Decompressor, 2 << 10),
    Codec("xz", re.compile(rb"\xfd7zXZ\x00"), lzma.LZMADecompressor, 8 << 10),
)
_DAMAGE = (
    zlib.error,
    zstandard.ZstdError,
    lzma.LZMAError,
    OSError,
    EOFError,
)  # bz2 reports damage as OSError

NOT_TEXT = {b"PAR1": "Parquet", b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z", b"ARROW1": "Arrow"}
"""What is sometimes taken for a file of text, by its first bytes."""


class RawFile:
    """A file as it lies there, read from front to back, with the hash of all that has been read."""

    def __init__(self, stream: IO[bytes], url: str) -> None:
        self.url = url
        self.num_bytes = 0
        self.stream = stream
        self._state = xxhash.xxh3_128()

    def read(self) -> bytes:
        """The next block, empty at the end.

        Raises:
            SourceError: the disk or the network does not give it.
        """
        try:
            block = self.stream.read(_BLOCK_BYTES)
        except OSError as error:
            raise unreadable(self.url, error) from error
        self.num_bytes += len(block)
        self._state.update(block)
        return block

    def rewind(self) -> None:
        """Begin again: who reads the stream in its own order, as Parquet does, hashes it in a second pass."""
        self.stream.seek(0)
        self.num_bytes = 0
        self._state.reset()

    def hash(self) -> str:
        """xxh3-128 of the whole file, hexadecimal; reads what has not been read yet."""
        while self.read():
            pass
        return self._state.hexdigest()


def unreadable(url: str, error: Exception) -> SourceError:
    """The error for a file that cannot be opened or read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return SourceError(
        f"cannot be read: {reason}", where=url, mend="fetch the file again, or take it out of `paths`"
    )


def chunks(raw: RawFile, text: bool = True) -> Iterator[bytes]:
    """Decompressed bytes in chunks of about 256 KiB to 64 MiB; of a file of text, without a byte order mark.

    Raises:
        TornStream: after the last chunk that could be saved.
        SourceError: not one byte could be decompressed, or this is another kind of file.
    """
    head = raw.read()
    codec = next((codec for codec in CODECS if codec.magic.match(head)), None)
    first = True
    for chunk in _plain(raw, head) if codec is None else _gathered(_decompressed(raw, head, codec)):
        if first and text:
            _refuse_other_kinds(chunk, raw.url)
            chunk = chunk.removeprefix(_BYTE_ORDER_MARK)
        first = False
        yield chunk


def _refuse_other_kinds(chunk: bytes, url: str) -> None:
    for magic, kind in NOT_TEXT.items():
        if chunk.startswith(magic):
            raise SourceError(
                f"a file of text was expected, this is {kind}", where=url, mend="check `format`"
            )


def _plain(raw: RawFile, block: bytes) -> Iterator[bytes]:
    while block:
        yield block
        block = raw.read()


def _decompressed(raw: RawFile, block: bytes, codec: Codec) -> Iterator[bytes]:
    decoder, given = _Decoder(codec), 0
    try:
        while block:
            for start in range(0, len(block), codec.feed_bytes):
                for part in decoder.feed(block[start : start + codec.feed_bytes]):
                    given += len(part)
                    yield part
            block = raw.read()
    except _DAMAGE as error:
        if given:
            raise TornStream(f"{codec.name} stream is damaged: {error}") from error
        raise SourceError(
            f"not a {codec.name} file: {error}", where=raw.url, mend="fetch the file again"
        ) from error
    if not decoder.is_done:
        raise TornStream(f"{codec.name} stream ends before its end mark")


class _Decoder:
    """Decodes stream after stream: gzip members, zstd frames, xz and bzip2 streams may follow one another."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._stream = codec.decoder()

    @property
    def is_done(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream.eof:
                data = data.lstrip(b"\0")  # tapes and some tools pad the last member with zeros
                if not data:
                    return
                self._stream = self._codec.decoder()
            yield self._stream.decompress(data)
            data = self._stream.unused_data if self._stream.eof else b""


def _gathered(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Join small parts; what has been gathered before a tear is handed over first."""
    held: list[bytes] = []
    num_bytes = 0
    try:
        for part in parts:
            held.append(part)
            num_bytes += len(part)
            if num_bytes >= _CHUNK_BYTES:
                yield b"".join(held)
                held, num_bytes = [], 0
    except TornStream:
        if num_bytes:
            yield b"".join(held)
        raise
    if num_bytes:
        yield b"".join(held)


class Held:
    """Bytes of one record that has not ended yet; above `max_bytes` only its beginning and its size."""

    def __init__(self, max_bytes: int | None = None) -> None:
        self.num_bytes = 0
        self._max_bytes = max_bytes or MAX_RECORD_BYTES
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        """Go on with the record."""
        if not part:
            return
        self.num_bytes += len(part)
        if self.num_bytes <= self._max_bytes:
            self._parts.append(part)
        else:
            self._parts = [b"".join(self._parts[:2] or [part])[:_HEAD_BYTES]]

    def close(self, last: bytes = b"") -> bytes | Flaw:
        """The record, which ends with `last`."""
        if not self.num_bytes and len(last) <= self._max_bytes:
            return last  # nearly every line of nearly every file: nothing to join
        self.add(last)
        record, num_bytes = b"".join(self._parts), self.num_bytes
        self._parts, self.num_bytes = [], 0
        if num_bytes <= self._max_bytes:
            return record
        return Flaw.of("record_too_large", f"{num_bytes:,} bytes", record, num_bytes)

    def tear(self, tear: TornStream) -> Flaw:
        """The record, which the tear cut off."""
        return Flaw.of("torn_stream", str(tear), b"".join(self._parts), self.num_bytes)


def lines(parts: Iterator[bytes]) -> Iterator[bytes | Flaw]:
    """Lines without their newline; only `\\n` ends a line, since U+2028 and U+0085 stand inside web text.

    The last line need not end in a newline. A tear comes as the last item, with the line that it cut.

    >>> list(lines(iter([b"a\\nb", b"c\\n\\nd"])))
    [b'a', b'bc', b'', b'd']
    """
    held = Held()
    try:
        for part in parts:
            *ended, rest = part.split(b"\n")
            for line in ended:
                yield held.close(line)
            held.add(rest)
    except TornStream as tear:
        yield held.tear(tear)
    else:
        if held.num_bytes:
            yield held.close()


def whole(parts: Iterator[bytes], max_bytes: int | None = None) -> bytes | Flaw:
    """The whole file as one record."""
    held = Held(max_bytes)
    try:
        for part in parts:
            held.add(part)
    except TornStream as tear:
        return held.tear(tear)
    return held.close()
