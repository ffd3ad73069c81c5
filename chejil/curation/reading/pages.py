"""Pages: bytes of HTML → a record, or the reason why there is none; and folders of HTML as a container.

What was found out about a page stands in the record beside its text, and so in the document's `meta`: `charset` and
`charset_by` (bom, header, meta, bytes), what was declared otherwise (`charset_header`, `charset_meta`), `title`,
`html_lang` and `content_language` as hints. A page in a folder has the address that it gives itself (`canonical`)
as its url, or none; one that was saved with its HTTP header (`wget --save-headers`) is read with it.

No U+FFFD gets into a text by our doing: a page in which a byte cannot be read is a document if that byte stood in
a script or a menu, and then `undecodable` counts such places; if it stood in the text, the page is set aside.
"""

from __future__ import annotations

from collections.abc import Mapping

from chejil.curation.reading import charsets, http_responses
from chejil.curation.reading.containers import Row, Rows
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.extraction import Extraction, NoText, extract
from chejil.curation.reading.streams import RawFile, chunks, whole

HTML_TYPES = ("text/html", "application/xhtml+xml")
"""Media types of pages."""


def html_file(raw: RawFile, settings: Extraction | None = None) -> Rows:
    """A page a file."""
    settings = settings or Extraction()
    content = whole(chunks(raw, text=False), settings.max_bytes)
    if isinstance(content, Flaw):
        too_large = content.reason == "record_too_large"
        yield (
            Flaw("page_too_large", content.detail, content.excerpt, content.num_bytes)
            if too_large
            else content
        )
        return
    response = http_responses.parse(content) if content.startswith(b"HTTP/") else None
    if response is None:
        yield page_row(content, settings, {})
        return
    body = http_responses.decoded_body(response, settings.max_bytes)
    if isinstance(body, http_responses.Undecodable):
        yield Flaw.of("page_too_large" if body.is_too_large else "broken_record", body.detail, content)
        return
    yield page_row(body, settings, {"timestamp": response.headers.get("last-modified")}, response.headers)


def page_row(
    content: bytes,
    settings: Extraction,
    fields: Mapping[str, object],
    headers: Mapping[str, str] | None = None,
) -> Row | Flaw:
    """The record of a page.

    Args:
        fields: what is known of it already; null members are left out, and a `url` of its own is kept.
        headers: HTTP headers by lower-case name.
    """
    headers = headers or {}
    decoded = charsets.decode(content, http_responses.charset_of(headers.get("content-type", "")))
    if decoded is None:
        said = charsets.declared_in(content)
        return Flaw.of("unknown_charset", f"declared: {said or 'nothing'}", content)
    found = extract(decoded.text, settings)
    if isinstance(found, NoText):
        return Flaw.of(found.reason, found.detail, decoded.text[:800].encode(), len(content))
    if decoded.bad_bytes and "\ufffd" in found.text:
        where = found.text.index("\ufffd")
        near = found.text[max(0, where - 60) : where + 60].encode()
        return Flaw.of(
            "undecodable_text", f"{decoded.bad_bytes} places are no {decoded.charset}", near, len(content)
        )
    head = dict(found.head)
    own = {"url": head.pop("canonical", None), "content_language": headers.get("content-language")}
    row = {**own, **head, **decoded.facts, **{k: v for k, v in fields.items() if v is not None}}
    return Row({"text": found.text, **{key: value for key, value in row.items() if value is not None}})
