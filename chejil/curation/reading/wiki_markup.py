"""Wikitext → text: what a reader of the article reads as prose, without the markup.

mwparserfromhell finds templates, links, tags and comments; what of them is text is decided here and in
wiki_markup.yaml. Links keep their words, headings are lines, list items begin with `- ` or their number; files,
categories, references, tables, formulas and nearly all templates go. A few templates are words of the sentence they
stand in ({{lang|…}}, {{nowrap|…}}) and stay; what the others leave behind goes with them: brackets that held nothing
else, the comma before them, headings without a section. WikiExtractor, whose output the published Wikipedia tables
have, drops all templates and leaves `서울(, )`.

What the parser gives back as text because it is never closed is taken out as a last step, so no `[[`, `]]`, `{{`,
`}}`, `{|` or `<ref` is left, unless `<nowiki>`, `<pre>`, code or an entity says that it is meant.

Speed: 1.2 MB/s of Korean prose in wikitext on one core, 0.7 where markup is dense; nine tenths of it are
mwparserfromhell's, whose own `strip_code` is no faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from chejil.curation.reading.wiki_lines import GONE, HEADING, SPACES, laid_out

_KEPT, _END = "\ufdd0", "\ufdd1"
"""Marks around the number of a text that nothing may touch; noncharacters, as those of wiki_lines.py."""

_MARKS = re.compile("[\ufdd0-\ufdd3]")
_KEPT_MARK = re.compile(f"{_KEPT}(\\d+){_END}")
_LITERAL_TAGS = ("nowiki", "pre", "syntaxhighlight", "source")
_VARIANTS = re.compile(r"-\{([^{}]*)\}-")
_VARIANT = re.compile(r"\s*[\w-]+\s*:\s*(.*)", re.DOTALL)
_QUOTES = re.compile("'{2,5}")
_BEHAVIOUR = re.compile(r"__[A-Z가-힣]{3,}__")
_OPEN_COMMENT = re.compile(r"<!--.*", re.DOTALL)
_STRAY = re.compile(
    r"\[{2,}|\]{2,}|\{{2,}|\}{2,}|\{\||\|\}|</?ref(?:erences)?(?:(?![a-z])[^<>\n]*>)?", re.IGNORECASE
)
_STRAY_TAG = re.compile(
    r"</?(?:div|span|center|font|small|big|sub|sup|br|hr|p|b|i|u|s|del|ins|em|strong|code|tt|blockquote|table|tr|td"
    r"|th|ul|ol|li|dl|dt|dd|gallery|references|noinclude|includeonly|onlyinclude|poem|nowiki|section)\b[^<>\n]*>",
    re.IGNORECASE,
)
# On text whose blanks are single: with `\s*` twice in a row a page of blanks would take hours. And no blank may be
# matched in two ways: thirty templates in a row, with blanks between, would take hours, too.
_SEPARATORS = "[ ,;:/·、，–-]*"
_EMPTY_BRACKETS = re.compile(f" ?[(（]{_SEPARATORS}(?:{GONE}{_SEPARATORS})+[)）]")
_AFTER_BRACKET = re.compile(f"([(（])(?: ?{GONE} ?[,;:·、，]?)+ ?")
_BEFORE_BRACKET = re.compile(f"(?: ?(?:[,;:·、，] ?)?{GONE})+ ?([)）])")
_BEFORE_STOP = re.compile(f" (?:{GONE} ?)+([].,;:!?)])")
_OPEN_TAG = re.compile(r"<(?!(?:br|hr|wbr|li|d[dt]|t[rdh])\b)[a-zA-Z]", re.IGNORECASE)
_CLOSED_TAG = re.compile("</[a-zA-Z]|/>")
_BRACES = re.compile(r"\{{2,}|\}{2,}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z-]+)?|simple")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    templates: dict[str, str]
    disambiguation: list[str]
    hidden_tags: list[str]
    file: list[str]
    category: list[str]
    redirect: list[str]


@cache
def table() -> _Table:
    """wiki_markup.yaml."""
    text = (files("chejil.curation.reading") / "wiki_markup.yaml").read_text("utf-8")
    return _Table.model_validate(yaml.safe_load(text))


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Names of a wiki's namespaces, in lower case, by number; those of files and categories in English, too."""

    numbers: Mapping[str, int] = field(default_factory=dict)

    def number(self, prefix: str) -> int | None:
        """The namespace that a prefix names, None if it names none; 6 is File, 14 Category, -2 Media."""
        name = prefix.strip().replace("_", " ").lower()
        if name in table().file:
            return 6
        if name in table().category:
            return 14
        return self.numbers.get(name)


