"""Web archives: every record is a document or says why not, whatever is broken around it."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.reading import archive_framing, http_responses
from chejil.curation.reading.archive_framing import Broken, Record
from chejil.curation.reading.streams import RawFile

from .web_texts import STORY, http, page, pages_archive, reasons, record, rows, zipped

pytest.importorskip("lxml_html_clean", reason="needs chejil[web]")

BODY = page().encode()


def framed(content: bytes, max_bytes: int = 1 << 20) -> list[Record | Broken]:
    return list(archive_framing.records(RawFile(io.BytesIO(content), "a.warc"), max_bytes))


def outcome(content: bytes) -> list[str]:
    """The last digit of each record's id, or `torn` or `broken`."""
    return [
        ("torn" if one.is_torn else "broken")
        if isinstance(one, Broken)
        else one.headers["warc-record-id"][-2]
        for one in framed(content)
    ]


def one(body: bytes, headers: str = "Content-Type: text/html", status: str = "200 OK"):
    (found,) = rows("warc", record(1, http(body, headers, status)))
    return found


# Records


def test_a_response_is_a_document_with_its_records_data():
    """Id, url and time are the record's; offset and language stand beside the text."""
    first = record(0, http(BODY))
    block = http(BODY, "Content-Language: ko\r\nContent-Type: text/html")
    more = b"WARC-Truncated: length\r\nWARC-Identified-Content-Language: kor,eng\r\nWARC-Date"
    second = record(1, block).replace(b"WARC-Date", more)

    found = rows("warc", zipped([first, second]))[1]

    assert found.fields == {
        "text": f"항구\n{STORY}",
        "id": "<urn:uuid:00000000-0000-4000-8000-000000000001>",
        "url": "https://a.example/1",
        "timestamp": "2024-01-02T00:00:00Z",
        "offset": len(zipped([first])),
        "truncated": "length",
        "languages": "kor,eng",
        "content_language": "ko",
        "title": "항구 소식",
        "html_lang": "ko",
        "charset": "UTF-8",
        "charset_by": "bytes",
    }


@pytest.mark.parametrize(
    ("block", "kind", "reason"),
    [
        (http(BODY), "response", "document"),
        (http(BODY, "content-type: application/xhtml+xml; charset=utf-8"), "response", "document"),
        (http(BODY, "X-Powered-By: a"), "response", "document"),  # no media type: browsers look at the page
        (http(BODY, status="404 Not Found"), "response", "http_status"),
        (http(b"", "Location: /b", status="301 Moved"), "response", "http_status"),
        (http(b"\x89PNG", "Content-Type: image/png"), "response", "not_html"),
        (http(b"{}", "Content-Type: application/json"), "response", "not_html"),
        (http(b"<html></html>"), "response", "no_text"),
        (b"not http at all", "response", "other_record"),
        (b"GET / HTTP/1.1\r\n\r\n", "request", "other_record"),
        (b"software: a\r\n", "warcinfo", "other_record"),
        (b"fetchTimeMs: 9\r\n", "metadata", "other_record"),
        (b"", "revisit", "other_record"),
        (b"", "no-such-type", "other_record"),
    ],
)
def test_every_kind_of_record_has_its_fate(block, kind, reason):
    """A document, or a reason."""
    assert reasons(rows("warc", record(1, block, kind))) == [reason]


def test_statuses_are_a_setting():
    """Error pages may be asked for; then their status stands beside their text."""
    (found,) = rows("warc", record(1, http(BODY, status="404 Not Found")), statuses=(200, 404))

    assert found.fields["status"] == 404


def test_a_conversion_is_its_text():
    """WET: plain text that the crawler has extracted; bytes that are none are set aside."""
    text = record(1, STORY.encode(), "conversion", "text/plain")
    soup = record(2, STORY.encode()[:40] + b"\xff\xfe" + STORY.encode()[40:], "conversion", "text/plain")
    empty = record(3, b" \n", "conversion", "text/plain")

    found = rows("warc", zipped([text, soup, empty]))

    assert found[0].fields["text"] == STORY
    assert reasons(found) == ["document", "undecodable_text", "no_text"]


