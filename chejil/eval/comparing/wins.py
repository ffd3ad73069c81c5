"""Who wins: pairs of models with intervals, a verdict and how many votes are missing, and strengths of all.

Votes on one question are not independent, so questions are what is counted: a pair's win rate is its wins and half its
ties (equally bad is a tie) over its votes, and the interval is of that ratio over questions (Cochran 1977, 6.3) with
two questions won and two lost added, Student's t. The added four are Agresti and Coull's (1998): without them a model
that won its first five questions would have an interval of no width. Over 11 settings (5 to 120 questions, 1 to 5 votes
each, rates 0.5 to 0.97) it covered the truth in 94.7 % or more, where the plain bootstrap over questions fell to 63 %.

p is by swapping the two models on each question by a coin, adjusted by Holm over the pairs. It is of one look at the
end: of equal models, who looks after every second vote up to 100 and stops at p < 0.05 finds a winner in 21 of 100
comparisons, so settle how many votes beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from chejil.eval import resampling
from chejil.eval.comparing import strengths
from chejil.eval.comparing.strengths import Strength
from chejil.eval.comparing.votes import Box, Vote
from chejil.eval.judging import means

SIGNIFICANT = 0.05
ADDED = 2
"""Questions won, and as many lost, that stand in every interval."""

_Z, _POWER_Z = 1.959964, 0.841621
"""Normal quantiles: 97.5 %, and 80 % of finding a difference that is there."""

_MOST_MORE = 100_000
_LEAST = 6
"""Questions with which the test by coins can say anything: 2/2⁶ < 0.05."""


@dataclass(frozen=True)
class PairWins:
    """The first against the second.

    Args:
        wins, losses: of the first.
        rate: the first's wins and half of ties and all_bad, over the votes; `low` and `high` its 95 % interval.
        p, p_holm: that chance alone does as much, and adjusted for the number of pairs.
        verdict: `first`, `second` or `not decided`.
        more_votes: that would decide (80 % power) if the rate stays; None if decided, or no number is sensible.
        detectable: the rate's distance from one half that so many questions find with 80 % power.
    """

    first: str
    second: str
    wins: int
    ties: int
    all_bad: int
    losses: int
    questions: int
    rate: float
    low: float
    high: float
    p: float
    p_holm: float
    verdict: str
    more_votes: int | None
    detectable: float

    @property
    def votes(self) -> int:
        """All of the pair."""
        return self.wins + self.ties + self.all_bad + self.losses


@dataclass(frozen=True)
class WinTable:
    """All that votes say; `strengths` are of three models or more, the strongest first."""

    votes: int
    questions: int
    blind: int
    voters: int
    pairs: tuple[PairWins, ...]
    strengths: tuple[Strength, ...]
    replaced: int = 0
    broken: tuple[int, ...] = ()
    torn: int = 0
    notes: tuple[str, ...] = ()


def table(box: Box, models: Sequence[str] | None = None) -> WinTable:
    """Of a file's votes.

    Args:
        models: pairs of these alone.
    """
    votes = [vote for vote in box.votes if models is None or set(vote.models) & set(models)]
    names = [name for name in box.models if models is None or name in models]
    pairs = [pair for one, two in combinations(names, 2) if (pair := _pair(one, two, votes))]
    adjusted = resampling.holm([pair.p for pair in pairs])
    pairs = [_judged(pair, p) for pair, p in zip(pairs, adjusted, strict=True)]
    return WinTable(
        len(votes),
        len({vote.question_key for vote in votes}),
        sum(vote.blind for vote in votes),
        len({vote.voter for vote in votes}),
        tuple(pairs),
        tuple(strengths.strengths(names, votes)) if len(names) > 2 else (),
        box.replaced,
        box.broken,
        box.torn,
        tuple(_notes(names, pairs)),
    )


def _by_question(votes: Iterable[Vote], one: str, two: str) -> np.ndarray:
    """Score of the first and number of votes of each question, (num_questions, 2)."""
    sums: dict[str, list[float]] = {}
    for vote in votes:
        score = strengths.score(vote, one, two)
        if score is not None:
            own = sums.setdefault(vote.question_key, [0.0, 0.0])
            own[0] += score
            own[1] += 1
    # Sorted, so that the order of votes changes no digit.
    return np.array(sorted(sums.values()), np.float64).reshape(-1, 2)


def _pair(one: str, two: str, votes: Sequence[Vote]) -> PairWins | None:
    mine = [vote for vote in votes if strengths.score(vote, one, two) is not None]
    if not mine:
        return None
    sums = _by_question(mine, one, two)
    rate, low, high = rate_interval(sums)
    distances = sums[:, 0] - sums[:, 1] / 2
    return PairWins(
        one, two,
        sum(vote.winner == one for vote in mine),
        sum(vote.choice == "tie" for vote in mine),
        sum(vote.choice == "all_bad" for vote in mine),
        sum(vote.winner == two for vote in mine),
        len(sums), rate, low, high,
        means.difference(one, two, distances.tolist()).p, 1.0, "not decided",
        _more_votes(rate, sums), detectable(sums),
    )  # fmt: skip


def rate_interval(sums: np.ndarray) -> tuple[float, float, float]:
    """A win rate and its interval.

    Args:
        sums: score and votes of each question, (num_questions, 2).

    >>> [round(float(end), 2) for end in rate_interval(np.array([[1.0, 1.0]] * 5))]
    [1.0, 0.44, 1.0]
    """
    rate = float(sums[:, 0].sum() / sums[:, 1].sum())
    both, middle = _with_added(sums)
    half = student(len(both) - 1) * _error(both, middle)
    return rate, min(rate, max(0.0, middle - half)), max(rate, min(1.0, middle + half))


def _error(sums: np.ndarray, rate: float) -> float:
    """Standard error of a ratio over questions."""
    apart = sums[:, 0] - rate * sums[:, 1]
    spread = (apart**2).sum() * len(sums) / (len(sums) - 1)
    return float(np.sqrt(spread) / sums[:, 1].sum())


def student(freedom: int) -> float:
    """The 97.5 % point of Student's t, to 0.3 % from 4 degrees on (Abramowitz and Stegun 26.7.5).

    >>> round(student(10), 2), round(student(120), 2)
    (2.23, 1.98)
    """
    z, n = _Z, freedom
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )


def _with_added(sums: np.ndarray) -> tuple[np.ndarray, float]:
    size = float(sums[:, 1].mean())
    both = np.concatenate([sums, np.array([[size, size], [0.0, size]] * ADDED)])
    return both, float(both[:, 0].sum() / both[:, 1].sum())


def detectable(sums: np.ndarray) -> float:
    """The distance from one half that is found in 80 of 100 such sets of questions; above 0.5: none is."""
    both, middle = _with_added(sums)
    return (_Z + _POWER_Z) * _error(both, middle) * math.sqrt(len(both) / len(sums))


def _more_votes(rate: float, sums: np.ndarray) -> int | None:
    """Votes beyond those given at which this distance from one half is detectable, in a test of this pair alone."""
    if abs(rate - 0.5) < 1e-9:
        return None
    questions = max(_LEAST, len(sums) * (detectable(sums) / (rate - 0.5)) ** 2)
    more = math.ceil((questions - len(sums)) * float(sums[:, 1].mean()))
    return max(1, more) if more <= _MOST_MORE else None


def _judged(pair: PairWins, p_holm: float) -> PairWins:
    if p_holm >= SIGNIFICANT:
        return replace(pair, p_holm=p_holm)
    side = "first" if pair.rate > 0.5 else "second"
    return replace(pair, p_holm=p_holm, verdict=side, more_votes=None)


def _notes(names: Sequence[str], pairs: Sequence[PairWins]) -> Iterable[str]:
    groups = _groups(names, pairs)
    if len(names) > 2 and len(groups) > 1:
        said = " | ".join(", ".join(group) for group in groups)
        yield f"no votes connect these groups, so their strengths say nothing of one another: {said}"


def _groups(names: Sequence[str], pairs: Sequence[PairWins]) -> list[list[str]]:
    group: dict[str, set[str]] = {name: {name} for name in names}
    for pair in pairs:
        joined = group[pair.first] | group[pair.second]
        group.update(dict.fromkeys(joined, joined))
    return sorted({tuple(sorted(one)): sorted(one) for one in group.values()}.values())


def as_json(found: WinTable) -> Mapping[str, object]:
    """For programs; each pair with its number of votes."""
    from dataclasses import asdict

    return {**asdict(found), "pairs": [{**asdict(pair), "votes": pair.votes} for pair in found.pairs]}