MAX_OPEN = 2_000
"""The parser looks for the end of each opening in all that follows: 4,000 tables without end take it 2 s, 16,000 half
a minute. Real pages have a handful."""


MAX_NESTED = 100
"""Templates within templates: as many as MediaWiki itself expands ($wgMaxPPExpandDepth). The parser calls itself for
each, and Python ends it at some 450; counted before, a page goes the same way on every machine."""


class NotReadable(Exception):
    """Wikitext that would take the parser minutes, or more stack than there is."""


@dataclass(slots=True)
class Article:
    """What an article's markup holds."""

    text: str
    categories: list[str] = field(default_factory=list)
    is_disambiguation: bool = False


def article(wikitext: str, namespaces: Namespaces | None = None) -> Article:
    """An article's text.

    Raises:
        NotReadable: too much of it is open, or too deeply nested.

    >>> article(
    ...     "'''서울'''({{llang|en|Seoul}}, {{IPA|sʌ.ul}})은 [[대한민국|한국]]의 [[수도]]이다.<ref>책</ref>"
    ... ).text
    '서울(Seoul)은 한국의 수도이다.'
    """
    import mwparserfromhell

    if _num_open(wikitext) > MAX_OPEN:
        raise NotReadable(f"{_num_open(wikitext):,} openings without their ends")
    if _num_nested(wikitext) > MAX_NESTED:
        raise NotReadable(f"templates nested {_num_nested(wikitext):,} deep")
    renderer = _Renderer(namespaces or Namespaces())
    wikitext = _VARIANTS.sub(_first_variant, _MARKS.sub("", wikitext))
    rough = renderer.render(mwparserfromhell.parse(wikitext, skip_style_tags=True))
    text = _without_stray(laid_out(_without_leftovers(rough)))
    text = _KEPT_MARK.sub(lambda found: renderer.kept[int(found[1])], text)
    return Article(text, renderer.categories, renderer.is_disambiguation)


def _num_open(wikitext: str) -> int:
    """Openings that have no end, as far as counting tells."""
    pairs = (("{|", "|}"), ("[http", "]"), ("{{", "}}"), ("[[", "]]"))
    marks = sum(max(0, wikitext.count(first) - wikitext.count(last)) for first, last in pairs)
    return marks + max(0, len(_OPEN_TAG.findall(wikitext)) - len(_CLOSED_TAG.findall(wikitext)))


def _num_nested(wikitext: str) -> int:
    """Depth of templates within templates, at most: braces that are open at once and have as many ends to come; of one
    row of braces all, for those without ends take the parser longest."""
    runs = [(found[0][0], len(found[0])) for found in _BRACES.finditer(wikitext)]
    left = sum(length for brace, length in runs if brace == "}")
    depth = deepest = 0
    for brace, length in runs:
        if brace == "{":
            depth += length
            deepest = max(deepest, length, min(depth, left))
        else:
            depth, left = max(0, depth - length), left - length
    return deepest // 2


def _first_variant(found: re.Match[str]) -> str:
    """`-{zh-hans:계;zh-hant:係}-` shows one of its variants, `-{A|…}-` what is behind its flags."""
    content = found[1].rpartition("|")[2]
    first = content.partition(";")[0]
    named = _VARIANT.fullmatch(first)
    return named[1].strip() if named and ";" in content else content


