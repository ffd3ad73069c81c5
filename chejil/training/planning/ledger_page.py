"""The ledger of epochs as a page in English and Korean: what a share of Korean is worth, drawn, and the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from chejil.curation.reporting import layout
from chejil.curation.reporting.charts import DASHES, WIDTH, axis, drawn, ticks
from chejil.curation.reporting.layout import LANGUAGES, bar, document, section, table, text
from chejil.training.planning.epoch_ledger import EpochLedger
from chejil.training.planning.epochs import R_STAR
from chejil.training.planning.ledger_view import short

HEIGHT = 144
say = partial(layout.say, phrases_of="chejil.training.planning")
_STYLE = ".plots figure { display: block; }\n"
_LINES = {"worth_at_best": "other", "worth": "ko"}
"""What is drawn, in whose line: the dotted one is the bound of the other."""


def page(name: str, found: EpochLedger) -> str:
    """The whole page."""
    body = "".join([_head(name, found), _sources(found), _language(found), _possible(found)])
    skip = f'<a class=skip href="#main">{say("Skip to the content")}</a>'
    return document(name, body, _STYLE, f"<header>{skip}{LANGUAGES}</header>\n")


def worth_by_share(found: EpochLedger) -> str:
    """The chart, as SVG: worth of a token (from 0 to 1) by share of bytes; nothing without a language to draw."""
    if not found.shares:
        return ""
    last = found.shares[-1].byte_share
    x = {"name": "x", "type": "linear", "domain": [0, last], "range": "width", "zero": False}
    y = {"name": "y", "type": "linear", "domain": [0, 1], "range": "height"}
    marks = [*_levels(), *(_line(found, kind, lang) for kind, lang in _LINES.items())]
    label = f"worth of {found.language} tokens by their share of bytes"
    return drawn(label, [x, y], [axis("x", ticks(0, last, "linear"))], marks, height=HEIGHT)


def _levels() -> Iterator[dict[str, Any]]:
    """Thin lines at a half and at all of it."""
    for level in (0.5, 1.0):
        place = {"x": {"value": 0}, "x2": {"value": WIDTH}, "y": {"scale": "y", "field": "y"}}
        ink = {"stroke": {"value": "var(--edge)"}, "strokeWidth": {"value": 1}}
        yield {
            "type": "rule",
            "points": [{"y": level}],
            "aria": False,
            "encode": {"update": {**place, **ink}},
        }


def _line(found: EpochLedger, kind: str, lang: str) -> dict[str, Any]:
    points = [{"x": one.byte_share, "y": getattr(one, kind)} for one in found.shares]
    place = {"x": {"scale": "x", "field": "x"}, "y": {"scale": "y", "field": "y"}}
    ink = {
        "stroke": {"value": f"var(--{lang})"},
        "strokeWidth": {"value": 2},
        "strokeDash": {"value": DASHES[lang]},
    }
    return {"type": "line", "points": points, "aria": False, "encode": {"update": {**place, **ink}}}


def _head(name: str, found: EpochLedger) -> str:
    row = found.runs_out_first
    first = (
        say("No source whose size is known runs out.")
        if row is None
        else say(
            "{source} runs out first: after {at} tokens, {share} of the training.",
            source=f"<code>{text(row.source)}</code>",
            at=short(row.runs_out_at or 0),
            share=f"{(row.runs_out_at or 0) / found.total_tokens:.1%}",
        )
    )
    law = say(
        "Repeated text is worth less: U + U·R*·(1 − exp(−R/R*)), R* = {r} (Muennighoff et al. 2023).",
        r=R_STAR,
    )
    title = say("Ledger of epochs at {tokens} tokens", tokens=short(found.total_tokens))
    return f"<h1>{text(name)}: {title}</h1><p>{first}</p><p>{law}</p>"


def _columns(names: Sequence[str]) -> list[str]:
    """Heads in both languages; what stands before the words stays before them."""
    return [f"{name[0]}{say(name[1:])}" if name[0] in ">|" and name[1:] else name if name == "|" else say(name)
            for name in names]  # fmt: skip


def _sources(found: EpochLedger) -> str:
    most = max((row.epochs or 0 for row in found.rows), default=0)
    rows = [
        (
            text(row.source), _count(row.unique_tokens), _count(row.new_tokens), _count(row.repeated_tokens),
            "?" if row.epochs is None else f"{row.epochs:.2f}", bar(row.epochs or 0, most),
            "?" if row.effective_tokens is None or not row.tokens else f"{row.effective_tokens / row.tokens:.1%}",
            "–" if row.runs_out_at is None else short(row.runs_out_at),
        )
        for row in found.rows
    ]  # fmt: skip
    heads = ("source", ">tokens there are", ">new", ">repeated", ">epochs", "|", ">worth", ">read once after")
    return section("sources", say("By source"), table("", _columns(heads), rows))


def _language(found: EpochLedger) -> str:
    rows = [
        (
            f"{one.byte_share:.0%}", f"{one.token_share:.1%}", short(one.tokens), f"{one.epochs:.2f}",
            f"{one.worth:.1%}", f"{one.worth_at_best:.1%}",
            "?" if one.effective_share is None else f"{one.effective_share:.1%}",
            f"{text(one.most_read)} {one.most_epochs:.3g}×",
        )
        for one in found.shares
    ]  # fmt: skip
    heads = (
        "share of bytes", ">share of tokens", ">tokens", ">epochs", ">worth", ">worth at best",
        ">share of effective tokens", ">most read",
    )  # fmt: skip
    if not rows:
        return ""
    told = say(
        "The line is the worth of a token by the share of bytes; dotted, with all sources read equally often."
    )
    unknown = ", ".join(f"<code>{text(name)}</code>" for name in found.unknown)
    without = (
        f"<p>{say('Without {names}: nobody says how much there is.', names=unknown)}</p>" if unknown else ""
    )
    drawing = (
        f"<div class=plots><figure>{worth_by_share(found)}<figcaption>{told}</figcaption></figure></div>"
    )
    title = say("What a share of {language} is worth", language=f"<code>{text(found.language)}</code>")
    return section("language", title, drawing + table("", _columns(heads), rows) + without)


def _possible(found: EpochLedger) -> str:
    rows = [
        (
            f"{one.epochs:.3g}",
            f"{one.worth:.1%}",
            short(one.tokens),
            f"{one.token_share:.2%}",
            f"{one.byte_share:.2%}",
        )
        for one in found.possible
    ]
    heads = ("epochs", ">worth", ">tokens", ">share of tokens", ">share of bytes")
    return section("possible", say("Which share is possible"), table("", _columns(heads), rows))


def _count(count: int | None) -> str:
    return "?" if count is None else short(count) if count else "0"
