"""Personal data: found, graded, counted and replaced; Korean and English.

The remedy is a mask, not a drop: a page with a phone number is a good page. So the signals have no bounds; a recipe
may set some, or mask with `mask_pii`. Every span has a kind and a grade (`pii_grades.py`): 1.0 a check digit and a
label, 0.9 a check digit or a shape that nothing else has, 0.7 a shape and what stands around it, 0.5 a shape alone,
which is shown and not masked by default.

A regular expression a kind, as the peers have it, takes ISO dates for accounts and any eleven digits for a phone.
Here a Numba pass finds windows (`pii_candidates.py`) and rules with check digits, labels and counter-labels judge
them: 60 to 120 MB/s together on web text, one core.

Finding: `pii_candidates` (with `pii_groups`, `pii_signs`, `pii_bytes`), `pii_rules`.
Rules: `pii_numbers`, `pii_phones`, `pii_network`, `pii_addresses`.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Literal

import numpy as np

from chejil.filters.buffers import TextBuffers
from chejil.filters.pii_grades import KINDS, MIN_CONFIDENCE
from chejil.filters.pii_rules import judge
from chejil.filters.pii_surrogates import PLACEHOLDERS, surrogate
from chejil.filters.prose import PROSE
from chejil.filters.registry import Counts, Family, Signal, add_family, add_signal
from chejil.filters.spans import Spans

__all__ = ["KINDS", "MIN_CONFIDENCE", "PLACEHOLDERS", "find", "measure", "replacements"]

Style = Literal["placeholder", "surrogate"]


def find(
    texts: TextBuffers, min_confidence: float = MIN_CONFIDENCE, kinds: Collection[str] | None = None
) -> Spans:
    """Spans of personal data of these kinds (None: all) that are at least this sure.

    >>> spans = find(TextBuffers.of(["휴대폰 010-2345-6789"]))
    >>> spans.rules[spans.rule[0]], list(spans.texts(TextBuffers.of(["휴대폰 010-2345-6789"])))
    ('phone', ['010-2345-6789'])
    """
    wanted = {number for number, kind in enumerate(KINDS) if kinds is None or kind in kinds}
    # Kinds are chosen after overlaps are settled: an account must not turn into a phone because accounts stay.
    spans = Spans.of([span for span in judge(texts) if span[4] >= min_confidence], KINDS)
    chosen = np.isin(spans.rule, list(wanted))
    return Spans(
        doc=spans.doc[chosen],
        start=spans.start[chosen],
        end=spans.end[chosen],
        rule=spans.rule[chosen],
        confidence=spans.confidence[chosen],
        rules=KINDS,
    )


def replacements(texts: TextBuffers, spans: Spans, style: Style, seed: int = 0) -> list[str]:
    """What to write in place of each span: its kind's placeholder, or a surrogate that `seed` keys."""
    kinds = [spans.rules[rule] for rule in spans.rule]
    if style == "placeholder":
        return [PLACEHOLDERS[kind] for kind in kinds]
    return [surrogate(kind, value, seed) for kind, value in zip(kinds, spans.texts(texts), strict=True)]


def measure(texts: TextBuffers, _: Counts) -> dict[str, np.ndarray]:
    """Spans of each kind in each text."""
    spans = find(texts)
    table = np.zeros((len(KINDS), len(texts)), np.int64)
    np.add.at(table, (spans.rule, spans.doc), 1)
    return {f"pii_{kind}": counts for kind, counts in zip(KINDS, table, strict=True)}


def _all(counts: Counts) -> np.ndarray:
    return np.sum([counts[f"pii_{kind}"] for kind in KINDS], axis=0)


def _one(counts: Counts, kind: str) -> np.ndarray:
    return counts[f"pii_{kind}"]


add_family(
    Family(
        name="pii",
        counters=tuple(f"pii_{kind}" for kind in KINDS),
        measure=measure,
        about="Personal data: numbers of residents, phones, accounts, cards, addresses, by kind.",
    )
)

add_signal(
    Signal(
        name="num_pii",
        family="pii",
        unit="document",
        kind="count",
        about="Places of personal data of any kind, of 0.7 and surer.",
        source="Own. No bound: mask_pii is the remedy.",
        value=_all,
        kept=PROSE,
        dropped=(),
    )
)

_SIGNALS = {
    "rrn": ("num_rrn", "Resident registration numbers (주민등록번호)."),
    "frn": ("num_frn", "Foreigner registration numbers (외국인등록번호)."),
    "brn": ("num_brn", "Business registration numbers (사업자등록번호), which every shop's footer has."),
    "corporate": ("num_corporate", "Corporate registration numbers (법인등록번호)."),
    "driver": ("num_driver", "Korean driving licence numbers."),
    "passport": ("num_passports", "Korean passport numbers."),
    "phone": ("num_phones", "Telephone numbers, public lines (15xx, toll-free) apart."),
    "us_ssn": ("num_us_ssn", "American social security numbers."),
    "account": ("num_accounts", "Bank accounts beside a bank's name or a label."),
    "card": ("num_cards", "Payment cards."),
    "email": ("num_emails", "E-mail addresses, disguised ones among them."),
    "ip": ("num_ips", "Public internet addresses, version 4 and 6."),
    "address": ("num_addresses", "Postal addresses that lead to one household."),
}
for _kind, (_name, _about) in _SIGNALS.items():
    add_signal(
        Signal(
            name=_name,
            family="pii",
            unit="document",
            kind="count",
            about=_about,
            source="Own; formats and check digits in `pii_numbers`, `pii_phones`, `pii_network`, `pii_addresses`.",
            value=partial(_one, kind=_kind),
            kept=PROSE,
            dropped=(),
        )
    )
