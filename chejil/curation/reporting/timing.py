"""Which part of a report is not a function of the run: the time that its stages took.

It stands between two marks, filled from timings.json when the page is written. The manifest holds the hash of the page
without what stands between them, so that two runs have the same manifest, and a page that was touched is still found.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any

from chejil.curation import shards
from chejil.curation.progress import Work

PATH = "timings.json"

START, END = "<!-- time -->", "<!-- /time -->"
_BETWEEN = re.compile(f"{START}.*?{END}".encode(), re.DOTALL)


def filled(page: str, section: str) -> str:
    """The page with a section between the marks; nothing in it can close them."""
    return page.replace(START + END, START + section.replace("<!--", "") + END, 1)


def without(page: bytes) -> bytes:
    """The page as it is hashed.

    >>> without(b"a<!-- time -->3 s<!-- /time -->b")
    b'a<!-- time --><!-- /time -->b'
    """
    return _BETWEEN.sub((START + END).encode(), page, count=1)


def entry(seconds: float, work: Iterable[Work]) -> dict[str, Any]:
    """What timings.json says of a stage: seconds, and units, documents and bytes that it did in them."""
    units = list(work)
    sums = {"documents": sum(one.documents for one in units), "bytes": sum(one.num_bytes for one in units)}
    return {"seconds": seconds, "units": len(units), **sums}


def add(root: str, stage: str, found: Mapping[str, Any], workers: int) -> None:
    """Write what a stage took, as it ends: what a killed run has done is told by the one that ends it."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    stages = {**read(root).get("stages", {}), stage: found}
    shards.write_json(root, PATH, {"finished": now, "workers": workers, "stages": stages})


def read(root: str) -> dict[str, Any]:
    """timings.json; nothing where it is not there."""
    return shards.read_json(shards.join(root, PATH)) or {}