def test_a_resource_that_is_a_page_is_one():
    """Archives of browsers hold pages without an HTTP response."""
    found = rows("warc", record(1, page().encode("cp949"), "resource", "text/html; charset=euc-kr"))

    assert reasons(found) == ["document"]


# Bodies


def chunked(body: bytes) -> bytes:
    parts = [body[i : i + 97] for i in range(0, len(body), 97)]
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def brotlied(body: bytes) -> bytes:
    return pytest.importorskip("brotli").compress(body)


@pytest.mark.parametrize(
    ("encode", "headers"),
    [
        (lambda body: body, "Content-Encoding: identity"),
        (chunked, "Transfer-Encoding: chunked"),
        (gzip.compress, "Content-Encoding: gzip"),
        (zlib.compress, "Content-Encoding: deflate"),
        (lambda body: zlib.compress(body)[2:-4], "Content-Encoding: deflate"),
        (brotlied, "Content-Encoding: br"),
        (zstandard.compress, "Content-Encoding: zstd"),
        (lambda body: chunked(gzip.compress(body)), "Content-Encoding: gzip\r\nTransfer-Encoding: chunked"),
        (lambda body: gzip.compress(zlib.compress(body)), "Content-Encoding: deflate, gzip"),
        # The crawler has undone the coding and left the header.
        (lambda body: body, "Content-Encoding: gzip\r\nTransfer-Encoding: chunked"),
        (lambda body: body, "Content-Encoding: br"),
    ],
)
def test_a_body_is_decoded_as_it_was_sent(encode, headers):
    """Chunked, gzip, deflate in both readings, brotli, zstd, two at once, and decoded already."""
    assert one(encode(BODY), f"Content-Type: text/html\r\n{headers}").fields["text"] == f"항구\n{STORY}"


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (gzip.compress(BODY)[:-30], "Content-Encoding: gzip", "broken_record"),
        (b"\x1f\x8bjunk", "Content-Encoding: gzip", "broken_record"),
        (chunked(BODY)[:-200], "Transfer-Encoding: chunked", "broken_record"),
        (BODY[3:], "Content-Encoding: exi", "broken_record"),
        (gzip.compress(b"<p>" + b"\0" * 40_000_000), "Content-Encoding: gzip", "page_too_large"),
        (zlib.compress(b"<p>" + b" " * 40_000_000), "Content-Encoding: deflate", "page_too_large"),
    ],
)
def test_a_body_that_cannot_be_had_whole_is_set_aside(body, headers, reason):
    """Torn, damaged, unknown, or a bomb."""
    assert reasons([one(body, f"Content-Type: text/html\r\n{headers}")]) == [reason]


@given(st.binary(max_size=200), st.sampled_from(["gzip", "br", "deflate", "zstd", "chunked", "x, gzip"]))
def test_any_body_is_bytes_or_a_reason(body, coding):
    """No bytes raise."""
    response = http_responses.Response(200, {"content-encoding": coding}, body)

    assert isinstance(http_responses.decoded_body(response, 1000), bytes | http_responses.Undecodable)


# Framing


@pytest.mark.parametrize(
    "write",
    [
        b"".join,
        zipped,
        lambda records: gzip.compress(b"".join(records)),
        lambda records: b"".join(map(zstandard.compress, records)),
        lambda records: b"".join(  # bgzip: members that end anywhere
            gzip.compress(b"".join(records)[i : i + 500]) for i in range(0, len(b"".join(records)), 500)
        ),
        lambda records: zipped(records) + b"\0" * 512,
    ],
)
def test_records_are_the_same_however_the_file_is_compressed(write):
    """Plain, a member a record, one member, zstd, members that end within records, padded."""
    found = framed(write(pages_archive(5)))

    assert [one.block for one in found] == [one.block for one in framed(b"".join(pages_archive(5)))]


def test_records_are_those_of_fastwarc():
    """Where nothing is damaged: ids, offsets and blocks are the same, compressed or not."""
    fastwarc = pytest.importorskip("fastwarc")
    for content in (zipped(pages_archive(5)), b"".join(pages_archive(5))):
        theirs = [
            (one.record_id, one.stream_pos, one.reader.read())
            for one in fastwarc.ArchiveIterator(io.BytesIO(content), parse_http=False)
        ]
        assert [(one.headers["warc-record-id"], one.offset, one.block) for one in framed(content)] == theirs


