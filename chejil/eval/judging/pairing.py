"""Pairs: two orders make one outcome, outcomes make a win rate.

An answer wins a prompt if it is better in both orders; a verdict that changes with the order, and a tie in one of them,
is a tie. The win rate counts a tie as half. How often the verdict followed the place is said, and how often the first
place was preferred: a judge with much of both tells little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chejil.eval.judging.means import Means, means
from chejil.eval.judging.scoring import Judged


@dataclass(frozen=True)
class PairSummary:
    """Two models over the prompts that were judged in both orders."""

    first: str
    second: str
    wins: int
    ties: int
    losses: int
    flips: int
    first_place_share: float | None
    undecided: int
    win_rate: Means | None


def outcome(forward: str, swapped: str) -> float:
    """Of the first model: 1 won, 0.5 tie, 0 lost; `swapped` is the verdict with the answers exchanged.

    >>> outcome("A", "B"), outcome("A", "A"), outcome("B", "A"), outcome("A", "tie")
    (1.0, 0.5, 0.0, 0.5)
    """
    if (forward, swapped) == ("A", "B"):
        return 1.0
    return 0.0 if (forward, swapped) == ("B", "A") else 0.5


def summaries(judged: Sequence[Judged]) -> list[PairSummary]:
    """Of every pair of models, as they come."""
    found = {(one.question.prompt.id, one.question.models): one for one in judged}
    pairs: list[tuple[str, ...]] = []
    for _, models in found:
        if models not in pairs and models[::-1] not in pairs:
            pairs.append(models)
    return [_summary(models[0], models[1], found) for models in pairs]


def _summary(first: str, second: str, found: Mapping[tuple[str, tuple[str, ...]], Judged]) -> PairSummary:
    prompts = dict.fromkeys(prompt for prompt, models in found if {*models} == {first, second})
    both = [(found.get((one, (first, second))), found.get((one, (second, first)))) for one in prompts]
    decided = [
        (one.question.prompt, one.verdict.better, two.verdict.better)
        for one, two in both
        if one and two and one.verdict and two.verdict and one.verdict.better and two.verdict.better
    ]
    results = [outcome(forward, swapped) for _, forward, swapped in decided]
    places = [better for _, *verdicts in decided for better in verdicts if better != "tie"]
    return PairSummary(
        first, second, results.count(1.0), results.count(0.5), results.count(0.0),
        sum(forward == swapped != "tie" for _, forward, swapped in decided),
        places.count("A") / len(places) if places else None,
        len(both) - len(decided),
        means(results, [one.category for one, *_ in decided], [one.lang for one, *_ in decided]) if decided else None,
    )  # fmt: skip
