"""Charts as SVG that stands in the page: specifications of Vega, drawn by vl-convert without a browser.

Vega and not Vega-Lite: the compiler takes two thirds of the time (36 against 15 ms a chart on one core; the first costs
0.6 s more, and 100 MB). Colours are variables of the page's style, so that a chart turns dark with it. No width of any
text is asked for (no legend, no title, labels that may overlap): else bytes would depend on the fonts of the machine. A
chart is one image to a screen reader; its numbers stand in the table beside it.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 288, 72
_MARGIN = {"left": 12, "right": 16, "top": 6, "bottom": 20}

DASHES: Mapping[str, list[int]] = {
    "ko": [1, 0],
    "en": [5, 2],
    "mixed": [2, 2],
    "other": [1, 3],
    "unknown": [7, 3],
}
"""Lines of a language: told apart without colours too."""

_DASHED, _DOTTED = [4, 2], [2, 4]

_NEEDLESS = re.compile(
    r' (xmlns|xmlns:xlink|aria-roledescription|aria-hidden)="[^"]*"| role="graphics-(object|symbol)"'
)
"""What a picture inside HTML does not need: it is one image, whatever it is made of."""


def histogram(
    label: str,
    edges: Sequence[float],
    scale: str,
    shares: Mapping[str, Sequence[float]],
    bounds: Mapping[str, Sequence[float]],
    own: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """Shares of documents by bin, a line a language, with their bounds as dashed uprights, those of sources dotted.

    Heights are roots of shares: tails are what a bound is about, and beside a spike they would not be seen.
    """
    first, last = edges[0], edges[-1]
    x = {"name": "x", "type": scale, "domain": [first, last], "range": "width", "zero": False}
    top = max([share for values in shares.values() for share in values], default=1.0) or 1.0
    y = {"name": "y", "type": "sqrt", "domain": [0, top], "range": "height"}
    marks = [_steps(lang, edges, values) for lang, values in shares.items()]
    for kind, dash in ((own or {}, _DOTTED), (bounds, _DASHED)):
        inside = [(lang, end) for lang, ends in kind.items() for end in ends if first <= end <= last]
        marks += [_upright(lang, end, dash) for lang, end in inside]
    return drawn(label, [x, y], [axis("x", ticks(first, last, scale))], marks)


def bars(label: str, names: Sequence[str], counts: Sequence[int]) -> str:
    """Counts of named classes; heights by their logarithm, from 1."""
    x = {"name": "x", "type": "band", "domain": list(names), "range": "width", "padding": 0.15}
    y = {"name": "y", "type": "log", "domain": [0.7, max([2, *counts])], "range": "height"}
    rows = [{"name": name, "count": count} for name, count in zip(names, counts, strict=True) if count]
    encode = {
        "x": {"scale": "x", "field": "name"},
        "width": {"scale": "x", "band": 1},
        "y": {"scale": "y", "field": "count"},
        "y2": {"scale": "y", "value": 0.7},
        "fill": {"value": "var(--bar)"},
    }
    mark = {"type": "rect", "from": {"data": "rows"}, "aria": False, "encode": {"update": encode}}
    axis = {**_AXIS, "scale": "x", "labelFontSize": 10}
    return drawn(label, [x, y], [axis], [mark], [{"name": "rows", "values": rows}])


_AXIS: Mapping[str, Any] = {
    "orient": "bottom",
    "aria": False,
    "labelOverlap": False,
    "labelBound": False,
    "labelFlush": False,
    "labelColor": "var(--soft)",
    "labelFont": "inherit",
    "labelFontSize": 11,
    "domainColor": "var(--edge)",
    "tickColor": "var(--edge)",
    "tickSize": 4,
}


def axis(scale: str, places: Sequence[float]) -> dict[str, Any]:
    """An axis below, with numbers at some places."""
    labels = {str(tick): number(tick) for tick in places}
    pick = "".join(
        f"datum.value == {tick!r} ? '{label}' : " for tick, label in zip(places, labels.values(), strict=True)
    )
    encode = {"labels": {"update": {"text": {"signal": f"{pick}''"}}}}
    return {**_AXIS, "scale": scale, "values": list(places), "encode": encode}


def number(value: float) -> str:
    """A number of an axis or a table, short.

    >>> [number(value) for value in (0.25, 1500.0, 2_000_000, 0.00012, 12.0)]
    ['0.25', '1,500', '2M', '0.00012', '12']
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):,.3g}{unit}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def ticks(first: float, last: float, scale: str) -> list[float]:
    """Round numbers between two ends: some four of them.

    >>> ticks(0, 1, "linear"), ticks(3, 40000, "log")
    ([0.0, 0.25, 0.5, 0.75, 1.0], [10.0, 100.0, 1000.0, 10000.0])
    """
    if scale == "log":
        powers = [10.0**power for power in range(-12, 20) if first <= 10.0**power <= last]
        if len(powers) > 1:
            return powers[:: -(-len(powers) // 5)]
    rough = (last - first) / 4
    steps = [float(f"{factor}e{power}") for power in range(-15, 20) for factor in (1, 2, 2.5, 5)]
    step = next((step for step in steps if step >= rough * 0.999), rough)
    start = -(-first // step)
    return [
        float(f"{(start + place) * step:.12g}")
        for place in range(6)
        if (start + place) * step <= last * (1 + 1e-12)
    ]


def _steps(lang: str, edges: Sequence[float], shares: Sequence[float]) -> dict[str, Any]:
    """A mark with its own points: the outline of the bins, from the axis and back."""
    points = [{"x": edge, "y": share} for edge, share in zip(edges, [*shares, 0.0], strict=True)]
    ends = {
        "interpolate": {"value": "step-after"},
        "x": {"scale": "x", "field": "x"},
        "y": {"scale": "y", "field": "y"},
    }
    ink = {
        "stroke": {"value": f"var(--{lang})"},
        "strokeWidth": {"value": 1.4},
        "strokeDash": {"value": DASHES[lang]},
    }
    fill = {
        "fill": {"value": f"var(--{lang})"},
        "fillOpacity": {"value": 0.14},
        "y2": {"scale": "y", "value": 0},
    }
    return _mark("area", points, {**ends, **ink, **fill})


def _upright(lang: str, end: float, dash: list[int]) -> dict[str, Any]:
    place = {"x": {"scale": "x", "field": "x"}, "y": {"value": 0}, "y2": {"value": HEIGHT}}
    ink = {
        "stroke": {"value": f"var(--{lang})"},
        "strokeWidth": {"value": 2},
        "strokeDash": {"value": dash},
    }
    return _mark("rule", [{"x": end}], {**place, **ink})


def _mark(kind: str, points: list[dict[str, float]], encode: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "points": points, "aria": False, "encode": {"update": encode}}


def drawn(
    label: str,
    scales: list[dict[str, Any]],
    axes: Sequence[Mapping[str, Any]],
    marks: list[dict[str, Any]],
    data: Sequence[dict[str, Any]] = (),
    height: int = HEIGHT,
    margin: Mapping[str, int] = _MARGIN,
) -> str:
    """The SVG of a specification; a mark may bring its own `points`."""
    import vl_convert

    sets = list(data)
    for count, mark in zip(itertools.count(), marks, strict=False):
        if "points" in mark:
            sets.append({"name": f"d{count}", "values": mark.pop("points")})
            mark["from"] = {"data": f"d{count}"}
    spec = {
        "$schema": "https://vega.github.io/schema/vega/v5.json",
        "width": WIDTH,
        "height": height,
        "padding": dict(margin),
        "autosize": "none",
        "background": None,
        "data": sets,
        "scales": scales,
        "axes": list(axes),
        "marks": marks,
    }
    drawn = _NEEDLESS.sub("", vl_convert.vega_to_svg(spec))
    start = f'<svg role="img" aria-label="{html.escape(label)}" '
    return drawn.replace("<svg ", start, 1)
