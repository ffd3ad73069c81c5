"""The frame of every page that Chejil writes, and the words, tables and marks that it is made of.

A page asks for nothing: style is inline, drawings are SVG, there is no script. The two languages of a report stand
beside each other in `span`s, and a radio button shows one of them. Whatever comes from data goes through `text`, which
shortens, makes control characters visible and escapes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources

import yaml

_MAX_NAME = 96
"""Characters of a name (of a file, an id, a rule) that are shown: one name must not push a table off the page."""

_MAX_LINES = 12

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
"""Controls, and marks that turn the direction of the text after them."""

_BLANK = re.compile(r"[ \t]*\n\s*\n\s*|[ \t]*\n[ \t]*")


def document(title: str, body: str, own_style: str = "", head: str = "") -> str:
    """A whole page.

    Args:
        title: plain text.
        body: what stands in `main`.
        own_style: CSS of this page alone.
        head: what stands before `main`.
    """
    style = (resources.files("chejil.curation.reporting") / "style.css").read_text("utf-8") + own_style
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title, 200)} · Chejil</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>\n{style}</style></head>\n'
        f'<body>{head}<main id="main" tabindex="-1">\n{body}</main></body></html>\n'
    )


def text(value: object, limit: int = _MAX_NAME) -> str:
    """Data as it may stand in a page.

    >>> text("<b>\\x00"), text("abcdefgh", 5)
    ('&lt;b&gt;\ufffd', 'ab…gh')
    """
    plain = str(value)
    if len(plain) > limit:
        plain = f"{plain[: limit // 2]}…{plain[len(plain) - limit // 2 :]}"
    return html.escape(_INVISIBLE.sub("\ufffd", plain))


def excerpt(value: str, limit: int, is_cut: bool = False) -> str:
    """The beginning of a text; runs of blank lines are one.

    Args:
        is_cut: the text goes on behind `value`; what blank lines leave of it may be short enough.

    >>> excerpt("a  \\n\\n\\n b\\nccc", 6), excerpt("a\\n\\n\\n\\nb", 6, is_cut=True)
    ('a\\n\\nb\\nc…', 'a\\n\\nb…')
    """
    plain = _BLANK.sub(lambda match: "\n\n" if match.group().count("\n") > 1 else "\n", value.strip())
    cut = "\n".join(plain[:limit].split("\n")[:_MAX_LINES])
    return html.escape(_INVISIBLE.sub("\ufffd", cut)) + ("…" if is_cut or len(plain) > len(cut) else "")


LANGUAGES = (
    '<fieldset class=choice aria-label="Language">'
    "<label><input type=radio name=page id=en checked> English</label>"
    "<label lang=ko><input type=radio name=page id=ko> 한국어</label></fieldset>"
)
"""The choice of one of the two."""


@cache
def korean(phrases_of: str = "chejil.curation.reporting") -> Mapping[str, str]:
    """What pages say in Korean, by what they say in English.

    Args:
        phrases_of: a package with a korean.yaml.
    """
    return yaml.safe_load((resources.files(phrases_of) / "korean.yaml").read_text("utf-8"))


def say(english: str, phrases_of: str = "chejil.curation.reporting", **values: object) -> str:
    """A phrase in both languages; values are HTML.

    Args:
        phrases_of: see `korean`.

    Raises:
        KeyError: the phrase is not in korean.yaml.
    """
    both = (english, korean(phrases_of)[english])
    first, second = (phrase.format(**values) if values else phrase for phrase in both)
    return f'<span class="en">{first}</span><span class="ko" lang="ko">{second}</span>'


def word(name: str) -> str:
    """A name of ours in both languages where it has a Korean one."""
    return say(name) if name in korean() else text(name)


def code(value: object) -> str:
    """A name that is written so elsewhere."""
    return f"<code>{text(value)}</code>"


def section(name: str, title: str, body: str) -> str:
    """A part of the page with a heading that can be jumped to; nothing of an empty body."""
    if not body:
        return ""
    return f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>\n{body}</section>\n'


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls by itself; the first cell of a row is its head.

    Args:
        caption: HTML, shown above it.
        columns: HTML; a `>` in front marks numbers, a `|` bars.
        rows: HTML of cells. No rows, no table.
    """
    kinds = [{">": " class=n", "|": " class=w"}.get(column[:1], "") for column in columns]
    heads = "".join(
        f"<th scope=col{kind}>{column[1:] if kind else column}</th>" if column != "|" else f"<td{kind}></td>"
        for kind, column in zip(kinds, columns, strict=True)
    )
    body = "".join(f"<tr>{_cells(row, kinds)}</tr>\n" for row in rows)
    if not body:
        return ""
    return (
        f"<div class=scroll tabindex=0><table><caption><span>{caption}</span></caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _cells(row: Sequence[str], kinds: Sequence[str]) -> str:
    first = f"<th scope=row{kinds[0]}>{row[0]}</th>"
    return first + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row[1:], kinds[1:], strict=True))


def bar(part: float, whole: float) -> str:
    """A bar as long as its share; what it says stands beside it as a number."""
    return f'<i style="width:{min(100, 100 * part / whole):.2f}%"></i>' if part and whole else ""


def tiles(pairs: Iterable[tuple[str, str]]) -> str:
    """Numbers that come first, each with what it counts."""
    return f'<div class="tiles">{"".join(f"<div><b>{v}</b><span>{label}</span></div>" for v, label in pairs)}</div>\n'


def details(summary: str, body: str) -> str:
    """What folds out; the keyboard opens it."""
    return f"<details><summary>{summary}</summary>{body}</details>\n" if body else ""
