"""Explains one document of a run: every signal beside its bounds, every reason, its duplicates, what was changed.

The answer is read from the run's own tables, and the bounds from the recipe that stands in the run's folder; it is
judged a second time, and an answer that is not the one the run gave is an error of the run, not an explanation.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from chejil.curation import manifest, marked_yaml, shards
from chejil.curation.decisions import SCHEMA as DECISIONS
from chejil.curation.documents import QUARANTINE
from chejil.curation.filtering import Filter
from chejil.curation.manifest import Manifest
from chejil.curation.near_dedup import NearDedup
from chejil.curation.normalise import CHANGES
from chejil.curation.recipe import Recipe
from chejil.curation.shingles import shingle_set
from chejil.errors import RunError, did_you_mean
from chejil.filters import bounds
from chejil.filters.catalogue import SIGNALS, Bound

MAX_MATES = 20
_MAX_SPANS = 12
_SPAN_CHARS = 60


@dataclass(frozen=True)
class Measured:
    """One signal of the document. `margin` is the distance to the nearer bound, negative where it fails."""

    signal: str
    value: float | str | None
    unit: str
    low: float | None
    high: float | None
    margin: float | None
    verdict: str


@dataclass(frozen=True)
class Mate:
    """Another document of a cluster; `similarity` is the true Jaccard similarity of the shingle sets."""

    id: str
    cluster: str
    similarity: float
    kept: bool


@dataclass(frozen=True)
class Explanation:
    """Everything that a run knows about a document."""

    decision: Mapping[str, Any]
    signals: list[Measured]
    rules: list[dict[str, Any]]
    mates: list[Mate]
    changes: Mapping[str, int]
    spans: list[tuple[str, str]]
    excerpt: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def explain(root: str, document: str) -> Explanation | list[dict[str, Any]]:
    """Explain a document, or the quarantined record, of that id.

    Returns:
        An explanation; for a record that was quarantined, the rows of the quarantine that it has.

    Raises:
        RunError: no such id (with a near one); two documents have it; or the run's tables do not agree.
    """
    content = manifest.read(root)
    found = list(_find(root, content, document))
    if len(found) > 1:
        places = ", ".join(f"{row['source']}:{row['file']}#{row['line']}" for _, _, row in found[:5])
        raise RunError(
            f"{len(found)} documents have the id '{document}'", where=root, mend=f"name one: {places}"
        )
    if found:
        return _explained(root, content, *found[0])
    quarantined = list(_quarantined(root, content, document))
    if quarantined:
        return quarantined
    raise RunError(f"no document '{document}'", where=root, mend=_near_id(root, content, document))


def _find(root: str, content: Manifest, document: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Shard, row and decision of each document that goes by that name."""
    place = pl.concat_str(["source", pl.lit(":"), "file", pl.lit("#"), pl.col("line").cast(pl.String)])
    for shard in _shards(content):
        rows = _table(root, f"decisions/{shard}", DECISIONS.names).with_row_index("row")
        for row in rows.filter((pl.col("id") == document) | (place == document)).to_dicts():
            yield shard, row.pop("row"), row


def _quarantined(root: str, content: Manifest, document: str) -> Iterator[dict[str, Any]]:
    """A record without an id goes by `source/file#line`, like a document without one."""
    place = pl.concat_str(["source", pl.lit("/"), "file", pl.lit("#"), pl.col("line").cast(pl.String)])
    for shard in _shards(content):
        rows = _table(root, f"quarantine/{shard}", QUARANTINE.names)
        named = place.str.split("/").list.last() == document.split("/")[-1]
        yield from rows.filter(named & (pl.col("source") == document.split("/")[0])).to_dicts()


def _near_id(root: str, content: Manifest, document: str) -> str:
    shard = next((s for s in _shards(content) if s.split("/")[0] == document.split("/")[0]), None)
    if shard is None:
        return did_you_mean(document.split("/")[0], {s.split("/")[0] for s in _shards(content)})
    ids = _table(root, f"decisions/{shard}", ["id"])["id"].head(2000).to_list()
    return did_you_mean(document, difflib.get_close_matches(document, ids, n=3, cutoff=0) or ids[:3])


def _shards(content: Manifest) -> list[str]:
    return [entry["shard"] for entry in content.inputs]


def _table(root: str, path: str, columns: list[str]) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(shards.read_shard(shards.join(root, f"{path}.parquet"), columns)))


def _explained(root: str, content: Manifest, shard: str, row: int, decision: dict[str, Any]) -> Explanation:
    recipe = _recipe(root)
    text = _text(root, shard, row)
    origin = shards.read_shard(shards.join(root, f"origins/{shard}.parquet")).slice(row, 1).to_pylist()[0]
    original = origin["original"]
    measured, rules = _judged(root, shard, row, decision, recipe)
    return Explanation(
        decision=decision,
        signals=measured,
        rules=rules,
        mates=list(_mates(root, content, decision, text, recipe)),
        changes={kind: origin[f"changed_{kind}"] for kind in CHANGES if origin[f"changed_{kind}"]},
        spans=list(changed_spans(original, text)) if original is not None else [],
        excerpt=text[:400],
    )


