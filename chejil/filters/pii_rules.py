"""Judges the windows of `pii_candidates.py`: what each holds, how sure that is, and where it begins and ends.

Rules are plain Python on a few hundred bytes around a window; a megabyte of web text has 140 to 190 windows, so at
20 to 50 µs each the rules take about as long as the pass over the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chejil.filters import pii_addresses, pii_network, pii_numbers, pii_phones
from chejil.filters.buffers import TextBuffers
from chejil.filters.pii_bytes import (
    APARTMENT,
    DISGUISED,
    EMAIL,
    HOUSEHOLD,
    IPV4,
    IPV6,
    NUMBER,
    PASSPORT,
    ROAD,
    SPELLED,
)
from chejil.filters.pii_candidates import candidates
from chejil.filters.pii_context import BYTES_AFTER, BYTES_BEFORE, Window
from chejil.filters.pii_grades import KINDS, Grade
from chejil.filters.spans import Found

_NUMBER_RULES: tuple[Callable[[Window], Grade | None], ...] = (
    pii_numbers.resident, pii_numbers.corporate, pii_numbers.business, pii_numbers.driver, pii_numbers.us_ssn,
    pii_numbers.card, pii_phones.phone, pii_numbers.account,
)  # fmt: skip


def judge(texts: TextBuffers) -> list[Found]:
    """Everything that some rule takes for personal data, whatever its grade; places may overlap."""
    data = texts.data.tobytes()
    found: list[Found] = []
    for doc, start, end, kind in candidates(texts).tolist():
        base, limit = int(texts.offsets[doc]), int(texts.offsets[doc + 1])
        first, last = base + start, base + end
        window = Window(
            data[max(base, first - BYTES_BEFORE) : first].decode(errors="ignore"),
            data[first:last].decode(),
            data[last : min(limit, last + BYTES_AFTER)].decode(errors="ignore"),
        )
        if window.value[0] == "(" and ")" not in window.value:
            window, start = Window(window.before + "(", window.value[1:], window.after), start + 1
        verdict = _JUDGES[kind](window)
        if verdict:
            name, grade, before, after = verdict
            found.append((doc, start - before, end + after, KINDS.index(name), grade))
    return found


Verdict = tuple[str, float, int, int]
"""A kind, its grade, bytes that it has before the window, and after it (negative: it ends within)."""


def _number(window: Window) -> Verdict | None:
    grades = [grade for rule in _NUMBER_RULES if (grade := rule(window))]
    if not grades or window.is_other:
        return None
    return (*max(grades, key=lambda grade: grade[1]), 0, 0)


def _plain(rule: Callable[[Window], Grade | None]) -> Callable[[Window], Verdict | None]:
    def judged(window: Window) -> Verdict | None:
        grade = rule(window)
        return (*grade, 0, 0) if grade else None

    return judged


def _around(rule: Callable[[Window], Any]) -> Callable[[Window], Verdict | None]:
    def judged(window: Window) -> Verdict | None:
        place = rule(window)
        if place is None:
            return None
        kind, grade, before, *rest = place
        ahead = window.before[len(window.before) - before :].encode()
        behind = window.after[: rest[0]].encode() if rest else b""
        return kind, grade, len(ahead), len(behind)

    return judged


def _passport(window: Window) -> Verdict | None:
    grade = pii_numbers.passport(window)
    return (*grade, 0, 0) if grade and not window.is_other else None


def _spelled(window: Window) -> Verdict | None:
    place = pii_phones.spelled(window)
    if place is None or window.is_glued:
        return None
    kind, grade, chars = place
    return kind, grade, 0, -len(window.value[chars:].encode())


_JUDGES: dict[int, Callable[[Window], Verdict | None]] = {
    NUMBER: _number,
    EMAIL: _around(pii_network.email),
    DISGUISED: _around(pii_network.disguised),
    IPV4: _plain(pii_network.ipv4),
    IPV6: _plain(pii_network.ipv6),
    SPELLED: _spelled,
    PASSPORT: _passport,
    HOUSEHOLD: _around(pii_addresses.household),
    ROAD: _around(pii_addresses.building),
    APARTMENT: _around(pii_addresses.apartment),
}
