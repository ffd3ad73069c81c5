"""All that was counted of a run, and its funnels in the form of a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chejil.curation.decisions import added_up
from chejil.curation.whatif.counting import Effects, Funnels, Rows
from chejil.curation.whatif.known_rows import KnownRows
from chejil.curation.whatif.parts import Sampled
from chejil.filters.catalogue import LANGUAGES

SIZES = ("documents", "bytes", "tokens")
"""What a cell of a funnel holds."""

Lifted = dict[tuple[int, int], tuple[int, int]]
"""Documents and bytes that would be kept more without a rule, by language and reason; may be negative."""


@dataclass
class Counts:
    """All that was counted; `deferred` by shard, with what later deciders say; `lifted` of those alone."""

    funnels: dict[str, Funnels]
    effects: Effects
    sampled: Sampled
    known: KnownRows
    deferred: dict[str, Rows] = field(default_factory=dict)
    lifted: Lifted | None = None


def funnel_rows(
    funnels: Mapping[str, Funnels], reasons: Sequence[str], name: str = "after", tokens: bool = False
) -> list[dict[str, Any]]:
    """A funnel as a manifest has it: documents and bytes by source, language and first reason (null: kept).

    Args:
        tokens: say those, too.
    """
    rows = []
    names = [*reasons, None]
    for source, table in funnels.items():
        cells = getattr(table, name)
        for code, bit in np.argwhere(cells[:, :, 0]):
            key = {"source": source, "lang": lang_of(int(code)), "reason": names[bit]}
            sizes = zip(SIZES[: 3 if tokens else 2], cells[code, bit].tolist(), strict=False)
            rows.append({**key, **dict(sizes)})
    return added_up(rows)


def lang_of(code: int) -> str | None:
    """A language as decisions have it: null where it is unknown."""
    return None if LANGUAGES[code] == "unknown" else LANGUAGES[code]