def _recipe(root: str) -> Recipe:
    files, path = shards.file_system(shards.join(root, "recipe.yaml"))
    return Recipe.model_validate(marked_yaml.read(files.read_text(path, encoding="utf-8"), path).data)


def _text(root: str, shard: str, row: int) -> str:
    start = 0
    for table in shards.row_groups(shards.join(root, f"documents/{shard}.parquet"), ["text"]):
        if row < start + table.num_rows:
            return table["text"][row - start].as_py()
        start += table.num_rows
    raise RunError(
        f"row {row} is missing", where=f"documents/{shard}", mend="chejil verify names what changed"
    )


def _judged(
    root: str, shard: str, row: int, decision: Mapping[str, Any], recipe: Recipe
) -> tuple[list[Measured], list[dict[str, Any]]]:
    """Signals and rules of one document, judged again."""
    if recipe.stage("score") is None:
        return [], []
    values = _table(root, f"signals/{shard}", None).slice(row, 1)  # type: ignore[arg-type]
    settings: Filter | None = recipe.stage("filter")
    if settings is None:
        return [_measured(name, values[name][0], None) for name in values.columns if name in SIGNALS], []
    policy = settings.policy(str(decision["source"]))
    fixed = _table(root, f"documents/{shard}", list(bounds.FIXED_COLUMNS)).drop("id").slice(row, 1)
    judged_row = values.hstack(fixed)
    again = bounds.judge(judged_row, policy)[0].to_list()
    said = [reason for reason in decision["reasons"] if not reason.startswith("duplicate:")]
    if again != said:
        what = f"the run says {said or 'kept'}, its signals and recipe say {again or 'kept'}"
        raise RunError(what, where=str(decision["id"]), mend="chejil verify names what changed")
    limits = policy.languages[decision["lang"] or "unknown"]
    own = {} if isinstance(limits, str) else limits
    measured = [_measured(name, values[name][0], own.get(name)) for name in values.columns if name in SIGNALS]
    rules = [
        {"rule": rule.name, rule.verdict: rule.condition, "passes": f"rule:{rule.name}" not in again}
        for rule in policy.rules
    ]
    return measured, rules


def _measured(name: str, value: Any, bound: Bound | None) -> Measured:
    unit = SIGNALS[name].unit
    if bound is None:
        return Measured(name, value, unit, None, None, None, "")
    if value is None:
        return Measured(name, None, unit, bound.low, bound.high, None, "fails")
    distances = [value - bound.low] if bound.low is not None else []
    distances += [bound.high - value] if bound.high is not None else []
    margin = min(distances, default=None)
    return Measured(
        name, value, unit, bound.low, bound.high, margin, "fails" if (margin or 0) < 0 else "passes"
    )


def _mates(
    root: str, content: Manifest, decision: Mapping[str, Any], text: str, recipe: Recipe
) -> Iterator[Mate]:
    """Documents of the same exact or near cluster, at most MAX_MATES, the survivor first."""
    eojeol = (recipe.stage("near_dedup") or NearDedup()).shingle_eojeol
    own = shingle_set(text, eojeol)
    clusters = {
        kind: decision[f"{kind}_cluster"] for kind in ("exact", "near") if decision[f"{kind}_cluster"]
    }
    left = MAX_MATES
    for shard in _shards(content) if clusters else []:
        rows = _table(
            root, f"decisions/{shard}", ["id", "kept", "file", "line", "exact_cluster", "near_cluster"]
        )
        same = pl.any_horizontal([pl.col(f"{kind}_cluster") == name for kind, name in clusters.items()])
        for mate in rows.with_row_index("row").filter(same).head(left).to_dicts():
            if (mate["id"], mate["file"], mate["line"]) == tuple(decision[k] for k in ("id", "file", "line")):
                continue
            other = shingle_set(_text(root, shard, mate["row"]), eojeol)
            kind = (
                "exact"
                if mate["exact_cluster"] and mate["exact_cluster"] == clusters.get("exact")
                else "near"
            )
            yield Mate(mate["id"], kind, len(own & other) / max(1, len(own | other)), mate["kept"])
            left -= 1


def changed_spans(before: str, after: str) -> Iterator[tuple[str, str]]:
    """The first places at which two texts differ, line by line: what stood there, and what stands there now."""
    old, new = before.split("\n"), after.split("\n")
    given = 0
    for tag, a, b, c, d in difflib.SequenceMatcher(
        None, old[:2000], new[:2000], autojunk=False
    ).get_opcodes():
        if tag != "equal":
            yield "\n".join(old[a:b])[:_SPAN_CHARS], "\n".join(new[c:d])[:_SPAN_CHARS]
            given += 1
        if given == _MAX_SPANS:
            return
