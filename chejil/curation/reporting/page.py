"""The report of a run: one self-contained HTML file in English and Korean, no script, no request to anywhere.

It holds what the manifest and the summary (summaries.py) hold, and nothing that differs between two runs but what
stands between the marks of timing.py. It stays below MAX_BYTES whatever the run: tables and names are cut, and where
samples would take too much they are shortened, all alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chejil.curation.manifest import Manifest
from chejil.curation.reporting import findings, lineage, overview, thresholds, timing
from chejil.curation.reporting.excerpts import folded
from chejil.curation.reporting.layout import LANGUAGES, document, say
from chejil.curation.reporting.samples import TEXT_CHARS, by_group

MAX_BYTES = 4_900_000
"""5 MB, less the section on time."""

_LIMITS = (TEXT_CHARS, 120, 40, 0)

_CONTENTS = (
    ("funnel", "Funnel"),
    ("sources", "By source and language"),
    ("reasons", "Why documents were dropped"),
    ("signals", "Signals and their bounds"),
    ("kept", "Kept documents"),
    ("duplicates", "Duplicates"),
    ("contamination", "Evaluation texts in documents"),
    ("edits", "Personal data and other spans that were changed"),
    ("normalised", "Normalising"),
    ("quarantine", "Quarantine"),
    ("time", "Time and throughput"),
    ("lineage", "Lineage"),
)


def page(run: Manifest, recipe: str, judged: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """The whole page, the section on time left open.

    Args:
        recipe: as YAML.
        judged: `bounds` by language and signal, and `by_source`.
        summary: what `report/summary` counted; {} where it did nothing.
    """
    drawn = thresholds.drawings(summary.get("signals", {}), judged)
    clusters = findings.duplicates(run, summary.get("clusters", ()), summary.get("samples", ()))
    for limit in _LIMITS:
        body = _body(run, recipe, judged, summary, drawn, clusters, limit)
        whole = document(run.name, body, head=_head(body))
        if len(whole.encode()) < MAX_BYTES:
            break
    return whole


def _body(
    run: Manifest,
    recipe: str,
    judged: Mapping[str, Any],
    summary: Mapping[str, Any],
    drawn: Mapping[str, str],
    clusters: str,
    limit: int,
) -> str:
    samples = by_group([row for row in summary.get("samples", ()) if row["kind"] != "cluster"])
    reasons = summary.get("reasons", [])
    parts = [
        overview.head(run, summary.get("sizes", ())),
        overview.unmasked(run) if samples else "",
        overview.funnel(run),
        overview.by_source(run, summary.get("sizes", ())),
        overview.reasons(run, reasons, folded(samples, "reason", limit)),
        thresholds.signals(summary.get("signals", {}), drawn, judged, reasons, samples, limit),
        overview.kept_samples(folded(samples, "kept", limit)),
        clusters,
        findings.contamination(run),
        findings.edits(run),
        findings.normalised(run),
        findings.quarantine(run),
        f"{timing.START}{timing.END}",
        lineage.lineage(run, recipe),
    ]
    return "".join(parts)


def _head(body: str) -> str:
    """What stands before the page's content: skip link, choice of language, contents."""
    there = [(name, title) for name, title in _CONTENTS if f'<section id="{name}"' in body or name == "time"]
    links = "".join(f'<li><a href="#{name}">{say(title)}</a></li>' for name, title in there)
    skip = f'<a class=skip href="#main">{say("Skip to the content")}</a>'
    return f"<header>{skip}{LANGUAGES}\n<nav aria-label=Contents><ol>{links}</ol></nav></header>\n"


def with_time(whole: str, run: Manifest, timings: Mapping[str, Any]) -> str:
    """The page with the section on time."""
    return timing.filled(whole, lineage.seconds(timings, run.stages))
