"""The page of a calibration: for each signal the reference and the run as histograms, with the bounds drawn in.

One self-contained HTML file, as the report of a run: no script, no request to anywhere, the same bytes every time.
"""

from __future__ import annotations

import html
import itertools
import math

from chejil.curation.calibration.calibrate import Calibrated, Calibration, Proposal
from chejil.curation.reporting.layout import document

_WIDTH, _HEIGHT = 320, 110
_BASE = _HEIGHT - 16  # below it stand the ends of the axis

_STYLE = """\
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem 1.5rem; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: .85rem; } figcaption b { font-weight: 600; } figcaption span { color: var(--soft); }
svg { display: block; width: 100%; height: auto; }
.reference { fill: var(--bar); opacity: .45; }
.run { fill: none; stroke: var(--ink); stroke-width: 1.3; }
.proposed { stroke: #c0392b; stroke-width: 1.6; }
.present { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 4 3; }
.axis { stroke: var(--line); } svg text { fill: var(--soft); font-size: 10px; }
.key i { display: inline-block; width: 1.2rem; height: .7rem; margin: 0 .3rem 0 1rem;
  border-radius: 0; background: none; }
.key { color: var(--soft); font-size: .85rem; } .warning { color: #b3261e; }
"""

_KEY = (
    '<p class=key><i style="background:var(--bar);opacity:.45"></i>reference'
    '<i style="border-top:2px solid var(--ink);height:0;vertical-align:middle"></i>run'
    '<i style="border-top:2px solid #c0392b;height:0;vertical-align:middle"></i>proposed bound'
    '<i style="border-top:2px dashed var(--soft);height:0;vertical-align:middle"></i>present bound. '
    "Heights are roots of the shares of documents; what lies beyond an axis is in its last bin.</p>"
)


def page(found: Calibration) -> str:
    """The whole page."""
    left_out = "".join(f"<li>{html.escape(reason)}</li>" for reason in found.left_out)
    body = (
        f"<h1>Bounds for {html.escape(found.run)}</h1>"
        f"<p>as {found.share:.4g} of {html.escape(found.reference)} passes them together</p>{_KEY}\n"
        f"{''.join(map(_group, found.groups))}"
        f"{f'<section><h2>Left out</h2><ul>{left_out}</ul></section>' if left_out else ''}\n"
    )
    return document(f"{found.run} by {found.reference}", body, _STYLE)


def _group(group: Calibrated) -> str:
    name = f"{group.source}/{group.lang}" if group.source else group.lang
    tiles = (
        (f"{group.reference_documents:,}", "documents of the reference"),
        (_percent(group.passes), "of them pass all proposed bounds"),
        (_percent(group.passes_present), "pass the present ones"),
        (f"{group.run_documents:,}", "documents of the run"),
        (_percent(group.falls), "of them would newly fall"),
        (_percent(group.rises), "would newly pass"),
    )
    drawn = "".join(f"<div><b>{value}</b><span>{label}</span></div>" for value, label in tiles)
    warnings = "".join(f"<p class=warning>{html.escape(warning)}</p>" for warning in group.warnings)
    plots = "".join(map(_plot, group.proposals))
    return (
        f"<section><h2>{html.escape(name)}</h2><div class=tiles>{drawn}</div>{warnings}</section>"
        f"<section><div class=plots>{plots}</div></section>\n"
    )


def _plot(one: Proposal) -> str:
    top = max([*_shares(one.reference_histogram), *_shares(one.run_histogram), 1e-9])
    bounds = [(edge, "proposed") for edge in (one.low, one.high)]
    bounds = [(edge, "present") for edge in (one.present or {}).values()] + bounds
    lines = "".join(_line(one.bins, edge, kind) for edge, kind in bounds if edge is not None)
    first, last = one.bins[0], one.bins[-1]
    return (
        f"<figure><figcaption><b>{one.signal}</b> <span>per {one.unit} · {_interval(one)} · reference "
        f"{_percent(one.passes)}, run falls {_percent(one.falls)}</span></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{one.signal}">'
        f'<path class="reference" d="{_outline(one.reference_histogram, top)}Z"/>'
        f'<path class="run" d="{_outline(one.run_histogram, top)}"/>'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_BASE}" y2="{_BASE}"/>{lines}'
        f'<text x="0" y="{_HEIGHT - 4}">{first:.4g}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{last:.4g}</text></svg></figure>'
    )


def _interval(one: Proposal) -> str:
    low = "" if one.low is None else f"{one.low:g} ≤ "
    high = "" if one.high is None else f" ≤ {one.high:g}"
    return f"{low}x{high}"


def _shares(counts: list[int]) -> list[float]:
    # The root of a share: tails are what the page is for, and beside a spike they would not be seen.
    total = max(1, sum(counts))
    return [math.sqrt(count / total) for count in counts]


def _outline(counts: list[int], top: float) -> str:
    """Steps over the bins, from the axis and back to it."""
    width = _WIDTH / max(1, len(counts))
    steps = [f"M0 {_BASE}"]
    for place, height in enumerate(_shares(counts)):
        y = _BASE - (_BASE - 4) * height / top
        steps.append(f"L{place * width:.1f} {y:.1f}H{(place + 1) * width:.1f}")
    return "".join(steps) + f"V{_BASE}"


def _line(bins: list[float], edge: float, kind: str) -> str:
    x = _WIDTH * _place(bins, edge)
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_BASE}"/>'


def _place(bins: list[float], edge: float) -> float:
    """Where a value lies on the axis, 0 to 1; bins are equal there, whether they are so in value or by ratio."""
    for number, (first, last) in enumerate(itertools.pairwise(bins)):
        if edge <= last:
            return (number + max(0.0, (edge - first) / (last - first))) / (len(bins) - 1)
    return 1.0


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"
