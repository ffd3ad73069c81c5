"""Whoever is asked gives the same counts: explain, stats, whatif, diff, the report and the card, as the manifest."""

import html
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl

from chejil.curation import manifest
from chejil.curation.explain import explain


def asked(*arguments):
    """What a command says, as JSON."""
    command = [sys.executable, "-m", "chejil", *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def by_group(funnel):
    """Documents by source, language and first reason; an unknown language is null or called so."""
    counts = Counter()
    for row in funnel:
        counts[row["source"], row["lang"] or "unknown", row["reason"]] += row["documents"]
    return counts


def explained(root):
    """The funnel that comes out when every document is explained by itself."""
    counts = Counter()
    for row in pl.read_parquet(f"{root}/decisions/**/*.parquet").to_dicts():
        decision = explain(root, f"{row['source']}:{row['file']}#{row['line']}").decision
        counts[decision["source"], decision["lang"] or "unknown", decision["reason"]] += 1
    return counts


def test_all_that_can_be_asked_agree(small_run):
    """On every document, by source, language and first reason where they tell it."""
    run = manifest.read(small_run)
    told = by_group(run.funnel)
    stats, whatif, diff = (
        asked("stats", small_run),
        asked("whatif", small_run),
        asked("diff", small_run, small_run),
    )
    page = re.sub(r"<[^>]*>|\s+", " ", html.unescape(Path(small_run, "report.html").read_text("utf-8")))

    assert explained(small_run) == told
    assert by_group(stats["funnel"]) == told
    assert (stats["total"]["documents"], stats["total"]["kept"]) == (run.documents, run.kept)
    assert by_group(whatif["funnel_before"]) == by_group(whatif["funnel_after"]) == told
    assert (whatif["total"]["kept_after"], whatif["total"]["newly_dropped"]) == (run.kept, 0)
    assert diff["same"]
    assert diff["unchanged"] == {"kept": run.kept, "dropped": run.documents - run.kept}
    assert f"{run.kept:,}" in page
    for reason in {row["reason"] for row in run.funnel} - {None}:
        number = sum(row["documents"] for row in run.funnel if row["reason"] == reason)
        assert re.search(rf"{re.escape(reason)}\W+(\D*\W+)?{number:,}\b", page), (reason, number)
