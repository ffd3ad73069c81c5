"""Tallies of words: hosts, months, licences, languages, sources; exact, with about 150 bytes for each different value.

Domains are counted by host, vectorised, and added up to registered domains at the end, by the public suffix list that
the package `tld` carries (7 µs a host; no network); without it hosts stay hosts, and the result says so.
"""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec

import numpy as np
import polars as pl
import pyarrow as pa

ALIASES = {
    "url": ("url",),
    "month": ("timestamp", "date", "created"),
    "license": ("license", "licence"),
    "lang": ("lang", "language"),
    "source": ("source",),
}
"""What is counted, and what columns are called that hold it; the first that a file has counts."""

_HOST = r"^(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//(?:[^/?#@]*@)?(\[[0-9A-Fa-f:.]+\]|[^/?#:@\[\]]+)"
_BARE_HOST = r"^([^/?#:@\s\[\]]+\.[^/?#:@\s\[\]]+)(?::\d+)?(?:[/?#]|$)"
"""A host without a scheme has a dot: `javascript:` and numbers name none."""

NO_MONTH = "other"
"""A date that does not begin with a year and a month."""


def tally(name: str, column: pa.Array | pa.ChunkedArray) -> Counter[str | None]:
    """How often each value stands in a column; a URL by its host, a date by its month."""
    if pa.types.is_dictionary(column.type):
        return _of_codes(name, column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
    values = pl.Series(pl.from_arrow(_strings(column, name)))
    if name == "url":
        values = (
            values.str.extract(_HOST)
            .fill_null(values.str.extract(_BARE_HOST))
            .str.to_lowercase()
            .str.strip_chars_end(".")
        )
    if name == "month":
        month = values.str.extract(r"^\s*(\d{4}-(?:0[1-9]|1[0-2]))")
        values = pl.select(
            pl.when(values.is_null()).then(None).otherwise(month.fill_null(NO_MONTH))
        ).to_series()
    counted = values.cast(pl.String).rename("value").value_counts(name="n")
    return Counter(dict(zip(counted["value"].to_list(), counted["n"].to_list(), strict=True)))


def _of_codes(name: str, column: pa.DictionaryArray) -> Counter[str | None]:
    """The same of words that are read as codes: each different one is looked at once."""
    codes = column.indices.fill_null(len(column.dictionary)).to_numpy(zero_copy_only=False)
    found: Counter[str | None] = Counter()
    words = pa.concat_arrays([column.dictionary.cast(pa.string()), pa.nulls(1, pa.string())])
    for word, count in zip(words, np.bincount(codes, minlength=len(words)).tolist(), strict=True):
        if count:
            value = word.as_py()
            if name in ("url", "month"):
                (value,) = tally(name, pa.array([value], pa.string()))
            found[value] += count
    return found


def _strings(column: pa.Array | pa.ChunkedArray, name: str) -> pa.Array | pa.ChunkedArray:
    if name == "month" and (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        return column.cast(pa.timestamp("us", getattr(column.type, "tz", None))).cast(pa.string())
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def registered(hosts: Counter[str | None]) -> tuple[str, Counter[str | None]]:
    """Documents by registered domain (`blog.example.co.kr` is `example.co.kr`), and which kind of domains they are."""
    if find_spec("tld") is None:
        return "host", hosts
    from tld import get_fld

    domains: Counter[str | None] = Counter()
    for host, number in hosts.items():
        name = get_fld(host, fix_protocol=True, fail_silently=True) if host else None
        domains[name or host] += number
    return "registered domain", domains


def most_common(counts: Counter[str | None], top: int) -> list[tuple[str | None, int]]:
    """The most frequent values; of equally frequent ones the first by name, so that no order of files decides."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0] is None, item[0] or ""))[:top]
