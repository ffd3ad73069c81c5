"""Web archives as a container: WARC and WET, plain, gzip or zstd (ISO 28500; Common Crawl's WET are `conversion`s).

Every record of an archive is a document or a row of the quarantine: pages of responses whose status is asked for,
resources that are HTML (archives of browsers and wget have such), and the plain text of conversions are documents;
requests and the like are `other_record`, pictures `not_html`, redirects and errors `http_status`. A revisit is
`other_record`: its page stands under another date. The excerpt of such a row is the record's address.

A document's id is the record's (`<urn:uuid:…>`, as FineWeb has it), url and timestamp are the record's; `meta` has
the record's `offset` in the file (as in a CDX index: there the record can be read again), `status` where it is not
200, `truncated` where the crawler cut the page, `languages` where the crawler identified them, and what pages.py
finds out.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from chejil.curation.reading import archive_framing, charsets, http_responses
from chejil.curation.reading.archive_framing import Broken, Record
from chejil.curation.reading.containers import Row, Rows
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.extraction import Extraction
from chejil.curation.reading.pages import HTML_TYPES, page_row
from chejil.curation.reading.streams import RawFile

_MAX_HTTP_HEADER_BYTES = 256 << 10


def archive(raw: RawFile, settings: Extraction | None = None, statuses: Collection[int] = (200,)) -> Rows:
    """The records of a web archive.

    Args:
        statuses: HTTP statuses of responses that are pages.
    """
    settings = settings or Extraction()
    for record in archive_framing.records(raw, settings.max_bytes + _MAX_HTTP_HEADER_BYTES):
        if isinstance(record, Broken):
            reason = "torn_stream" if record.is_torn else "broken_record"
            yield Flaw.of(reason, record.detail, record.rest, record.num_bytes)
        else:
            yield _row(record, settings, statuses)


def _row(record: Record, settings: Extraction, statuses: Collection[int]) -> Row | Flaw:
    kind = record.headers.get("warc-type", "").lower()
    if kind not in ("response", "resource", "conversion"):
        return _flaw(record, "other_record", kind or "no WARC-Type")
    if record.num_bytes > len(record.block):
        return _flaw(record, "page_too_large", f"{record.num_bytes:,} bytes")
    if kind == "response":
        return _response(record, settings, statuses)
    if kind == "resource":
        return _resource(record, settings)
    return _conversion(record)


def _flaw(record: Record, reason: str, detail: str) -> Flaw:
    return Flaw.of(reason, detail[:200], _url(record).encode(), record.num_bytes)


def _url(record: Record) -> str:
    return (
        record.headers.get("warc-target-uri", "").removeprefix("<").removesuffix(">")
    )  # as WARC 0.18 wrote it


def _fields(record: Record) -> dict[str, Any]:
    """What a record says of its page; null where it does not."""
    headers = record.headers
    return {
        "id": headers.get("warc-record-id"),
        "url": _url(record) or None,
        "timestamp": headers.get("warc-date"),
        "offset": record.offset,
        "truncated": headers.get("warc-truncated"),
        "languages": headers.get("warc-identified-content-language"),
    }


def _response(record: Record, settings: Extraction, statuses: Collection[int]) -> Row | Flaw:
    response = http_responses.parse(record.block)
    if response is None:
        return _flaw(record, "other_record", "a response, but not of HTTP")
    if response.status not in statuses:
        return _flaw(record, "http_status", str(response.status))
    kind = response.media_type or record.headers.get("warc-identified-payload-type", "")
    if kind and kind not in HTML_TYPES:
        return _flaw(record, "not_html", kind)
    body = http_responses.decoded_body(response, settings.max_bytes)
    if isinstance(body, http_responses.Undecodable):
        return _flaw(record, "page_too_large" if body.is_too_large else "broken_record", body.detail)
    status = None if response.status == 200 else response.status
    return page_row(body, settings, {**_fields(record), "status": status}, response.headers)


def _resource(record: Record, settings: Extraction) -> Row | Flaw:
    media_type = record.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in HTML_TYPES:
        return _flaw(record, "not_html", media_type or "no media type")
    return page_row(record.block, settings, _fields(record), record.headers)


def _conversion(record: Record) -> Row | Flaw:
    """Text that a crawler has extracted already."""
    content_type = record.headers.get("content-type", "text/plain")
    if not content_type.lower().startswith("text/plain"):
        return _flaw(record, "not_html", content_type)
    decoded = charsets.decode(record.block, http_responses.charset_of(content_type))
    if decoded is None or decoded.bad_bytes:
        return _flaw(record, "undecodable_text", f"no {decoded.charset if decoded else 'charset'} throughout")
    if not decoded.text.strip():
        return _flaw(record, "no_text", "an empty record")
    known = {key: value for key, value in _fields(record).items() if value is not None}
    charset = {} if decoded.charset == "UTF-8" else decoded.facts
    return Row({"text": decoded.text, **known, **charset})
