"""The kinds of personal data and the grades of certainty, which every rule speaks in."""

from __future__ import annotations

KINDS = (
    "rrn", "frn", "brn", "corporate", "driver", "passport", "phone", "us_ssn", "account", "card", "email", "ip",
    "address",
)  # fmt: skip
"""Resident's, foreigner's, business, corporate number; licence; passport; …; the rules of the spans."""

PROVEN, SURE, LIKELY, POSSIBLE = 1.0, 0.9, 0.7, 0.5
"""Check digit and label; check digit or a shape that nothing else has; shape and context; shape alone."""

MIN_CONFIDENCE = LIKELY
"""From here on it counts and is masked by default."""

Grade = tuple[str, float]
"""A kind and how sure it is."""
