"""Explains one document of a run: every signal beside its bounds, every reason, its duplicates, what was changed.

The answer is read from the run's own tables, and the bounds from the recipe that stands in the run's folder; it is
judged a second time, and an answer that is not the one the run gave is an error of the run, not an explanation.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from chejil.curation import edits, lookup, manifest, shards
from chejil.curation.decontamination.decontaminate import hits_of_row
from chejil.curation.dedup.near_dedup import NearDedup
from chejil.curation.dedup.shingles import shingle_set
from chejil.curation.filtering import Filter
from chejil.curation.manifest import Manifest
from chejil.curation.normalising.normalise import CHANGES
from chejil.curation.reading.documents import QUARANTINE
from chejil.curation.recipe import Recipe
from chejil.errors import RunError
from chejil.filters import bounds
from chejil.filters.catalogue import SIGNALS, Bound
from chejil.filters.rules import FIXED_COLUMNS

MAX_MATES = 20
_OTHER_STAGES = ("duplicate:", "url:", "contaminated:", "emptied:")  # reasons that no signal and no rule gave
_MAX_SPANS = 12
_SPAN_CHARS = 60
_SPAN_BEFORE_CHARS = 20  # of a span, what stands before the first difference


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
    edits: list[Mapping[str, Any]]
    contamination: Sequence[Mapping[str, Any]]
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
    found = lookup.find(root, content, document)
    if found is not None:
        return _explained(root, content, *found)
    quarantined = list(_quarantined(root, content, document))
    if quarantined:
        return quarantined
    raise lookup.absent(root, content, document)


def _quarantined(root: str, content: Manifest, document: str) -> Iterator[dict[str, Any]]:
    """A record has no id: it goes by `source/file#line` or `source:file#line`, as a document may."""
    named = (lookup.place("/") == document) | (lookup.place(":") == document)
    for shard in lookup.shards_of(content):
        yield from lookup.table(root, f"quarantine/{shard}", QUARANTINE.names).filter(named).to_dicts()


def _explained(root: str, content: Manifest, shard: str, row: int, decision: dict[str, Any]) -> Explanation:
    recipe = lookup.recipe_of(root)
    text = lookup.text_of(root, shard, row)
    origin = shards.read_shard(shards.join(root, f"origins/{shard}.parquet")).slice(row, 1).to_pylist()[0]
    original = origin["original"]
    measured, rules = _judged(root, shard, row, decision, recipe)
    return Explanation(
        decision=decision,
        signals=measured,
        rules=rules,
        mates=list(_mates(root, content, decision, (shard, row), recipe)),
        changes={kind: origin[f"changed_{kind}"] for kind in CHANGES if origin[f"changed_{kind}"]},
        spans=list(changed_spans(original, text)) if original is not None else [],
        edits=edits.of_row(root, shard, row, recipe.transforms()),
        contamination=hits_of_row(root, shard, row) if recipe.stage("decontaminate") else [],
        excerpt=text[:400],
    )


def _judged(
    root: str, shard: str, row: int, decision: Mapping[str, Any], recipe: Recipe
) -> tuple[list[Measured], list[dict[str, Any]]]:
    """Signals and rules of one document, judged again."""
    if recipe.stage("score") is None:
        return [], []
    values = lookup.table(root, f"signals/{shard}", None).slice(row, 1)
    settings: Filter | None = recipe.stage("filter")
    if settings is None:
        return [_measured(name, values[name][0], None) for name in values.columns if name in SIGNALS], []
    policy = settings.policy(str(decision["source"]))
    fixed = lookup.table(root, f"documents/{shard}", list(FIXED_COLUMNS)).drop("id").slice(row, 1)
    judged_row = values.hstack(fixed)
    again = bounds.judge(judged_row, policy)[0].to_list()
    said = [reason for reason in decision["reasons"] if not reason.startswith(_OTHER_STAGES)]
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
    root: str, content: Manifest, decision: Mapping[str, Any], place: tuple[str, int], recipe: Recipe
) -> Iterator[Mate]:
    """Documents of the same exact or near cluster, at most MAX_MATES: `duplicate_of`, kept ones, the rest."""
    compared = recipe.stage("near_dedup")
    shingle = (compared or NearDedup()).shingle
    transforms = recipe.transforms(before="near_dedup") if compared else []
    own = shingle_set(lookup.text_of(root, *place, transforms), shingle.size, shingle.unit)
    for mate in _nearest_members(root, content, decision):
        # Exact copies may be spaced otherwise: the same text to the run, though its eojeol differ.
        exact = decision["exact_cluster"] is not None and mate["exact_cluster"] == decision["exact_cluster"]
        similarity = 1.0
        if not exact:
            other = shingle_set(
                lookup.text_of(root, mate["shard"], mate["row"], transforms), shingle.size, shingle.unit
            )
            similarity = len(own & other) / max(1, len(own | other))
        yield Mate(mate["id"], "exact" if exact else "near", similarity, mate["kept"])


def _nearest_members(root: str, content: Manifest, decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Decisions of the document's clusters, its own left out, with shard and row; `duplicate_of` first."""
    kinds = [kind for kind in ("exact_cluster", "near_cluster") if decision[kind]]
    if not kinds:
        return []
    place = ("source", "file", "line")
    same = pl.any_horizontal([pl.col(kind) == decision[kind] for kind in kinds])
    itself = pl.all_horizontal([pl.col(name) == decision[name] for name in place])
    stands_in = pl.col("id").eq_missing(pl.lit(decision["duplicate_of"]))
    columns = ["id", "kept", *place, "exact_cluster", "near_cluster"]
    members = []
    for shard in lookup.shards_of(content):
        rows = lookup.table(root, f"decisions/{shard}", columns).with_row_index("row")
        members.append(rows.filter(same & ~itself).with_columns(shard=pl.lit(shard)))
    order = pl.concat(members).sort(stands_in, "kept", descending=True, maintain_order=True)
    return order.head(MAX_MATES).to_dicts()


def changed_spans(before: str, after: str) -> Iterator[tuple[str, str]]:
    """The first places at which two texts differ: what stood there, and what stands there now.

    One of each block of changed lines, cut to what stands around its first difference.
    """
    old, new = before.split("\n"), after.split("\n")
    given = 0
    for tag, a, b, c, d in difflib.SequenceMatcher(
        None, old[:2000], new[:2000], autojunk=False
    ).get_opcodes():
        if tag != "equal":
            yield _around_difference("\n".join(old[a:b]), "\n".join(new[c:d]))
            given += 1
        if given == _MAX_SPANS:
            return


def _around_difference(was: str, now: str) -> tuple[str, str]:
    """Both texts from shortly before their first difference; … where something is left out.

    >>> _around_difference("가" * 30 + "\\u00a0나", "가" * 30 + " 나")
    ('…가가가가가가가가가가가가가가가가가가가가\\xa0나', '…가가가가가가가가가가가가가가가가가가가가 나')
    """
    pairs = enumerate(zip(was, now, strict=False))
    differs = next((at for at, (a, b) in pairs if a != b), min(len(was), len(now)))
    first = max(0, differs - _SPAN_BEFORE_CHARS)
    return _window(was, first), _window(now, first)


def _window(text: str, first: int) -> str:
    last = first + _SPAN_CHARS
    return ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")
