"""The summary of a judge's run: means by criterion, 0 to 100, differences of models, pairs, what was not judged.

The 0-to-100 score is 100·(mean − 1)/4: 0 is the worst that can be had, 100 the best. KULLM prints scores out of 100 and
another column relative to GPT-4's; how the first is made is not said. `relative` is that second column: a model's score
by that of a reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import xxhash

from chejil.eval.judging import pairing
from chejil.eval.judging.means import Mean, Means, PairedDifference, difference, means
from chejil.eval.judging.pairing import PairSummary
from chejil.eval.judging.rubrics import Rubric
from chejil.eval.judging.scoring import Judged, Scoring

OVERALL = "overall"


@dataclass(frozen=True)
class ModelSummary:
    """A model's means by criterion; `overall` is the rubric's own, or the mean of all criteria of an answer."""

    model: str
    answers: int
    criteria: Mapping[str, Means]
    overall: Means
    score_100: Mean
    score_100_balanced: Mean
    relative: float | None = None


@dataclass(frozen=True)
class Summary:
    """What a judge found; `about` says by whom and how."""

    about: Mapping[str, Any]
    models: tuple[ModelSummary, ...]
    differences: tuple[PairedDifference, ...]
    pairs: tuple[PairSummary, ...]
    not_judged: Mapping[str, str] = field(default_factory=dict)
    asked_again: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0


def summary(scoring: Scoring, rubric: Rubric, about: Mapping[str, Any], reference: str | None) -> Summary:
    """Of a run.

    Args:
        reference: the model whose score is 100 in `relative`.
    """
    used = [one for one in scoring.judged if one.verdict]
    faults = {one.question.name: f"no verdict: {one.fault}" for one in scoring.unusable}
    models = _models(used, rubric, reference) if rubric.criteria else ()
    return Summary(
        about,
        models,
        tuple(_differences(used, rubric)) if rubric.criteria else (),
        tuple(pairing.summaries(scoring.judged)) if not rubric.criteria else (),
        {**faults, **scoring.unanswered},
        sum(one.asks > 1 for one in scoring.judged),
        sum(one.prompt_tokens for one in scoring.judged),
        sum(one.reply_tokens for one in scoring.judged),
    )


def overall(one: Judged, rubric: Rubric) -> float:
    """One number of an answer."""
    assert one.verdict
    scores = one.verdict.scores
    return float(scores[rubric.overall]) if rubric.overall else sum(scores.values()) / len(scores)


def _models(used: Sequence[Judged], rubric: Rubric, reference: str | None) -> tuple[ModelSummary, ...]:
    by_model: dict[str, list[Judged]] = {}
    for one in used:
        by_model.setdefault(one.question.models[0], []).append(one)
    found = [_model(model, mine, rubric) for model, mine in by_model.items()]
    top = next((one.score_100.value for one in found if one.model == reference), None)
    if not top:
        return tuple(found)
    return tuple(ModelSummary(**{**vars(one), "relative": 100 * one.score_100.value / top}) for one in found)


def _model(model: str, mine: Sequence[Judged], rubric: Rubric) -> ModelSummary:
    categories = [one.question.prompt.category for one in mine]
    langs = [one.question.prompt.lang for one in mine]
    criteria = {
        name: means([one.verdict.scores[name] for one in mine if one.verdict], categories, langs)
        for name in rubric.criteria
    }
    whole = means([overall(one, rubric) for one in mine], categories, langs)
    plain, balanced = (mean.scaled(rubric.low, rubric.high) for mean in (whole.plain, whole.balanced))
    return ModelSummary(model, len(mine), criteria, whole, plain, balanced)


def _differences(used: Sequence[Judged], rubric: Rubric) -> list[PairedDifference]:
    by_model: dict[str, dict[str, float]] = {}
    for one in used:
        by_model.setdefault(one.question.models[0], {})[one.question.prompt.id] = overall(one, rubric)
    found = []
    for first, second in combinations(by_model, 2):
        both = sorted(by_model[first].keys() & by_model[second].keys())
        if both:
            values = [by_model[second][prompt] - by_model[first][prompt] for prompt in both]
            found.append(difference(first, second, values))
    return found


def row(one: Judged) -> dict[str, Any]:
    """A line of scores.jsonl."""
    question, verdict = one.question, one.verdict
    return {
        "prompt": question.prompt.id,
        "category": question.prompt.category,
        "lang": question.prompt.lang,
        "models": list(question.models),
        "answers_hash": xxhash.xxh3_64_hexdigest("\0".join(question.answers).encode()),
        "scores": dict(verdict.scores) if verdict else {},
        "better": verdict.better if verdict else None,
        "explanations": dict(verdict.explanations) if verdict else {},
        "asks": one.asks,
        "fault": one.fault,
    }


def as_json(found: Summary) -> dict[str, Any]:
    """For summary.json."""
    return asdict(found)