RECORDS = pages_archive(4)
ZIPPED = [zipped([one]) for one in RECORDS]
DAMAGED = ZIPPED[1][:150] + bytes(byte ^ 0xFF for byte in ZIPPED[1][150:170]) + ZIPPED[1][170:]
WRONG = RECORDS[1].replace(b"Content-Length: ", b"Content-Length: x")
SHORT = RECORDS[1].replace(b"Content-Length: ", b"Content-Length: 1\r\nX: ")
LONG = RECORDS[1].replace(b"Content-Length: ", b"Content-Length: 1")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ""),
        (b"<html>no archive", "broken"),
        (b"\x1f\x8bno gzip", "broken"),
        (b"".join(RECORDS)[:-300], "0 1 2 broken"),
        (b"".join(ZIPPED)[:-300], "0 1 2 torn"),
        (b"".join(ZIPPED)[: -len(ZIPPED[3]) + 12], "0 1 2 torn"),  # of the last one nothing can be read
        (gzip.compress(b"".join(RECORDS))[:-9], "0 1 2 3 torn"),
        (ZIPPED[0] + DAMAGED + ZIPPED[2] + ZIPPED[3], "0 broken 2 3"),
        (ZIPPED[0] + ZIPPED[1][:-100] + ZIPPED[2], "0 broken 2"),  # a writer was killed, and went on
        (ZIPPED[0] + b"some junk" + ZIPPED[2], "0 broken 2"),
        (ZIPPED[0] + gzip.compress(b"no record\r\n") + ZIPPED[2], "0 broken 2"),
        (RECORDS[0] + b"some junk\r\n\r\n" + RECORDS[2], "0 broken 2"),
        (RECORDS[0] + WRONG + RECORDS[2], "0 broken 2"),
        (RECORDS[0] + SHORT + RECORDS[2], "0 broken 2"),
        (zipped([RECORDS[0], SHORT, RECORDS[2]]), "0 broken 2"),
        (zipped([RECORDS[0], LONG, RECORDS[2]]), "0 broken 2"),
        (RECORDS[0] + RECORDS[1].rstrip(b"\r\n") + b"\n" + RECORDS[2], "0 1 2"),  # a careless writer
        (b"WARC/1.0\r\nWARC-Type: response\r\n" + b"X: y\r\n" * 20_000 + RECORDS[2], "broken 2"),
    ],
)
def test_what_is_broken_is_one_flaw_and_reading_goes_on_behind_it(content, expected):
    """Cut off, damaged, junk between records, wrong lengths: the neighbours are read."""
    assert " ".join(outcome(content)) == expected


@given(st.data())
def test_a_damaged_file_never_raises_and_never_loses_a_record_unsaid(data):
    """Whichever byte of a member is damaged, all records before and behind it come, and a flaw for it."""
    at = data.draw(st.integers(0, 2))
    where = data.draw(st.integers(0, len(ZIPPED[at]) - 1))
    member = bytearray(ZIPPED[at])
    member[where] ^= data.draw(st.integers(1, 255))

    found = outcome(b"".join([*ZIPPED[:at], bytes(member), *ZIPPED[at + 1 :]]))

    others = [str(i) for i in range(4) if i != at]
    assert [one for one in found if one.isdigit() and int(one) != at] == others
    assert len(found) >= 4


def test_a_block_above_the_limit_is_passed_over():
    """Only its beginning is held; the next record is read."""
    found = framed(b"".join(RECORDS[:2]), max_bytes=100)

    assert [(len(one.block), one.num_bytes > 500) for one in found] == [(100, True), (100, True)]


@pytest.mark.corpus
def test_the_real_archive_is_read_whole(corpus):
    """156 responses, as its maker says; their pages are Korean and in UTF-8."""
    found = rows("warc", (corpus / "html" / "pages-ko.warc.gz").read_bytes())

    assert reasons(found) == ["document"] * 156
    assert {row.fields["charset"] for row in found} == {"UTF-8"}
