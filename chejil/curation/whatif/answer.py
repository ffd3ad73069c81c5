"""The answer as plain values: what JSON prints and the tables show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from chejil.curation.whatif.counting import Funnels
from chejil.curation.whatif.judging import distance
from chejil.curation.whatif.question import Question
from chejil.curation.whatif.sampling import Sample, bound_of
from chejil.curation.whatif.totals import Counts, funnel_rows
from chejil.filters.catalogue import LANGUAGES, SIGNALS

TOKENS = (
    "tokens are not counted: no tokenizer stands under score.models of the recipe; bytes are those of the "
    "normalised text"
)
SCRATCH = "a stage behind the filter cuts text, so it was done again: what each rule alone keeps is not told"


@dataclass(frozen=True)
class Answer:
    """What other bounds would do.

    Args:
        changes: bounds, rules and lists that differ: `what`, `before`, `after`.
        groups: by source and language: documents, bytes and (where the run counted them) tokens, kept before and after,
            newly kept and newly dropped.
        funnel_before, funnel_after: as a manifest has them.
        risen, fallen: newly kept by first reason before, newly dropped by first reason after, by source and language.
        rules: by language and reason of the filter asked about: documents and bytes that fail, that only this rule of
            the filter drops, that would be kept more without it (survivors chosen again), and the near misses.
        overlap: `reasons`, and `documents` that fail for both of two.
    """

    run: str
    name: str
    changes: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    funnel_before: list[dict[str, Any]]
    funnel_after: list[dict[str, Any]]
    risen: list[dict[str, Any]]
    fallen: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    overlap: dict[str, Any]
    samples: list[Sample]
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "total": self.total}

    @property
    def total(self) -> dict[str, int]:
        """The groups added up."""
        keys = [key for key in _GROUP if self.has_tokens or not key.startswith("tokens")]
        return {key: sum(row[key] for row in self.groups) for key in keys}

    @property
    def has_tokens(self) -> bool:
        """Whether the run has counted tokens."""
        return any("tokens" in row for row in self.groups)


_GROUP = (
    "documents", "bytes", "tokens", "kept_before", "bytes_before", "tokens_before", "kept_after", "bytes_after",
    "tokens_after", "newly_kept", "bytes_newly_kept", "tokens_newly_kept", "newly_dropped", "bytes_newly_dropped",
    "tokens_newly_dropped",
)  # fmt: skip


def answered(question: Question, counts: Counts, samples: list[Sample]) -> Answer:
    """Everything that was counted, with names."""
    tokens = question.has_tokens
    before, after = ((*judge.reasons, *question.late) for judge in (question.before, question.after))
    return Answer(
        run=question.root,
        name=question.wanted.name,
        changes=list(changed_bounds(question)),
        groups=list(_groups(counts.funnels, tokens)),
        funnel_before=funnel_rows(counts.funnels, before, "before", tokens),
        funnel_after=funnel_rows(counts.funnels, after, "after", tokens),
        risen=funnel_rows(counts.funnels, before, "risen", tokens),
        fallen=funnel_rows(counts.funnels, after, "fallen", tokens),
        rules=list(_rules(question, counts)),
        overlap=_overlap(question, counts),
        samples=samples,
        notes=[*([] if tokens else [TOKENS]), *([SCRATCH] if counts.lifted is None else [])],
    )


def changed_bounds(question: Question) -> Iterator[dict[str, Any]]:
    """Bounds of any source, rules and lists that differ between the two filters."""
    seen = set()
    for source, policy in question.after.policies.items():
        was = question.before.policies[source]
        for lang in LANGUAGES:
            one, other = was.languages.get(lang, {}), policy.languages.get(lang, {})
            own = lang in question.own.stage("filter").by_source.get(source, {})
            own |= lang in question.wanted.stage("filter").by_source.get(source, {})
            path = f"by_source.{source}.{lang}" if own else f"bounds.{lang}"
            for what, before, after in _differing(one, other):
                row = (path + what, before, after)
                if row not in seen:
                    seen.add(row)
                    yield dict(zip(("what", "before", "after"), row, strict=True))
    one, other = (
        {
            f"rules.{name}": rule.model_dump(exclude_none=True)
            for name, rule in r.stage("filter").rules.items()
        }
        for r in (question.own, question.wanted)
    )
    one |= {f"blocklists.{name}": content for name, (_, content) in (question.before.lists or {}).items()}
    other |= {f"blocklists.{name}": content for name, (_, content) in (question.after.lists or {}).items()}
    for name in {**one, **other}:
        if one.get(name) != other.get(name):
            yield {"what": name, "before": _text(one.get(name)), "after": _text(other.get(name))}


def _differing(one: Any, other: Any) -> Iterator[tuple[str, str | None, str | None]]:
    if isinstance(one, str) or isinstance(other, str):
        if one != other:
            before, after = (value if isinstance(value, str) else "bounds" for value in (one, other))
            yield "", before, after
        return
    for name in SIGNALS:
        if one.get(name) != other.get(name):
            yield f".{name}", _text(one.get(name)), _text(other.get(name))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _groups(funnels: Mapping[str, Funnels], tokens: bool) -> Iterator[dict[str, Any]]:
    for source, table in sorted(funnels.items()):
        for code in np.flatnonzero(table.before[:, :, 0].sum(axis=1)):
            cells = [
                table.before[code].sum(axis=0), table.before[code, -1], table.after[code, -1],
                table.risen[code].sum(axis=0), table.fallen[code].sum(axis=0),
            ]  # fmt: skip
            numbers = [number for cell in cells for number in cell.tolist()]
            sizes = dict(zip(_GROUP, numbers, strict=True))
            known = {key: size for key, size in sizes.items() if tokens or not key.startswith("tokens")}
            yield {"source": source, "lang": LANGUAGES[code], **known}


def _rules(question: Question, counts: Counts) -> Iterator[dict[str, Any]]:
    judge, effects = question.after, counts.effects
    for bit, reason in enumerate(judge.reasons):
        if bit < len(judge.early):
            continue
        for code, lang in enumerate(LANGUAGES):
            near, bounds = effects.near[code, bit], _bounds(judge, lang, reason)
            if effects.fails[code, bit, 0] or bounds:
                yield {
                    "reason": reason,
                    "lang": lang,
                    "bounds": bounds,
                    **_pair("fails", effects.fails[code, bit]),
                    **_pair("only", effects.only[code, bit]),
                    **_kept_without(counts, code, bit),
                    "near_dropped": int(near[0]),
                    "near_kept": int(near[1]),
                }


def _pair(name: str, cell: Any) -> dict[str, Any]:
    return {name: int(cell[0]), f"{name}_bytes": int(cell[1])}


def _kept_without(counts: Counts, code: int, bit: int) -> dict[str, Any]:
    if counts.lifted is None:
        return {"kept_without": None, "kept_without_bytes": None}
    more = counts.lifted.get((code, bit), (0, 0))
    return _pair("kept_without", counts.effects.lifted[code, bit] + np.array(more))


def _bounds(judge: Any, lang: str, reason: str) -> list[dict[str, float]]:
    """The edges that a reason means, with how far is near; several if sources have their own."""
    signal, _, side = reason.partition(":")
    if signal not in SIGNALS:
        return []
    edges = set()
    for source in judge.sources:
        bound = bound_of(judge, source, lang, signal)
        if bound is not None and getattr(bound, side, None) is not None:
            edges.add(float(getattr(bound, side)))
    return [{"bound": edge, "near": float(distance(signal, np.array([edge]))[0])} for edge in sorted(edges)]


def _overlap(question: Question, counts: Counts) -> dict[str, Any]:
    """Only reasons that hold for any document."""
    held = np.flatnonzero(counts.effects.overlap.diagonal())
    matrix = counts.effects.overlap[np.ix_(held, held)].tolist()
    return {"reasons": [question.after.reasons[bit] for bit in held], "documents": matrix}
