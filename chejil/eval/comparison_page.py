"""A comparison as one HTML page with bars: no script, no request to anywhere, English and Korean."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from chejil.curation.reporting import layout
from chejil.curation.reporting.layout import LANGUAGES, document, section, table, text
from chejil.eval import comparison_view as view
from chejil.eval.comparison import Comparison, ComparisonTable, Value

_STYLE = """.v { position: relative; display: block; height: .7rem; background: var(--panel); min-width: 8rem; }
.v i { position: absolute; top: 0; left: 0; } .v .p { background: var(--edge); }
.v b { position: absolute; top: .3rem; height: .1rem; background: var(--ink); }
"""
say = partial(layout.say, phrases_of="chejil.eval")


def page(found: Comparison) -> str:
    """The whole page."""
    body = f"<h1>{say('Results beside one another')}</h1><p>{say(view.KEY)}</p>"
    body += "".join(_notes(found.notes))
    for one in found.tables:
        body += section(one.name, text(one.title, 200), _means(one) + _rows(one))
    body += section("differences", say("Differences on the same items"), _differences(found))
    if found.clean:
        body += section("clean", say(view.CLEAN), _clean(found))
    body += section("answers", say("What is answered"), _answers(found))
    skip = f'<a class=skip href="#main">{say("Skip to the content")}</a>'
    return document("Evaluation", body, _STYLE, f"<header>{skip}{LANGUAGES}</header>\n")


def _notes(notes: Sequence[str]) -> list[str]:
    return [f"<p class=warning>{text(note, 300)}</p>" for note in notes]


def _bar(value: Value, published: bool) -> str:
    """From 0 to 1 (bits above it end there), with a line from one standard error below to one above."""
    if value.value is None:
        return ""
    kind = " class=p" if published else ""
    drawn = f'<i{kind} style="width:{_share(value.value)}"></i>'
    if value.error is not None:
        low, high = max(0.0, value.value - value.error), min(1.0, value.value + value.error)
        drawn += f'<b style="left:{_share(low)};width:{_share(high - low)}"></b>'
    return f"<span class=v>{drawn}</span>"


def _share(value: float) -> str:
    return f"{100 * min(1.0, max(0.0, value)):.2f}%"


def _means(one: ComparisonTable) -> str:
    heads = (say("model"), ">" + say("mean"), "|", say("about"))
    rows = [
        (text(column.model), text(view.with_error(column.mean)), _bar(column.mean, column.published),
         f"<span class=t>{text(column.about, 200)}</span>")
        for column in one.columns
    ]  # fmt: skip
    return table(say("Unweighted mean over the rows; none where a row is missing."), heads, rows)


def _rows(one: ComparisonTable) -> str:
    heads = (say("model"), ">" + say("score"), "|", say("remark"))
    whole = ""
    for place, row in enumerate(one.rows):
        values = [(column, column.values[place]) for column in one.columns]
        cells = [
            (text(column.model), text(view.with_error(value)), _bar(value, column.published), text(value.flag or ""))
            for column, value in values
            if value.value is not None
        ]  # fmt: skip
        whole += table(text(row), heads, cells)
    return whole


def _differences(found: Comparison) -> str:
    heads = [say("first"), say("second"), say("row"), ">" + say("difference"), ">95 %", ">" + say("items"),
             ">p", ">" + say("p of all rows"), say("says")]  # fmt: skip
    rows = [
        (text(one.first), text(one.second), *(text(cell) for cell in view.difference(one)))
        for one in found.differences
    ]
    said = "Second less first; the interval is by paired bootstrap, p by permutation, adjusted by Holm over the rows."
    return table(say(said), heads, rows)


def _clean(found: Comparison) -> str:
    heads = [say("model"), say("row"), ">" + say("items"), ">" + say("found in the data"), ">" + say("score"),
             ">" + say("clean")]  # fmt: skip
    rows = [[text(cell, 200) for cell in view.clean(one)] for one in found.clean]
    return table(
        say("Clean scores are of the items that were not found; the notes say where these come from."),
        heads,
        rows,
    )


def _answers(found: Comparison) -> str:
    heads = [say("model"), say("task"), ">" + say("items"), say("predicted"), say("gold"), say("remark")]
    rows = [[text(cell, 200) for cell in view.classes(one)] for one in found.classes]
    return table(say("Shares of classes. One class to everything is no reading."), heads, rows)
