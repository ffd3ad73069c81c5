"""Each judged signal: its values by language with the bounds drawn, the share outside, and documents on both sides."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chejil.curation.report import share
from chejil.curation.reporting import charts
from chejil.curation.reporting.charts import number
from chejil.curation.reporting.excerpts import listed
from chejil.curation.reporting.layout import details, say, section, table, text
from chejil.filters.catalogue import LANGUAGES, SIGNALS

Limits = Mapping[str, Mapping[str, Mapping[str, float | None]]]
"""Bounds by language and signal."""


_CODE = re.compile(r"`([^`]*)`")
"""Names of files in a description."""

_MAX_OWN = 12
"""Bounds of single sources that are drawn of a language: more would be a wall."""


def drawings(signals: Mapping[str, Any], judged: Mapping[str, Any]) -> dict[str, str]:
    """The chart of each signal; the dear part of the page, made once."""
    return {name: _chart(name, found, judged) for name, found in signals.items()}


def _chart(name: str, found: Mapping[str, Any], judged: Mapping[str, Any]) -> str:
    if not found["edges"]:
        return ""
    langs = {lang: found["langs"][lang] for lang in _languages(found, name, judged)}
    shares = {
        lang: [count / max(1, sum(one["counts"])) for count in one["counts"]] for lang, one in langs.items()
    }
    ends = {lang: list(_ends(judged["bounds"].get(lang, {}).get(name, {}), found)) for lang in langs}
    own = {lang: _own_ends(name, lang, found, judged["by_source"], ends[lang]) for lang in langs}
    said = "; ".join(f"{lang}: median {_said(one['median'])}" for lang, one in langs.items())
    return charts.histogram(
        f"{name} by language, with bounds; {said}", found["edges"], found["scale"], shares, ends, own
    )


def _own_ends(
    name: str, lang: str, found: Mapping[str, Any], by_source: Mapping[str, Limits], common: Sequence[float]
) -> list[float]:
    """Bounds that sources have for themselves, each once, without those of their language."""
    every = [end for limits in by_source.values() for end in _ends(limits.get(lang, {}).get(name, {}), found)]
    return sorted(set(every) - set(common))[:_MAX_OWN]


def _languages(found: Mapping[str, Any], name: str, judged: Mapping[str, Any]) -> list[str]:
    """Languages in which the signal is judged, for a source at least, and has documents."""
    there: list[str] = [lang for lang in LANGUAGES if found["langs"].get(lang, {}).get("documents")]
    every = [judged["bounds"], *judged["by_source"].values()]
    return [lang for lang in there if any(name in limits.get(lang, {}) for limits in every)]


def _ends(limits: Mapping[str, float | None], found: Mapping[str, Any]) -> Iterator[float]:
    edges = found["edges"]
    one = found["whole"] and found["scale"] == "linear" and edges[1] - edges[0] == 1
    if limits.get("low") is not None:
        yield float(limits["low"] or 0)
    if limits.get("high") is not None:  # a bin of one integer passes whole
        yield float(limits["high"] or 0) + (1 if one else 0)


def _said(value: float | None) -> str:
    return "–" if value is None else number(value)


def signals(
    found: Mapping[str, Any],
    drawn: Mapping[str, str],
    judged: Mapping[str, Any],
    reasons: Iterable[Mapping[str, Any]],
    samples: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
    limit: int,
) -> str:
    """The section: a figure a signal, in the order of docs/signals.md."""
    outside = _outside(reasons)
    body = "".join(
        _figure(
            name, found[name], drawn[name], judged, outside, listed(samples.get(("bound", name), ()), limit)
        )
        for name in SIGNALS
        if name in found
    )
    if not body:
        return ""
    note = say(
        "One drawing a signal: the share of documents by value, by language, bounds as dashed uprights in the colour "
        "of their language, dotted where they are one source's. Heights are roots of shares, so that tails can be "
        "seen; what lies beyond the axis stands in its last bin, and a bound that is far beyond it is not drawn. "
        "Outside: documents of the language that fall by this bound, whatever else they fall by."
    )
    key = "".join(f'<span class="key key-{lang}">{lang}</span>' for lang in LANGUAGES)
    return section(
        "signals", say("Signals and their bounds"), f"<p>{note}</p><p>{key}</p><div class=plots>{body}</div>"
    )


def _outside(reasons: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in reasons:
        counts[row["lang"], row["reason"]] += row["documents"]
    return counts


def _figure(
    name: str,
    found: Mapping[str, Any],
    drawn: str,
    judged: Mapping[str, Any],
    outside: Mapping[tuple[str, str], int],
    shown: str,
) -> str:
    langs = _languages(found, name, judged)
    rows = [
        _row(name, lang, found["langs"][lang], judged["bounds"].get(lang, {}).get(name, {}), outside)
        for lang in langs
    ]
    heads = (
        say("language"),
        f">{say('passes')}",
        f">{say('median')}",
        f">{say('below')}",
        f">{say('above')}",
    )
    about = _CODE.sub(r"<code>\1</code>", text(SIGNALS[name].about, 300)) if name in SIGNALS else ""
    own = _by_source(name, judged["by_source"])
    samples = details(say("Documents at the bounds"), shown)
    return (
        f'<figure id="signal-{text(name)}"><figcaption><h3>{text(name)}</h3><p lang="en">{about}</p></figcaption>'
        f"{drawn}<div>{table('', heads, rows)}{own}</div>{samples}</figure>\n"
    )


def _row(
    name: str,
    lang: str,
    found: Mapping[str, Any],
    limits: Mapping[str, float | None],
    outside: Mapping[tuple[str, str], int],
) -> tuple[str, ...]:
    every = found["documents"]
    sides = [_part(outside.get((lang, f"{name}:{side}"), 0), every) for side in ("low", "high")]
    return f'<span class="key key-{lang}">{lang}</span>', interval(limits), _said(found["median"]), *sides


def _part(count: int, every: int) -> str:
    return f"{count:,} <small>{share(count, every)}</small>" if count else "–"


def interval(limits: Mapping[str, float | None]) -> str:
    """What passes.

    >>> interval({"low": 0.1, "high": None}), interval({"low": 1, "high": 2})
    ('≥ 0.1', '1 … 2')
    """
    low, high = limits.get("low"), limits.get("high")
    if low is not None and high is not None:
        return f"{number(low)} … {number(high)}"
    return f"≥ {number(low)}" if low is not None else (f"≤ {number(high)}" if high is not None else "–")


def _by_source(name: str, by_source: Mapping[str, Limits]) -> str:
    rows = [
        f"{text(source)} {text(lang)}: {interval(limits[name])}"
        for source, languages in by_source.items()
        for lang, limits in languages.items()
        if name in limits
    ]
    return (
        f"<p><small>{say('Other bounds for: {sources}', sources='; '.join(rows[:8]))}</small></p>"
        if rows
        else ""
    )
