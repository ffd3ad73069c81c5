"""Extraction: the main text of an HTML page, without its menus, by trafilatura (Barbaresi 2021).

A page is parsed once, here, and trafilatura gets the tree: its own parser drops, without a word, all that stands
below 256 levels or behind 10 MB of text in one element. What no parser can take in (2,048 levels) and what would
take minutes is set aside with a reason. Limits are counts, never seconds, so that a page has the same fate on every
machine: trafilatura's time grows with the square of a page's elements (1 MB of links 2 s, 4 MB 38 s), so a page has
at most 50,000 of them, which takes seconds; a page of one line may have 16 MB, which takes one second.

Measured in seconds of one core, 157 real Korean pages (6.8 MB, 43 kB each): 2.2 MB/s of HTML or 52 pages a second,
2.8 without `fallback`, 3.3 with `favour: recall`, 1.6 with `precision`. So a WARC file of Common Crawl (some 5 GB of
pages) takes about 40 minutes of a core.

What trafilatura 2.3 does to Korean, seen on those pages and on texts of our own. Spaces: of 10,699 lines, 10,669
stand in the page as extracted, the other 30 are code; inline elements never add or take a space between syllable
and particle. NFD and old Hangul pass unchanged. Lost: zero-width joiners (an emoji of a family becomes three
people). Two things were wrong, and are mended in the tree before it goes there: `<ruby>` took its whole paragraph
along (now 漢字(한자), as Korean writes it), and text beside a nested block was glued to it (`밖<div>안</div>` → 밖안).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_NO_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]+")
_TAG = re.compile(
    r"<(?:!doctype html|html|head|title|meta|body|div|p|br|span|a|table|ul|ol|h[1-6]|font|center|article|b|i|img)"
    r"[\s/>]",
    re.IGNORECASE,
)
_ROOT = re.compile(r"<([a-zA-Z][\w:.-]*)")
_PROLOGUE = re.compile(r"(?:\s|<\?.*?\?>|<!--.*?-->|<!doctype[^>]*>)*+", re.DOTALL | re.IGNORECASE)
_FEEDS = ("rss", "feed", "rdf:RDF", "svg", "urlset", "sitemapindex", "opml")

_BLOCKS = (
    "address", "article", "aside", "blockquote", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li",
    "main", "nav", "ol", "p", "pre", "section", "summary", "table", "ul",
)  # fmt: skip


class Extraction(BaseModel):
    """How the text of HTML pages is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    favour: Literal["balanced", "precision", "recall"] = Field(
        default="balanced",
        description="`precision` takes less and surer text, `recall` more, in two thirds of the time",
    )
    fallback: bool = Field(
        default=True,
        description="compare with two more extractors where little was found; a fifth of the time",
    )
    tables: bool = Field(default=True, description="take the text of tables, cells between `|`")
    comments: bool = Field(default=False, description="take readers' comments, after the text")
    max_bytes: int = Field(
        default=20_000_000, gt=0, le=64 << 20, description="a larger page is set aside (`page_too_large`)"
    )
    max_elements: int = Field(
        default=50_000, gt=0, description="so is a page of more elements; time grows with their square"
    )


@dataclass(frozen=True, slots=True)
class NoText:
    """Why a page gave no text: a reason of the quarantine, and what exactly."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Extracted:
    """A page's text, and what its head says: title, html_lang, canonical, license; absent where it says nothing."""

    text: str
    head: dict[str, str]


def extract(page: str, settings: Extraction) -> Extracted | NoText:
    """The main text of a page.

    >>> story = "<p>The ferry leaves at nine and comes back before the sun is down.</p>"
    >>> extract(f"<html><body><article>{story}</article></body></html>", Extraction()).text
    'The ferry leaves at nine and comes back before the sun is down.'
    """
    kind = _other_kind(page)
    if kind is not None:
        return NoText("not_html", kind)
    tree = _parsed(page)
    if isinstance(tree, NoText):
        return tree
    num_elements = int(tree.xpath("count(//*)"))
    if num_elements > settings.max_elements:
        return NoText("page_too_large", f"{num_elements:,} elements")
    head = dict(_head(tree))
    _write_out_ruby(tree)
    _part_blocks(tree)
    return _main_text(tree, head, settings)