class _Renderer:
    """Renders nodes; gathers what is not to be touched any more, and what is said beside the text."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.kept: list[str] = []
        self.categories: list[str] = []
        self.is_disambiguation = False
        self._namespaces = namespaces
        self._by_kind: dict[str, Callable[[Any], str]] = {
            "Text": lambda node: _BEHAVIOUR.sub(self._behaviour, node.value),
            "Template": self._template,
            "Wikilink": self._link,
            "ExternalLink": self._external_link,
            "Tag": self._tag,
            "Heading": lambda node: f"\n{HEADING}{node.level}{self.render(node.title).strip()}\n",
            "HTMLEntity": self._entity,
            "Argument": lambda node: self.render(node.default) if node.default is not None else GONE,
            "Comment": lambda node: "",
        }

    def render(self, code: Any) -> str:
        """The text of parsed code, with marks."""
        return "".join([self._by_kind[type(node).__name__](node) for node in code.nodes])

    def _keep(self, text: str) -> str:
        self.kept.append(text)
        return f"{_KEPT}{len(self.kept) - 1}{_END}"

    def _behaviour(self, found: re.Match[str]) -> str:
        if found[0] in ("__DISAMBIG__", "__동음이의__"):
            self.is_disambiguation = True
        return ""

    def _template(self, node: Any) -> str:
        name = " ".join(str(node.name).replace("_", " ").split()).lower()
        if any(name.endswith(other) for other in table().disambiguation):
            self.is_disambiguation = True
        shown = table().templates.get(name)
        if shown is None:
            return GONE
        values = [
            param.value for param in node.params if not param.showkey or str(param.name).strip().isdigit()
        ]

        def value(found: re.Match[str]) -> str:
            number = int(found[1])
            at = number - 1 if number > 0 else len(values) + number
            return self.render(values[at]).strip() if 0 <= at < len(values) else ""

        return re.sub(r"\{(-?\d)\}", value, shown)

    def _link(self, node: Any) -> str:
        title = str(node.title).strip()
        prefix, colon, rest = title.partition(":")
        if colon and prefix.strip():
            number = self._namespaces.number(prefix)
            if number == 14:
                self.categories.append(" ".join(rest.replace("_", " ").split()))
            if number in (6, 14, -2) or (number is None and _LANGUAGE.fullmatch(prefix.strip())):
                return GONE
        if node.text is not None and str(node.text).strip():
            return self.render(node.text)
        shown = self.render(node.title).strip().removeprefix(":")
        # `[[이순신 (동명이인)|]]`: nothing behind the pipe shows the title without what is in brackets.
        return (
            re.sub(r"\s*\([^()]*\)$", "", shown.partition(":")[2] or shown)
            if node.text is not None
            else shown
        )

    def _external_link(self, node: Any) -> str:
        if node.title is not None:
            return self.render(node.title).strip()
        return GONE if node.brackets else str(node.url)

    def _tag(self, node: Any) -> str:
        name = str(node.tag).strip().lower()
        if node.wiki_markup in ("*", "#", ":", ";"):
            return str(node.wiki_markup)
        if name == "br":
            return "\n"
        if name == "hr":
            return "\n\n"
        if name in table().hidden_tags or node.wiki_markup == "{|":
            return GONE
        if node.contents is None:
            return ""
        if name in _LITERAL_TAGS:
            text = str(node.contents)
            return self._keep(text) if name == "nowiki" else f"\n{self._keep(text.strip(chr(10)))}\n"
        text = self.render(node.contents)
        return f"\n{text}\n" if name in ("div", "p", "blockquote", "poem", "center", "li") else text

    def _entity(self, node: Any) -> str:
        try:
            char = node.normalize()
        except (ValueError, OverflowError):  # &#xD800; and beyond
            return ""
        if "\ud800" <= char <= "\udfff" or char == "\0":
            return ""
        return self._keep(char) if char in "[]{}<>|'*#:;=&" else char


def _without_leftovers(text: str) -> str:
    """Without markup that is never closed, and without what templates leave behind."""
    text = _OPEN_COMMENT.sub("", text)
    text = _STRAY_TAG.sub("", _QUOTES.sub("", text))
    text = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(("|", "{|", "!!")))
    text = _without_stray(text)
    text = _EMPTY_BRACKETS.sub("", SPACES.sub(" ", text))
    text = _BEFORE_BRACKET.sub(r"\1", _AFTER_BRACKET.sub(r"\1", text))
    return _BEFORE_STOP.sub(r"\1", text)


def _without_stray(text: str) -> str:
    """Without brackets that belong to no other; what is taken out may bring new ones together."""
    while _STRAY.search(text):
        text = _STRAY.sub("", text)
    return text
