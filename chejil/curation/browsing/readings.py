"""A document as `inspect` shows it: text in pieces, where it is from, what was decided of it, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chejil.curation.browsing.reasons import Reason
from chejil.curation.changes.pieces import Piece, after


@dataclass(frozen=True)
class Reading:
    """One document.

    `columns` are its own (source, lang, url …), nulls left out; `kept` is None where nothing was decided; `marks`
    of the run are clusters and the document that stands in; `signals` those that were asked for.
    """

    id: str
    pieces: Sequence[Piece]
    columns: Mapping[str, Any]
    kept: bool | None = None
    reasons: Sequence[Reason] = ()
    marks: Mapping[str, Any] = field(default_factory=dict)
    signals: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """As it stands after the transforms."""
        return after(self.pieces)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: a flat record; `spans` are in characters of the text."""
        verdict: dict[str, Any] = {}
        if self.kept is not None:
            verdict = {
                "kept": self.kept,
                "reasons": [reason.as_dict() for reason in self.reasons],
                **self.marks,
            }
        signals = {"signals": dict(self.signals)} if self.signals else {}
        return {
            "id": self.id, "text": self.text, **self.columns, **verdict, **signals, "spans": list(self._spans())
        }  # fmt: skip

    def _spans(self) -> Iterator[dict[str, Any]]:
        at = 0
        for piece in self.pieces:
            end = at + len(piece.after.decode())
            if piece.marks:
                was = {"before": piece.before.decode()} if piece.changed else {}
                rules = [f"{mark.stage}:{mark.rule}" for mark in piece.marks]
                yield {"start": at, "end": end, "rules": rules, **was}
            at = end
