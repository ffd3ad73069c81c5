"""Scores as dots with their intervals: a line a tokenizer, by its number, a colour and a shape a language.

Numbers and not names stand at the lines: the bytes of a page must not depend on how wide a font is (as in
curation/reporting/charts.py). The table beside the chart tells whose number it is, and says what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chejil.curation.reporting.charts import axis as below
from chejil.curation.reporting.charts import drawn, ticks
from chejil.tokenizer.measuring.scores import Score

SHAPES = {"ko": "circle", "en": "square", "mixed": "diamond", "other": "triangle-up", "unknown": "cross"}
_LINE = 24
_ROOM = 0.08  # of the scale, beyond the outermost ends


def dots(label: str, scores: Mapping[str, Sequence[Score]]) -> str:
    """One chart: scores of each tokenizer, by language; nothing where nothing was counted.

    Args:
        label: what a screen reader says of it.
    """
    found = [score for some in scores.values() for score in some if score.value is not None]
    if not found:
        return ""
    low = min(end for score in found for end in (score.value, score.low) if end is not None)
    high = max(end for score in found for end in (score.value, score.high) if end is not None)
    room = (high - low or abs(high) or 1.0) * _ROOM
    many = max(map(len, scores.values()))
    x = {"name": "x", "type": "linear", "domain": [low - room, high + room], "range": "width", "zero": False}
    y = {"name": "y", "type": "point", "domain": list(range(1, many + 1)), "range": "height", "padding": 0.5}
    marks = [mark for lang, some in scores.items() for mark in _marks(lang, some)]
    axes = [below("x", ticks(low - room, high + room, "linear")), _LINES]
    return drawn(label, [x, y], axes, marks, height=_LINE * many)


_LINES: Mapping[str, Any] = {
    "orient": "left", "scale": "y", "aria": False, "labelColor": "var(--soft)", "labelFont": "inherit",
    "labelFontSize": 11, "labelPadding": 2, "labelOverlap": False, "labelBound": False, "labelFlush": False,
    "domain": False, "ticks": False, "offset": -2,
}  # fmt: skip


def _marks(lang: str, scores: Sequence[Score]) -> list[dict[str, Any]]:
    lang = lang if lang in SHAPES else "unknown"
    points = [
        {"n": number, "value": score.value, "low": score.low, "high": score.high}
        for number, score in enumerate(scores, 1)
        if score.value is not None
    ]
    ink, place = {"value": f"var(--{lang})"}, {"scale": "y", "field": "n"}
    ends = {"x": {"scale": "x", "field": "low"}, "x2": {"scale": "x", "field": "high"}}
    rule = {**ends, "y": place, "stroke": ink, "strokeWidth": {"value": 1.6}}
    dot = {
        "x": {"scale": "x", "field": "value"},
        "y": place,
        "shape": {"value": SHAPES[lang]},
        "size": {"value": 56},
        "fill": ink,
    }
    known = [point for point in points if point["low"] is not None]
    return [_mark("rule", known, rule), _mark("symbol", points, dot)]


def _mark(kind: str, points: list[dict[str, Any]], encode: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "points": points, "aria": False, "encode": {"update": encode}}
