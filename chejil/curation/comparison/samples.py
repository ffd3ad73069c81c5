"""Samples of what changed between two runs: verdicts with the value or the bound that moved, texts with their spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chejil.curation.browsing.readings import Reading
from chejil.curation.browsing.reasons import Reason, number, signals_of
from chejil.curation.browsing.run_documents import RunDocuments
from chejil.curation.changes.pieces import Piece, before
from chejil.curation.comparison.paired_documents import Side
from chejil.curation.explain import changed_spans

EXCERPT_CHARS = 160


@dataclass(frozen=True)
class Place:
    """A document of which something changed, and where it stands in the two runs (None: nowhere)."""

    id: str
    hash: int
    change: str
    reason: str | None
    shard_one: str | None
    row_one: int | None
    shard_other: str | None
    row_other: int | None


class Samples:
    """Reads documents out of two runs."""

    def __init__(self, one: Side, other: Side) -> None:
        self._runs = [RunDocuments(side.root) for side in (one, other)]

    def read(self, places: Sequence[Place]) -> list[dict[str, Any]]:
        """What became of each document, in the order given."""
        return [self._sample(place) for place in places]

    def _sample(self, place: Place) -> dict[str, Any]:
        where = [(place.shard_one, place.row_one), (place.shard_other, place.row_other)]
        first = [self._reading(run, *at) for run, at in zip(self._runs, where, strict=True)]
        names = {reason.reason for reading in first if reading for reason in reading.reasons}
        shown = sorted(signals_of(names))
        one, other = (self._reading(run, *at, shown) for run, at in zip(self._runs, where, strict=True))
        either = other or one
        assert either is not None
        sample = {
            "id": place.id,
            "change": place.change,
            "reason": place.reason,
            "source": either.columns["source"],
            "lang": either.columns.get("lang"),
            "one": _verdict(one),
            "other": _verdict(other),
            "excerpt": either.text[:EXCERPT_CHARS],
        }
        if one and other:
            sample["why"] = list(self._why(one, other))
            sample["spans"] = list(_spans(one, other)) if place.change == "text" else []
        return sample

    @staticmethod
    def _reading(
        run: RunDocuments, shard: str | None, row: int | None, shown: Sequence[str] = ()
    ) -> Reading | None:
        if shard is None or row is None:
            return None
        known = [name for name in shown if name in run.columns]
        return next(run.readings(shard, np.array([row]), known))

    def _why(self, one: Reading, other: Reading) -> Iterator[str]:
        """Each reason that one side alone has, with what moved: the value, the bound, the rule."""
        names = [[reason.reason for reason in reading.reasons] for reading in (one, other)]
        for reading, others in ((one, names[1]), (other, names[0])):
            for reason in reading.reasons:
                if reason.reason not in others:
                    yield self._moved(reason, one, other)
        stands = [reading.marks.get("duplicate_of") for reading in (one, other)]
        if stands[0] != stands[1]:
            yield f"duplicate_of {stands[0] or 'none'} → {stands[1] or 'none'}"

    def _moved(self, reason: Reason, one: Reading, other: Reading) -> str:
        signal, _, side = reason.reason.partition(":")
        values = [reading.signals.get(signal) for reading in (one, other)]
        if not signals_of([reason.reason]) or side not in ("low", "high"):
            return str(reason)
        bounds = []
        for run, reading in zip(self._runs, (one, other), strict=True):
            bound = run.reasons.bound(reading.columns["source"], reading.columns.get("lang"), signal)
            bounds.append(getattr(bound, side) if bound is not None else None)
        return f"{signal} {_arrow(values, 'undefined')}: {side} {_arrow(bounds, 'open')}"


def _arrow(pair: Sequence[Any], absent: str) -> str:
    one, other = (absent if value is None else number(value) for value in pair)
    return one if one == other else f"{one} → {other}"


def _verdict(reading: Reading | None) -> dict[str, Any] | None:
    if reading is None:
        return None
    return {
        "kept": reading.kept,
        "reasons": [reason.as_dict() for reason in reading.reasons],
        **reading.marks,
    }


def _spans(one: Reading, other: Reading) -> Iterator[dict[str, Any]]:
    """Where normalising gave another text, and the edits that one run alone has made."""
    bases = [before(reading.pieces) for reading in (one, other)]
    if bases[0] != bases[1]:
        for was, now in changed_spans(*bases):
            yield {"in": "both", "rules": ["normalise"], "before": was, "after": now}
    edits = [Counter(map(_edit, _edits(reading))) for reading in (one, other)]
    for name, own, rest in (("one", edits[0], edits[1]), ("other", edits[1], edits[0])):
        for rules, was, now in own - rest:
            yield {"in": name, "rules": list(rules), "before": was, "after": now}


def _edits(reading: Reading) -> list[Piece]:
    return [piece for piece in reading.pieces if piece.changed]


def _edit(piece: Piece) -> tuple[tuple[str, ...], str, str]:
    return (
        tuple(f"{mark.stage}:{mark.rule}" for mark in piece.marks),
        piece.before.decode(),
        piece.after.decode(),
    )


def own_spans(reading: Reading) -> list[dict[str, Any]]:
    """What a run's own transforms have changed in a document."""
    return [
        {"in": "run", "rules": list(rules), "before": was, "after": now}
        for rules, was, now in map(_edit, _edits(reading))
    ]
