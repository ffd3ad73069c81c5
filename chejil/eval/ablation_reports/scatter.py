"""Points in a plane as SVG: what kind a point is shows in shape and colour, its name beside it where it has one.

As with every chart of a page no width of a text is asked for, so bytes do not depend on the fonts of a machine. The
numbers of each point stand in a table of the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chejil.curation.reporting.charts import axis, drawn, ticks

HEIGHT = 200
_LINE = 12
_MARGIN = {"left": 44, "right": 14, "top": 8, "bottom": 22}
_MARKS = {
    "proxy": ("circle", "--soft", 22), "ko": ("circle", "--ko", 26), "en": ("square", "--en", 26),
    "natural": ("square", "--en", 90), "worst": ("triangle-up", "--bad", 90), "recommended": ("diamond", "--good", 130),
}  # fmt: skip
"""Shape, variable of the colour, area in square pixels."""


@dataclass(frozen=True)
class Point:
    """A point; `kind` is a key of the marks above."""

    x: float
    y: float
    kind: str
    name: str = ""


def scatter(
    label: str, points: Sequence[Point], line: Sequence[tuple[float, float]] = (), equal: bool = False
) -> str:
    """The SVG, or nothing without points.

    Args:
        label: for screen readers.
        line: joined through these places.
        equal: both axes have one scale, and a diagonal shows where both are the same.
    """
    if not points:
        return ""
    places = [(one.x, one.y) for one in points] + list(line)
    x, y = (_domain([place[at] for place in places]) for at in (0, 1))
    if equal:
        x = y = (min(x[0], y[0]), max(x[1], y[1]))
        line = ((x[0], x[0]), (x[1], x[1]))
    scales = [
        {"name": name, "type": "linear", "domain": list(ends), "range": size, "zero": False}
        for name, ends, size in (("x", x, "width"), ("y", y, "height"))
    ]
    marks = [*_line(line), *_symbols(points), *_names(points, (x[0] + x[1]) / 2, y)]
    return drawn(label, scales, [_axis("x", x), _axis("y", y)], marks, height=HEIGHT, margin=_MARGIN)


def _domain(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    edge = 0.06 * (high - low) or 0.01 * max(abs(high), 1e-9)
    return low - edge, high + edge


def _axis(scale: str, ends: tuple[float, float]) -> dict[str, Any]:
    """With as many decimals as tell its numbers apart."""
    places = ticks(*ends, "linear")
    decimals = next((n for n in range(7) if all(round(one, n) == one for one in places)), 7)
    pick = "".join(f"datum.value == {one!r} ? '{one:.{decimals}f}' : " for one in places)
    encode = {"labels": {"update": {"text": {"signal": f"{pick}''"}}}}
    return {**axis(scale, places), "orient": "bottom" if scale == "x" else "left", "encode": encode}


def _at() -> dict[str, Any]:
    return {"x": {"scale": "x", "field": "x"}, "y": {"scale": "y", "field": "y"}}


def _line(places: Sequence[tuple[float, float]]) -> Iterator[dict[str, Any]]:
    if not places:
        return
    ink = {"stroke": {"value": "var(--edge)"}, "strokeWidth": {"value": 1.5}, "strokeDash": {"value": [4, 3]}}
    points = [{"x": x, "y": y} for x, y in places]
    yield {"type": "line", "points": points, "aria": False, "encode": {"update": {**_at(), **ink}}}


def _symbols(points: Sequence[Point]) -> Iterator[dict[str, Any]]:
    """Kinds in the order of the marks: what matters lies on top."""
    for kind, (shape, colour, area) in _MARKS.items():
        own = [{"x": one.x, "y": one.y} for one in points if one.kind == kind]
        look = {"shape": {"value": shape}, "size": {"value": area}, "fill": {"value": f"var({colour})"}}
        if own:
            yield {"type": "symbol", "points": own, "aria": False, "encode": {"update": {**_at(), **look}}}


def _names(points: Sequence[Point], middle: float, ends: tuple[float, float]) -> Iterator[dict[str, Any]]:
    """To the side on which there is room, below one another where they would overlap."""
    for left in (True, False):
        near = [one for one in points if one.name and (one.x < middle) == left]
        own = [
            {"x": one.x, "shown": shown, "text": one.name}
            for one, shown in zip(_downwards(near), _apart(near, ends), strict=True)
        ]
        look = {
            "text": {"field": "text"}, "fill": {"value": "var(--ink)"}, "fontSize": {"value": 11},
            "font": {"value": "inherit"}, "dx": {"value": 8 if left else -8}, "dy": {"value": 4},
            "x": {"scale": "x", "field": "x"}, "y": {"field": "shown"},
            "align": {"value": "left" if left else "right"},
        }  # fmt: skip
        if own:
            yield {"type": "text", "points": own, "aria": False, "encode": {"update": look}}


def _downwards(points: Sequence[Point]) -> list[Point]:
    return sorted(points, key=lambda one: (-one.y, one.x, one.name))


def _apart(points: Sequence[Point], ends: tuple[float, float]) -> list[float]:
    """Heights of names in pixels from above, at least a line apart, for points from the top down."""
    found: list[float] = []
    for one in _downwards(points):
        wanted = HEIGHT * (ends[1] - one.y) / (ends[1] - ends[0])
        found.append(max(wanted, found[-1] + _LINE) if found else wanted)
    over = max(0.0, found[-1] - HEIGHT) if found else 0.0
    return [one - over for one in found]
