"""What became of conversations, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class FileCounts:
    """One file; `failed` says why it could not be read, `is_torn` that it could not be read to its end."""

    file: str
    source: str
    read: int = 0
    kept: int = 0
    dropped: int = 0
    quarantined: int = 0
    is_torn: bool = False
    failed: str | None = None


@dataclass(slots=True)
class Curated:
    """What became of the conversations.

    Args:
        read: conversations, and records (or parts of them) that are none: kept + dropped + quarantined.
        left_out: messages of trees that are on no chosen path; not in `read`.
        dropped: conversations by the run's first reason.
        quarantined: by reason, of reading and of what the edits emptied.
        not_compared: evaluation sets of the recipe for which no folder was named.
        units_done: what was done this time; 0 if everything was done before.
    """

    out: str
    recipe: str
    records: int = 0
    read: int = 0
    kept: int = 0
    left_out: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    edited: dict[str, Any] = field(default_factory=dict)
    contamination: dict[str, Any] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)
    files: list[FileCounts] = field(default_factory=list)
    units_done: int = 0

    @property
    def is_incomplete(self) -> bool:
        """Whether a file could not be read, or not to its end."""
        return any(file.failed or file.is_torn for file in self.files)
