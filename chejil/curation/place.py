"""Where a stage stands in its recipe: what stands before it, and what decides its output beside its settings."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata, resources
from typing import Any

import xxhash

TRANSFORMING = ("strip_boilerplate", "line_dedup", "substring_dedup", "mask_pii")
"""Stages that change text, as edits beside the documents."""

MAKING_TEXT = ("normalise", *TRANSFORMING, "decontaminate")
"""Stages whose settings decide what text a later one reads."""

EDITS = "edits"
"""Folder, and the setting that names the transforms whose edits a stage applies."""


@dataclass(frozen=True)
class Place:
    """What a recipe tells a stage about the rest of it.

    Args:
        data: folder or URL that relative paths start from.
        shards: names of all shards, sorted.
        transforms: stages before this one that change text, in order.
        deciders: stages before this one that drop documents, in order.
        scored: signals are measured in this run.
    """

    data: str
    shards: tuple[str, ...]
    transforms: tuple[str, ...]
    deciders: tuple[str, ...]
    scored: bool
    text: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `normalise` and of the transforms before this stage."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Stages that a stage reads whose text has the edits made before it: documents, and those edits."""
        return ("documents", *(f"{EDITS}/{name}" for name in self.transforms))

    @property
    def edited(self) -> dict[str, list[str]]:
        """The setting that names those edits; none where there are none."""
        return {EDITS: list(self.transforms)} if self.transforms else {}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Stages that decided before this one, as stages to read."""
        return tuple(map(verdicts_of, self.deciders))

    def for_every_shard(self, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Settings that are in no key, such as where a file lies whose content is."""
        return dict.fromkeys(self.shards, settings)


def verdicts_of(name: str) -> str:
    """The stage that writes what a deciding entry of a recipe says."""
    return f"{name}/verdicts"


def made_with(*packages: str) -> dict[str, str]:
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
