"""Files of a report: report.json, report.html, mixture.yaml, each whole or not at all.

A mixture file of an earlier report goes where this one recommends none: a training must not read what is no more said.
"""

from __future__ import annotations

import orjson

from chejil.curation import shards
from chejil.eval.ablation_reports import mixture_text, page
from chejil.eval.ablation_reports.report import JSON, MIXTURE, PAGE, Report


def write(found: Report, out: str) -> dict[str, str]:
    """Write all of them; returns their places by name."""
    record = shards.write_json(out, JSON, plain(found))
    shards.write_bytes(out, PAGE, page.page(found, record.hash).encode())
    if found.recommended is None:
        shards.remove(shards.join(out, MIXTURE))
    else:
        shards.write_bytes(out, MIXTURE, mixture_text.text(found, found.recommended).encode())
    names = (JSON, PAGE, MIXTURE) if found.recommended else (JSON, PAGE)
    return {name: shards.join(out, name) for name in names}


def plain(found: Report) -> object:
    """The report as JSON reads it back: NaN is null."""
    return orjson.loads(orjson.dumps(found.as_dict()))
