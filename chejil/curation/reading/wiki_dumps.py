"""MediaWiki dumps as a container: the articles of pages-articles.xml, plain, bzip2 (multistream too), gzip or zstd.

The dump is cut at `<page>` and `</page>`, which cannot stand in a page's text, and each page is parsed by itself
with lxml: memory is that of one page (at most 64 MiB), and a damaged page costs itself, where one XML parser for the
file would end there. Every page is a document or a row of the quarantine: `other_namespace`, `redirect`,
`disambiguation`, `no_text`; the excerpt is its title. Of a page with its whole history the last revision counts.

The record is that of the published Wikipedia tables: id, url, title (which goes into `meta`), text; and beside it
timestamp, `revision`, `categories`, and the license where the wiki is one of Wikimedia's, whose text all has the same.

bzip2 gives 46 MB/s of XML, cutting and parsing takes 130, the markup 1.2 (wiki_markup.py); 1,500 pages take 84 MB of
memory where 50 take 79. A file is read by one worker, so take a large dump in parts where there are any.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from chejil.curation.reading import wiki_markup
from chejil.curation.reading.containers import Row, Rows
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.streams import Held, RawFile, TornStream, chunks
from chejil.curation.reading.wiki_markup import Namespaces
from chejil.errors import SourceError

if TYPE_CHECKING:
    from lxml.etree import _Element

_OPEN, _CLOSE = b"<page>", b"</page>"
_WIKIMEDIA = re.compile(
    r"https?://[\w-]+(?:\.m)?\.(?:wikipedia|wiktionary|wikibooks|wikiquote|wikisource|wikiversity|wikivoyage)\.org/"
)
_MEANINGS = ("(동음이의)", "(disambiguation)")
_LICENSE = "CC BY-SA 4.0"
"""Of the text of those wikis since June 2023, older text included (Wikimedia's terms of use, section 7)."""


@dataclass(frozen=True, slots=True)
class Site:
    """What a dump says of its wiki on top: where articles are, and what namespaces are called."""

    articles: str | None = None
    namespaces: Namespaces = field(default_factory=Namespaces)

    def url(self, title: str) -> str | None:
        """An article's address; None if the dump does not name its wiki."""
        if self.articles is None:
            return None
        return self.articles + quote(title.replace(" ", "_"), safe="/:@!$*(),;~")


class _Cutter:
    """Bytes up to the next mark, however far it is; `tear` says how the stream ended, if not well."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.tear: TornStream | None = None
        self._parts = parts
        self._ahead = bytearray()

    def until(self, mark: bytes) -> tuple[bytes | Flaw, bool]:
        """What stands before the mark, which is passed over, and whether it was found."""
        held = Held()
        while (at := self._ahead.find(mark)) < 0:
            searched = max(0, len(self._ahead) - len(mark) + 1)
            held.add(bytes(self._ahead[:searched]))
            del self._ahead[:searched]
            part = self._next()
            if not part:
                held.add(bytes(self._ahead))
                self._ahead.clear()
                return held.close(), False
            self._ahead += part
        held.add(bytes(self._ahead[:at]))
        del self._ahead[: at + len(mark)]
        return held.close(), True

    def _next(self) -> bytes:
        try:
            return next(self._parts, b"")
        except TornStream as tear:
            self.tear = tear
            return b""


def dump(raw: RawFile, namespaces: Collection[int] = (0,)) -> Rows:
    """The pages of a dump.

    Args:
        namespaces: numbers of those whose pages are documents; 0 are the articles.

    Raises:
        SourceError: no MediaWiki dump, or nothing at all.
    """
    cutter = _Cutter(chunks(raw))
    head, is_more = cutter.until(_OPEN)
    if not head and cutter.tear is None:
        raise SourceError("an empty file", where=raw.url, mend="fetch the dump again")
    if not is_more and cutter.tear is not None and not (isinstance(head, bytes) and b"<mediawiki" in head):
        yield _cut_off(head, cutter.tear)
        return
    site = _site(head, raw.url)
    while is_more:
        page, is_whole = cutter.until(_CLOSE)
        if not is_whole:
            yield _cut_off(page, cutter.tear)
            return
        yield from _whole_pages(page, site, namespaces)
        between, is_more = cutter.until(_OPEN)
        if isinstance(between, Flaw) or b"<title>" in between or b"<revision>" in between:
            yield between if isinstance(between, Flaw) else Flaw.of("broken_record", "no <page>", between)
    if cutter.tear is not None:
        yield _cut_off(b"", cutter.tear)


def _cut_off(page: bytes | Flaw, tear: TornStream | None) -> Flaw:
    rest, num_bytes = (page.excerpt.encode(), page.num_bytes) if isinstance(page, Flaw) else (page, len(page))
    reason, detail = ("torn_stream", str(tear)) if tear else ("broken_record", "the dump ends in this page")
    return Flaw.of(reason, detail, rest, num_bytes)


def _whole_pages(page: bytes | Flaw, site: Site, namespaces: Collection[int]) -> Rows:
    if isinstance(page, Flaw):
        yield page
        return
    *cut, whole = page.split(_OPEN)  # a page without its end, as where dumps that broke off were joined
    yield from (Flaw.of("broken_record", "a page without its end", rest) for rest in cut)
    yield _page(whole, site, namespaces)


def _site(head: bytes | Flaw, url: str) -> Site:
    if isinstance(head, Flaw) or b"<mediawiki" not in head:
        raise SourceError("no MediaWiki dump", where=url, mend="it is pages-articles.xml that is wanted")
    start, end = head.find(b"<siteinfo>"), head.find(b"</siteinfo>")
    info = _parsed(head[start : end + len(b"</siteinfo>")]) if 0 <= start < end else None
    if info is None:
        return Site()
    base = info.findtext("base") or ""
    before, mark, _ = base.rpartition("title=") if "title=" in base else base.rpartition("/")
    names = {
        (element.text or "").lower(): int(element.get("key", "0"))
        for element in info.iterfind("namespaces/namespace")
    }
    return Site(before + mark if base else None, Namespaces(names))


def _parsed(content: bytes) -> _Element | None:
    from lxml import etree

    # No entity is looked up but XML's own five: a dump has no others, and a harmful file no say.
    parser = etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True, remove_comments=True)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        return None


def _page(content: bytes, site: Site, namespaces: Collection[int]) -> Row | Flaw:
    page = _parsed(_OPEN + content + _CLOSE)
    if page is None:
        return Flaw.of("broken_record", "a page that is no XML", content)
    title = page.findtext("title") or ""
    revision = max(page.iterfind("revision"), key=lambda one: one.findtext("timestamp") or "", default=None)

    def none(reason: str, detail: str) -> Flaw:
        return Flaw.of(reason, detail, title.encode(), len(content))

    namespace, model = (
        page.findtext("ns") or "0",
        revision.findtext("model") if revision is not None else None,
    )
    if namespace not in map(str, namespaces) or model not in (None, "wikitext"):
        return none(
            "other_namespace", f"{namespace}{f', {model}' if model not in (None, 'wikitext') else ''}"
        )
    wikitext = revision.findtext("text") if revision is not None else None
    redirect = page.find("redirect")
    if redirect is not None or _is_redirect(wikitext):
        return none("redirect", redirect.get("title", "") if redirect is not None else "")
    if revision is None or wikitext is None:
        return none(
            "null_text", "the page has no text" if revision is not None else "the page has no revision"
        )
    try:
        article = wiki_markup.article(wikitext, site.namespaces)
    except wiki_markup.NotReadable as error:
        return none("extraction_failed", str(error))
    if article.is_disambiguation or title.endswith(_MEANINGS):
        return none("disambiguation", "")
    if not article.text:
        return none("no_text", "nothing but markup")
    fields = {
        "id": page.findtext("id"),
        "url": site.url(title),
        "title": title,
        "timestamp": revision.findtext("timestamp"),
        "license": _LICENSE if _WIKIMEDIA.match(site.articles or "") else None,
        "revision": revision.findtext("id"),
        "categories": article.categories,
    }
    return Row({"text": article.text, **{name: value for name, value in fields.items() if value}})


def _is_redirect(wikitext: str | None) -> bool:
    return wikitext is not None and wikitext.lstrip().lower().startswith(tuple(wiki_markup.table().redirect))
