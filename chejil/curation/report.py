"""How a run is counted for people: totals of the funnel, kinds of reasons, sizes and shares in words.

The terminal's tables and the pages say numbers alike because they take them from here; the page itself is `reporting`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

PATH = "report.html"

Rows = Iterable[Mapping[str, Any]]


def totals(
    rows: Rows, *by: str, where: Callable[[Mapping[str, Any]], bool] = lambda row: True
) -> dict[tuple, Counter]:
    """Documents and bytes of funnel rows, added up by columns; the keys in order of their bytes, largest first."""
    sums: dict[tuple, Counter] = {}
    for row in rows:
        if where(row):
            key = tuple(row[column] for column in by)
            sums.setdefault(key, Counter()).update(documents=row["documents"], bytes=row["bytes"])
    return dict(sorted(sums.items(), key=lambda item: (-item[1]["bytes"], str(item[0]))))


_LEAST_KB = 100  # below, a kB would have one digit, or none


def megabytes(number: float) -> str:
    """Bytes as people read them.

    >>> megabytes(1_234_567), megabytes(49), megabytes(0)
    ('1.2 MB', '49 B', '0 B')
    """
    if number < _LEAST_KB:
        return f"{number:.0f} B"
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number / 1e3:,.1f} kB"


def share(part: float, whole: float) -> str:
    """A percentage, a dash of nothing; what there is is more than 0.

    >>> share(1, 8), share(1, 3000), share(0, 3000), share(0, 0)
    ('12.5 %', '0.03 %', '0.0 %', '–')
    """
    if not whole:
        return "–"
    percent = 100 * part / whole
    places = 1 if percent <= 0 else max(1, -math.floor(math.log10(percent)))
    return f"{percent:.{places}f} %"


def ratio(num_bytes: float, things: float) -> str:
    """Bytes a thing (a character, a token), empty of nothing.

    >>> ratio(10, 4), ratio(0, 0)
    ('2.50', '')
    """
    return f"{num_bytes / things:.2f}" if things else ""


GROUPS = {
    "filter/verdicts": ("empty", "blocklists", "language", "bounds", "rules"),
    "exact_dedup/verdicts": ("exact duplicates",),
    "near_dedup/verdicts": ("near duplicates",),
    "decontaminate/verdicts": ("evaluation texts",),
    "line_dedup/verdicts": ("emptied by line_dedup",),
    "substring_dedup/verdicts": ("emptied by substring_dedup",),
}
"""Kinds of reasons that a stage gives, in its order."""


def reason_group(reason: str) -> str:
    """The kind of a reason.

    >>> reason_group("num_words:low"), reason_group("duplicate:near")
    ('bounds', 'near duplicates')
    """
    kind, _, rest = reason.partition(":")
    return {
        "empty": "empty",
        "url": "blocklists",
        "language": "language",
        "rule": "rules",
        "duplicate": f"{rest} duplicates",
        "contaminated": "evaluation texts",
        "emptied": f"emptied by {rest}",
    }.get(kind, "bounds")
