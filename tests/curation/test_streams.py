"""Bytes of one file: compression, tears, hashes, lines."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc

import pytest
import xxhash
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.reading import streams
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.streams import RawFile, TornStream, chunks, lines, whole
from chejil.errors import SourceError

COMPRESS = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
# "Snow fell. / Snow fell again." in Hangul, NFD, Hanja, emoji, an empty line
SMALL = "눈이 내렸다.\n\n눈이 또 내렸다.\n\u1102\u116e\u11ab 雪 ❄\n".encode() * 8

codecs = pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS.keys())


def raw_file(content: bytes) -> RawFile:
    return RawFile(io.BytesIO(content), "memory")


def split(content: bytes) -> list[bytes]:
    """The plain reference of `lines`."""
    parts = content.split(b"\n")
    return parts if parts[-1] else parts[:-1]


@codecs
@given(parts=st.lists(st.binary(min_size=1), min_size=1, max_size=4))
def test_streams_that_follow_one_another_are_one(compress, parts):
    """gzip members, zstd frames, bzip2 and xz streams are read to the last one."""
    parts = [b".", *parts]  # the first bytes must not look like an archive's
    assert b"".join(chunks(raw_file(b"".join(map(compress, parts))))) == b"".join(parts)


@given(st.binary(), st.integers(1, 7))
def test_lines_end_in_newlines_only(content, chunk_bytes):
    """Lines are what a split on newlines gives, however the bytes arrive."""
    parts = (content[start : start + chunk_bytes] for start in range(0, len(content), chunk_bytes))
    assert list(lines(parts)) == split(content)


def test_unicode_line_ends_stay_in_the_line():
    """U+2028, U+0085, form feed and a lone carriage return do not end a line."""
    content = "가\u2028나\u0085다\x0c라\r마".encode()
    assert list(lines(iter([content]))) == [content]


@codecs
def test_a_torn_stream_keeps_what_stands_before_the_tear(compress):
    """Wherever the file is cut, whole lines before the cut come first and one flaw comes last."""
    compressed = compress(SMALL)
    for cut in range(6, len(compressed)):
        *kept, tear = lines(chunks(raw_file(compressed[:cut])))
        assert kept == split(SMALL)[: len(kept)]
        assert tear.reason == "torn_stream"


def test_a_tear_in_the_checksum_loses_no_line():
    """A gzip file that lacks its last bytes still gives every line."""
    *kept, tear = lines(chunks(raw_file(gzip.compress(SMALL)[:-3])))
    assert kept == split(SMALL)
    assert tear.num_bytes == 0


def test_a_tear_names_the_line_that_it_cut():
    """The flaw carries the beginning and the size of the cut line."""
    compressor = zstandard.ZstdCompressor().compressobj()
    flushed = compressor.compress(b"one\ntwo and") + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    assert list(lines(chunks(raw_file(flushed)))) == [
        b"one",
        Flaw("torn_stream", "zstd stream ends before its end mark", "two and", 7),
    ]


def test_damage_in_the_middle_is_a_tear():
    """A second member that is no gzip is reported after all lines of the first."""
    *kept, tear = lines(chunks(raw_file(gzip.compress(SMALL) + b"not gzip")))
    assert kept == split(SMALL)
    assert "damaged" in tear.detail


def test_padding_after_gzip_is_nothing():
    """Zeros after the last member, as tapes leave them, are no damage."""
    padded = gzip.compress(b"a\n") + bytes(200_000)
    assert list(lines(chunks(raw_file(padded)))) == [b"a"]


def test_skippable_frames_are_skipped():
    """A zstd file may begin with a skippable frame, as those of pzstd do."""
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"size"
    assert b"".join(chunks(raw_file(skippable + zstandard.compress(SMALL)))) == SMALL


@codecs
def test_compression_is_told_by_content_not_by_name(compress):
    """Nothing but the first bytes says how a file is compressed; plain bytes are taken as they are."""
    assert b"".join(chunks(raw_file(compress(SMALL)))) == b"".join(chunks(raw_file(SMALL)))


def test_a_byte_order_mark_is_dropped_at_the_start_only():
    """Only the first three bytes of the decompressed file can be a mark."""
    content = b"\xef\xbb\xbfa\n\xef\xbb\xbfb"
    assert list(lines(chunks(raw_file(gzip.compress(content))))) == [b"a", b"\xef\xbb\xbfb"]


@pytest.mark.parametrize("rest", [b"", b"\x1f\x8bgarbage", bytes(3 << 20) + b"garbage"])
def test_the_hash_is_of_the_whole_file(rest):
    """The hash covers every byte as it lies there, also behind a tear."""
    content = gzip.compress(SMALL) + rest
    raw = raw_file(content)
    list(lines(chunks(raw)))
    assert raw.hash() == xxhash.xxh3_128_hexdigest(content)
    assert raw.num_bytes == len(content)


@pytest.mark.parametrize("magic", streams.NOT_TEXT, ids=streams.NOT_TEXT.values())
def test_another_kind_of_file_is_named(magic):
    """A Parquet file or an archive that is taken for text is refused by its name."""
    with pytest.raises(SourceError, match=streams.NOT_TEXT[magic]):
        list(chunks(raw_file(magic + b"rest")))


@pytest.mark.parametrize("content", [b"\x1f\x8b\xff broken", zstandard.compress(SMALL)[:9] + b"\xff" * 40])
def test_a_stream_that_never_begins_is_an_unreadable_file(content):
    """Damage before the first byte of content is an error of the file, not of a row."""
    with pytest.raises(SourceError, match="not a"):
        list(chunks(raw_file(content)))


def test_a_zstd_window_above_the_memory_of_a_worker_is_refused():
    """`zstd --long=31` needs 2 GiB to decode: the file is refused by name."""
    parameters = zstandard.ZstdCompressionParameters(window_log=31)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(SourceError, match="memory"):
        list(chunks(raw_file(compressor.compress(SMALL) + compressor.flush())))


def test_a_disk_that_fails_is_a_source_error():
    """An input error half way stops the file with its name."""

    class FailingDisk(io.BytesIO):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(SourceError, match="shard: cannot be read: Input/output error"):
        list(chunks(RawFile(FailingDisk(), "shard")))


def test_an_endless_line_is_counted_but_not_held(monkeypatch):
    """A line above the limit costs the limit in memory and comes back as one flaw with its size."""
    monkeypatch.setattr(streams, "MAX_RECORD_BYTES", 1 << 20)
    compressed = gzip.compress(b"a\n" + b"x" * (64 << 20) + b"\nb\n", compresslevel=1)
    tracemalloc.start()
    first, flaw, last = lines(chunks(raw_file(compressed)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (first, last) == (b"a", b"b")
    assert (flaw.reason, flaw.num_bytes) == ("record_too_large", 64 << 20)
    assert flaw.excerpt == "x" * 200
    assert peak < 20 << 20  # one feed of gzip at its highest ratio is 8 KiB x 1032, held twice for a moment


def test_sixteen_megabytes_in_one_line_are_one_record():
    """A line of 16 MB is a record as any other."""
    line = "가".encode() * (16_000_000 // 3)
    assert list(lines(chunks(raw_file(zstandard.compress(line + b"\n"))))) == [line]


def test_a_bomb_is_handed_over_in_pieces():
    """A file that decompresses 30,000 times larger never gives more than 64 MiB at once."""
    bomb = zstandard.compress(bytes(200 << 20), level=1)
    sizes = [len(chunk) for chunk in chunks(raw_file(bomb))]
    assert sum(sizes) == 200 << 20
    assert max(sizes) <= streams.MAX_RECORD_BYTES + (256 << 10)


def test_a_torn_whole_is_one_flaw():
    """A file that is one record has no line to save before the tear."""
    flaw = whole(chunks(raw_file(gzip.compress(b"x" * 5000)[:-9])))
    assert isinstance(flaw, Flaw)
    assert flaw.reason == "torn_stream"


def test_a_tear_is_no_error_of_the_user():
    """`TornStream` never leaves the containers: it is not a ChejilError."""
    assert not issubclass(TornStream, SourceError)