def _other_kind(page: str) -> str | None:
    """What a file is that is no HTML: feeds and drawings are XML, too, and notes have no tags."""
    if _TAG.search(page) is None:
        return "no tag in it" if page.strip() else "no character in it"
    prologue = _PROLOGUE.match(page)
    root = _ROOT.match(page, prologue.end() if prologue else 0)
    return f"<{root[1]}>" if root and root[1] in _FEEDS else None


def _parsed(page: str) -> HtmlElement | NoText:
    from lxml import etree, html

    # One parser a page: its log is the page's. `huge_tree` lifts the limits of 256 levels and 10 MB.
    parser = html.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True, collect_ids=False
    )
    try:
        tree = html.document_fromstring(_NO_XML.sub("", page).encode("utf-8", "replace"), parser=parser)
    except etree.ParserError as error:
        return NoText("no_text", str(error))
    # Not `feed_error_log[-1]`: the end of the document is reported after the limit.
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        return NoText("extraction_failed", "nested deeper than 2,048 levels")
    return tree


_HEAD = {
    "title": "string(//head/title)",
    "html_lang": "string(/html/@lang | /html/@*[local-name()='xml:lang'])",
    "canonical": "string(//link[@rel='canonical']/@href | //meta[@property='og:url']/@content)",
    "license": "string(//link[@rel='license']/@href | //a[@rel='license']/@href)",
}


def _head(tree: HtmlElement) -> Iterator[tuple[str, str]]:
    for name, xpath in _HEAD.items():
        value = " ".join(str(tree.xpath(xpath)).split())
        if value and (name != "canonical" or value.startswith(("http://", "https://"))):
            yield name, value


def _write_out_ruby(tree: HtmlElement) -> None:
    """`<ruby>漢字<rt>한자</rt></ruby>` becomes 漢字(한자)."""
    for ruby in list(tree.iter("ruby")):
        has_brackets = ruby.find(".//rp") is not None
        for part in list(ruby.iter("rt", "rp", "rb", "rtc")):
            if part.tag == "rt" and not has_brackets and part.text_content().strip():
                part.text = f"({part.text or ''}"
                part.tail = f"){part.tail or ''}"
            part.drop_tag()
        ruby.drop_tag()


def _part_blocks(tree: HtmlElement) -> None:
    """A block begins and ends a line; trafilatura knows it of blocks beside each other, not of text beside them."""
    for block in tree.iter(*_BLOCKS):
        if not block.tail or not block.tail[0].isspace():
            block.tail = f"\n{block.tail or ''}"
        before = block.getprevious()
        if before is not None and before.tail:
            if not before.tail[-1].isspace():
                before.tail = f"{before.tail}\n"
        elif before is None:
            parent = block.getparent()
            if parent is not None and parent.text and not parent.text[-1].isspace():
                parent.text = f"{parent.text}\n"


def _main_text(tree: HtmlElement, head: dict[str, str], settings: Extraction) -> Extracted | NoText:
    bare_extraction, options = _extractor(settings)
    try:
        found = bare_extraction(tree, options=options)
    except Exception as error:  # what it raises on some page out of a million is nowhere listed
        return NoText("extraction_failed", f"{type(error).__name__}: {error}"[:200])
    parts = [part for part in (found.text, found.comments) if part] if found is not None else []
    text = "\n".join(parts).strip()
    return Extracted(text, head) if text else NoText("no_text", "nothing but menus, scripts or markup")


@cache
def _extractor(settings: Extraction) -> tuple[Any, Any]:
    """trafilatura's function, and its options; it reports every page without text to the log, we count them."""
    import trafilatura
    from trafilatura.settings import Extractor

    for name in ("trafilatura", "htmldate", "courlan", "justext"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    options = Extractor(
        output_format="python",
        fast=not settings.fallback,
        precision=settings.favour == "precision",
        recall=settings.favour == "recall",
        comments=settings.comments,
        tables=settings.tables,
    )
    return trafilatura.bare_extraction, options
