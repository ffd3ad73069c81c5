"""Files of a report: report.json, report.html, mixture.yaml, candidate.yaml, each whole or not at all.

A mixture file of an earlier report goes where this one writes none: a training must not read what is no more said.
"""

from __future__ import annotations

import orjson

from chejil.curation import shards
from chejil.eval.ablation_reports import mixture_text, page
from chejil.eval.ablation_reports.report import CANDIDATE, JSON, MIXTURE, PAGE, Report


def write(found: Report, out: str) -> dict[str, str]:
    """Write all of them; returns their places by name."""
    record = shards.write_json(out, JSON, plain(found))
    shards.write_bytes(out, PAGE, page.page(found, record.hash).encode())
    texts = mixture_text.files(found)
    for name in (MIXTURE, CANDIDATE):
        if name in texts:
            shards.write_bytes(out, name, mixture_text.text(found, texts[name]).encode())
        else:
            shards.remove(shards.join(out, name))
    return {name: shards.join(out, name) for name in (JSON, PAGE, *texts)}


def plain(found: Report) -> object:
    """The report as JSON reads it back: NaN is null."""
    return orjson.loads(orjson.dumps(found.as_dict()))
