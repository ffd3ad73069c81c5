"""Texts of documents as HTML that holds no HTML of theirs: every character that could be markup is escaped.

What went is struck out (`del`), what came underlined (`ins`), what was found marked (`mark`), so that nobody depends
on the colours, which are half transparent and stand on light ground as on dark. Control characters, and those that turn
the direction of writing, are U+FFFD: a document cannot pretend to be something else.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from chejil.curation.changes.pieces import Piece
from chejil.curation.dedup.word_diff import Diff
from chejil.terminal import visible

MAX_CHARS = 20_000
"""Of a document that is drawn at once; the rest is a page further."""

_MAX_REMOVED_CHARS = 2_000
_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]")

STYLE = """<style>
.cj-text { white-space: pre-wrap; overflow-wrap: anywhere; word-break: keep-all; unicode-bidi: isolate;
  line-height: 1.65; padding: .8rem 1rem; border: 1px solid rgba(128,128,128,.35); border-radius: .5rem; }
.cj-text.cj-scroll { max-height: 34rem; overflow-y: auto; }
.cj-text del { background: rgba(220,60,50,.20); text-decoration: line-through; }
.cj-text ins { background: rgba(30,160,70,.22); text-decoration: underline; text-underline-offset: .2em; }
.cj-text mark { background: rgba(230,180,0,.35); color: inherit; }
[class*="st-key-kept-"] > [data-stale="true"]:not(:first-child) { display: none; }
.cj-line { overflow-wrap: anywhere; unicode-bidi: isolate; margin: 0; }
.cj-small { font-size: .85rem; opacity: .8; }
.cj-id { font-family: monospace; font-size: .85rem; overflow-wrap: anywhere; unicode-bidi: isolate; }
.cj-kept, .cj-dropped { font-weight: 600; border-radius: .4rem; padding: .05rem .5rem; white-space: nowrap; }
.cj-kept { background: rgba(30,160,70,.22); }
.cj-dropped { background: rgba(220,60,50,.20); }
.cj-problem { padding: .8rem 1rem; border-left: .3rem solid rgb(220,60,50); background: rgba(220,60,50,.12);
  white-space: pre-wrap; overflow-wrap: anywhere; border-radius: .3rem; }
</style>"""


def escaped(text: str) -> str:
    """A text that stands in HTML as it is.

    >>> escaped("<b>\\u202e&")
    '&lt;b&gt;\\ufffd&amp;'
    """
    return html.escape(_TURNING.sub("\ufffd", visible(text)))


def line(text: str, kind: str = "cj-line") -> str:
    """One line, e.g. an id."""
    return f'<p class="cj-line {kind}">{escaped(" ".join(text.split()))}</p>'


def verdict(kept: bool) -> str:
    """The word that says what was decided."""
    return '<span class="cj-kept">kept</span>' if kept else '<span class="cj-dropped">dropped</span>'


def problem(text: str) -> str:
    """An error message."""
    return f'<div class="cj-problem" role="alert">{escaped(text)}</div>'


def block(content: str, lang: str | None = None, scroll: bool = True) -> str:
    """A box for a text that is HTML already; `lang` chooses the font, and the voice that reads it aloud."""
    known = f' lang="{lang}"' if lang in ("ko", "en") else ""
    return f'<div class="cj-text{" cj-scroll" if scroll else ""}" tabindex="0"{known}>{content}</div>'


def drawn(pieces: Iterable[Piece], start: int = 0, most: int = MAX_CHARS) -> str:
    """Characters `start` to `start + most` of a document as it stands now, with what was changed and found."""
    out, at = [], 0
    for piece in pieces:
        text = piece.after.decode()
        first, last = max(0, start - at), min(len(text), start + most - at)
        inside = start <= at < start + most
        if first < last or (inside and not text):
            out.append(_piece(piece, text[first:last], first == 0))
        at += len(text)
        if at > start + most:
            break
    return "".join(out)


def _piece(piece: Piece, now: str, is_begin: bool) -> str:
    if not piece.marks:
        return escaped(now)
    said = html.escape(", ".join(f"{mark.stage}: {mark.rule}" for mark in piece.marks), quote=True)
    if not piece.changed:
        return f'<mark title="{said}">{escaped(now)}</mark>'
    was = _cut(piece.before.decode()) if is_begin else ""
    went = f'<del title="{said}">{escaped(was)}</del>' if was else ""
    return went + (f'<ins title="{said}">{escaped(now)}</ins>' if now else "")


def _cut(text: str) -> str:
    if len(text) <= _MAX_REMOVED_CHARS:
        return text
    half = _MAX_REMOVED_CHARS // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters … {text[-half:]}"


def both(one: str, other: str, diff: Diff, most: int = MAX_CHARS) -> tuple[str, str]:
    """Two texts, each with the words that the other has not."""
    removed = [(change.start, change.end) for change in diff.changes]
    added = [(change.other_start, change.other_end) for change in diff.changes]
    return _spans(one, removed, "del", most), _spans(other, added, "ins", most)


def _spans(text: str, spans: Sequence[tuple[int, int]], tag: str, most: int) -> str:
    def parts() -> Iterator[str]:
        at = 0
        for start, end in spans:
            if start >= most:
                break
            yield escaped(text[at:start])
            if end > start:
                yield f"<{tag}>{escaped(text[start : min(end, most)])}</{tag}>"
            at = max(at, min(end, most))
        yield escaped(text[at:most])

    left = len(text) - most
    return "".join(parts()) + (f"\n… {left:,} more characters" if left > 0 else "")
