"""Samples as they are shown: a few lines of text with where they are from, folded in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chejil.curation.reporting.charts import number
from chejil.curation.reporting.layout import code, details, excerpt, say, text
from chejil.curation.reporting.samples import TEXT_CHARS

_MAX_REASONS = 4


def language_tag(lang: str | None) -> str:
    """What `lang` says of a sample: undetermined where it is not one of ours.

    >>> language_tag("ko"), language_tag("mixed")
    ('ko', 'und')
    """
    return lang if lang in ("ko", "en") else "und"


def listed(rows: Iterable[Mapping[str, Any]], limit: int) -> str:
    """Samples as a list; none if there is no room for their text."""
    items = "".join(_item(row, limit) for row in rows)
    return f"<ul class=samples>{items}</ul>" if items and limit else ""


def _item(row: Mapping[str, Any], limit: int) -> str:
    raw = row["text"] or ""
    body = excerpt(raw, limit, len(raw) > TEXT_CHARS) or say("(no text is left)")
    tag = language_tag(row["lang"])
    return f'<li><p class=from>{_origin(row)}</p><p class=text dir=auto lang="{tag}">{body}</p></li>'


def _origin(row: Mapping[str, Any]) -> str:
    parts = []
    if row["kind"] == "bound":
        verdict = say("just inside") if row["inside"] else say("just outside")
        parts.append(f"<b class={'in' if row['inside'] else 'out'}>{number(row['value'])} · {verdict}</b>")
    parts += [text(row["lang"]), text(row["source"]), code(row["id"])]
    own = row["name"] if row["kind"] == "reason" else f"{row['name']}:{row['side']}"
    others = [reason for reason in row["reasons"] if reason != own]
    if others:
        shown = ", ".join(code(reason) for reason in others[:_MAX_REASONS])
        more = f" +{len(others) - _MAX_REASONS}" if len(others) > _MAX_REASONS else ""
        parts.append(say("also {reasons}", reasons=shown + more))
    return " · ".join(parts)


def folded(
    samples: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]], kind: str, limit: int
) -> dict[str, str]:
    """Samples of a kind by name, each group folded in under its name."""
    return {
        name: details(f"{code(name)} <small>{len(rows)}</small>", listed(rows, limit))
        for (its_kind, name), rows in samples.items()
        if its_kind == kind
    }
