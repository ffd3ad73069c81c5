"""From a recipe to the stages of its run, in order, each with what it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from chejil.curation import decisions, filtering, ingest, masking, scoring, stripping, writing
from chejil.curation.decontamination import decontaminate
from chejil.curation.dedup import exact_dedup, line_dedup, near_dedup, substring_dedup
from chejil.curation.place import Place
from chejil.curation.reading import sources
from chejil.curation.reading.sources import InputFile
from chejil.curation.recipe import Recipe
from chejil.curation.reporting import summaries
from chejil.curation.stage import Stage

STAGES: Mapping[str, Callable[[Any, Place], list[Stage]]] = MappingProxyType(
    {
        "normalise": lambda *_: [],  # part of reading
        "strip_boilerplate": stripping.stages,
        "score": scoring.stages,
        "filter": filtering.stages,
        "exact_dedup": exact_dedup.stages,
        "near_dedup": near_dedup.stages,
        "decontaminate": decontaminate.stages,
        "line_dedup": line_dedup.stages,
        "substring_dedup": substring_dedup.stages,
        "mask_pii": masking.stages,
        "write": lambda settings, place: [decisions.stage(place), *writing.stages(settings, place)],
    }
)
"""The stages of a run that each entry of a recipe stands for."""


@dataclass(frozen=True)
class Plan:
    """Input files by shard (`source/name`, sorted), and the stages."""

    inputs: Mapping[str, tuple[InputFile, ...]]
    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage:
        """The stage of that name."""
        return next(stage for stage in self.stages if stage.name == name)


def plan(recipe: Recipe) -> Plan:
    """The stages of a recipe; the files are looked for now.

    Raises:
        SourceError: a source's paths match nothing.
    """
    inputs = {
        f"{name}/{shard}": files
        for name, source in recipe.sources.items()
        for shard, files in sources.shards_of(source, sources.expand(source, recipe.data)).items()
    }
    inputs = dict(sorted(inputs.items()))
    stages = [ingest.stage(recipe.sources, recipe.stage("normalise"), inputs)]
    for entry in recipe.stages:
        stages += STAGES[entry.name](entry.settings, recipe.place(entry.name, tuple(inputs)))
    score = recipe.stage("score")
    scored = score.names if score is not None else ()
    stages += summaries.stages(recipe.stage("filter"), scored, recipe.transforms(), recipe.data)
    return Plan(inputs, tuple(stages))
