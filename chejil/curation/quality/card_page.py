"""The model card of a quality classifier as a page: one self-contained HTML file, no script, no request to anywhere.

It holds what `card.json` holds. The drawings are SVG, written here: three of them are less than a plotting library.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from chejil.curation.report import megabytes
from chejil.curation.reporting.layout import document
from chejil.terminal import table

_PLOT = 240  # side of a drawing, in its own units
_STYLE = """
svg { width: 17rem; max-width: 100%; margin: .5rem 1.5rem .5rem 0; overflow: visible; }
svg text { font-size: 11px; fill: var(--soft); }
.frame { fill: none; stroke: var(--line); } .even { stroke: var(--line); stroke-dasharray: 4 4; }
.curve { fill: none; stroke: var(--bar); stroke-width: 2; } .dot { fill: var(--bar); }
.high { fill: var(--bar); opacity: .75; } .low { fill: #c2703d; opacity: .65; }
td.t { white-space: normal; }
"""

_SIDES = {"high": "positive", "low": "negative"}


def page(card: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = [
        _head(card),
        _drawings(card),
        _thresholds(card),
        _models(card),
        _data(card),
        _features(card),
        _errors(card),
    ]
    return document(card["slot"], f"{''.join(parts)}{_foot(card)}", _STYLE)


def summary(card: Mapping[str, Any], out: str) -> Iterator[RenderableType]:
    """What the terminal shows of a training."""
    rows = [(r["threshold"], r["precision"], r["recall"], r["kept"]) for r in card["thresholds"]]
    yield table(("score at least>", "precision>", "recall>", "share kept>"), rows)
    yield (
        f"ROC-AUC {card['auc']:.4f} on {card['held_out']:,} held-out documents; "
        f"{card['train']:,} were learnt from, as many of either side"
    )
    model = card["model"]
    yield f"{out}/{model['file']} ({megabytes(model['bytes'])}), {out}/card.html"
    yield f"in a recipe: score: {{models: {{{card['slot']}: {out}/{model['file']}}}}}"


def _head(card: Mapping[str, Any]) -> str:
    tiles = [
        (f"{card['auc']:.4f}", "ROC-AUC, held out"),
        (f"{card['calibration_error']:.3f}", "calibration error"),
        (f"{card['train']:,}", "examples learnt from"),
        (f"{card['held_out']:,}", "held out"),
        (megabytes(card["model"]["bytes"]), html.escape(card["model"]["file"])),
    ]
    cells = "".join(f"<div><b>{value}</b><span>{label}</span></div>" for value, label in tiles)
    return (
        f"<h1>Quality classifier <code>{html.escape(card['slot'])}</code></h1>"
        "<p>Probability that a document is like the positive examples below and not like the negative ones. "
        "It knows nothing else of quality, and its scale is its own: choose a threshold from this page, "
        f"not from another model's.</p>"
        f'<div class="tiles">{cells}</div>\n'
    )


def _drawings(card: Mapping[str, Any]) -> str:
    bins = [(row["score"], row["share_high"]) for row in card["reliability"]]
    drawings = [
        _svg("false positives", "true positives", _even() + _curve(card["roc"])),
        _svg("mean score", "share of positives", _even() + _curve(bins) + _dots(bins)),
        _svg("score", "documents", _bars(card["histogram"])),
    ]
    names = ("ROC curve", "Calibration", "Scores: positives blue, negatives orange")
    figures = "".join(
        f"<figure style='display:inline-block;margin:0'>{svg}<figcaption>{name}</figcaption></figure>"
        for svg, name in zip(drawings, names, strict=True)
    )
    return f"<section><h2>Held-out documents</h2>{figures}</section>\n"


def _svg(x_label: str, y_label: str, inner: str) -> str:
    half = _PLOT // 2
    return (
        f'<svg viewBox="-24 -10 {_PLOT + 34} {_PLOT + 34}" role="img" aria-label="{y_label} by {x_label}">'
        f'<rect class="frame" width="{_PLOT}" height="{_PLOT}"/>{inner}'
        f'<text x="{half}" y="{_PLOT + 18}" text-anchor="middle">{x_label}, 0 to 1</text>'
        f'<text x="-8" y="{half}" text-anchor="middle" transform="rotate(-90 -8 {half})">{y_label}</text></svg>'
    )


def _even() -> str:
    return f'<line class="even" x1="0" y1="{_PLOT}" x2="{_PLOT}" y2="0"/>'


def _place(x: float, y: float) -> str:
    return f"{_PLOT * x:.1f},{_PLOT * (1 - y):.1f}"


def _curve(points: Iterable[Sequence[float]]) -> str:
    return f'<polyline class="curve" points="{" ".join(_place(x, y) for x, y in points)}"/>'


def _dots(points: Iterable[Sequence[float]]) -> str:
    centres = (_place(x, y).split(",") for x, y in points)
    return "".join(f'<circle class="dot" cx="{x}" cy="{y}" r="3.5"/>' for x, y in centres)


def _bars(histogram: Mapping[str, Sequence[int]]) -> str:
    most = max(max(counts) for counts in histogram.values()) or 1
    parts = []
    for side, counts in histogram.items():
        width = _PLOT / len(counts)
        for number, count in enumerate(counts):
            height = _PLOT * count / most
            box = (
                f'x="{number * width:.1f}" y="{_PLOT - height:.1f}" width="{width:.1f}" height="{height:.1f}"'
            )
            parts.append(f'<rect class="{side}" {box}/>' if count else "")
    return "".join(parts)


def _thresholds(card: Mapping[str, Any]) -> str:
    rows = [
        (f"{r['threshold']:g}", _number(r["precision"]), _number(r["recall"]), _number(r["kept"]))
        for r in card["thresholds"]
    ]
    heads = ("score at least>", "precision>", "recall>", "share kept>")
    bins = [
        (f"{r['low']:.1f}", f"{r['documents']:,}", _number(r["score"]), _number(r["share_high"]))
        for r in card["reliability"]
    ]
    return _section("Thresholds", heads, rows) + _section(
        "Calibration", ("score from>", "documents>", "mean score>", "share of positives>"), bins
    )


def _models(card: Mapping[str, Any]) -> str:
    rows = [
        (name, f"{model['auc']:.4f}", megabytes(model["bytes"])) for name, model in card["models"].items()
    ]
    settings = [(name, str(value)) for name, value in card["settings"].items()]
    return _section("Before and after quantising", ("", "ROC-AUC>", "size>"), rows) + _section(
        "Settings", ("", ""), settings
    )


def _data(card: Mapping[str, Any]) -> str:
    parts = []
    for side, name in _SIDES.items():
        data = card["data"][side]
        counts = ", ".join(
            f"{value:,} {key.replace('_', ' ')}" for key, value in data.items() if key != "files"
        )
        rows = [(file["name"], f"{file['bytes']:,}", file["hash"]) for file in data["files"]]
        parts.append(_section(f"Data: {name} ({counts})", ("file", "bytes>", "xxh3-128"), rows))
    both = card["both_sides"]
    return "".join(parts) + (
        f"<p>{both:,} documents stood on both sides and were left out.</p>" if both else ""
    )


def _features(card: Mapping[str, Any]) -> str:
    return "".join(
        _section(
            f"Words that speak for {name}",
            ("word", "seen>", "weight>"),
            [(r["word"], f"{r['count']:,}", f"{r['weight']:+.2f}") for r in card["features"][side]],
        )
        for side, name in _SIDES.items()
    )


def _errors(card: Mapping[str, Any]) -> str:
    return "".join(
        _section(
            f"Errors: {name}s on the wrong side of 0.5",
            ("score>", "id", "begins"),
            [(f"{r['score']:.3f}", r["id"], r["snippet"]) for r in card["errors"][side]],
        )
        for side, name in _SIDES.items()
    )


def _foot(card: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    model = card["model"]
    return (
        f"<footer>{html.escape(model['file'])} xxh3-128 {model['hash']}; {html.escape(versions)}</footer>\n"
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _section(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; a column whose name ends in `>` is set to the right."""
    if not rows:
        return ""
    kinds = ["n" if column.endswith(">") else "t" for column in columns]
    head = "".join(
        f"<th class={k}>{html.escape(c.rstrip('>'))}</th>" for c, k in zip(columns, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td class={k}>{html.escape(v)}</td>" for v, k in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f"<section><h2>{html.escape(title)}</h2><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></section>\n"
    )
