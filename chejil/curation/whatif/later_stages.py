"""What the deciders behind the filter say when the filter says something else, one after the other as in a run.

Each starts from what the run said and answers for what changed: an answer costs what has changed, so that it can be
asked again for every rule of the filter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from chejil.curation.decontamination.decontaminate import HITS
from chejil.curation.dedup import exact_dedup, near_dedup
from chejil.curation.manifest import Manifest
from chejil.curation.recipe import Recipe
from chejil.curation.whatif.deciders import around_filter
from chejil.curation.whatif.known_rows import KnownRows
from chejil.curation.whatif.leaks_again import LeaksAgain
from chejil.curation.whatif.survivors_again import SurvivorsAgain

_CLUSTERED = ("exact_dedup", "near_dedup")


@dataclass
class LaterStages:
    """The deciders behind the filter; a bit of a known document's answer is one of `reasons`."""

    known: KnownRows
    stages: list[SurvivorsAgain | LeaksAgain]
    bits: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))

    @property
    def reasons(self) -> tuple[str, ...]:
        """All that they may say, in the order of a decision."""
        return tuple(reason for stage in self.stages for reason in stage.reasons)

    def begin(self, passes: np.ndarray) -> np.ndarray:
        """What the run said, (num_known) uint64; `passes`: what its filter keeps of the known documents."""
        alive, bits, first = passes, np.zeros(self.known.num, np.uint64), 0
        for stage in self.stages:
            given = stage.begin(alive)
            bits |= given << np.uint64(first)
            alive, first = alive & (given == 0), first + len(stage.reasons)
        return bits

    def prepare(self, touched: np.ndarray) -> None:
        """Load what is needed to answer for any change of these documents, (num_known) bool."""
        for stage in self.stages:
            touched = stage.prepare(touched)

    def answer(self, passes: np.ndarray, keep: bool = False) -> np.ndarray:
        """What they would say, (num_known) uint64; `keep`: later answers start from this one."""
        alive, bits, first = passes, np.zeros(self.known.num, np.uint64), 0
        for stage in self.stages:
            given = stage.answer(alive, keep)
            bits |= given << np.uint64(first)
            alive, first = alive & (given == 0), first + len(stage.reasons)
        return bits


def known_rows(root: str, content: Manifest, recipe: Recipe) -> KnownRows:
    """The documents that the deciders behind the filter know of."""
    names = [entry["shard"] for entry in content.inputs]
    folders = [
        f"work/{name}/members" if name in _CLUSTERED else f"work/{HITS}" for name in around_filter(recipe)[1]
    ]
    return KnownRows.of(root, names, folders, content.files)


def later_stages(root: str, content: Manifest, recipe: Recipe, known: KnownRows) -> LaterStages:
    """The deciders behind the filter as the run left them."""
    stages: list[SurvivorsAgain | LeaksAgain] = []
    for name in around_filter(recipe)[1]:
        settings = recipe.stage(name)
        if name == "decontaminate":
            stages.append(LeaksAgain.of(root, settings, sorted(content.contamination), known))
        else:
            like = exact_dedup.LIKENESS if name == "exact_dedup" else near_dedup.of_method(settings)[0]
            stages.append(SurvivorsAgain.of(root, name, like, known))
    return LaterStages(known, stages)
