"""Strengths of three models or more from votes on some of them at a time.

Bradley and Terry (1952): the first beats the second with the odds of their strengths. Shown on Elo's scale, where 400
points are odds of 10 to 1, around a mean of 0. Fitted by Hunter's MM (2004), of all resamples at once; each model also
wins and loses half a vote against one of strength 1, so that who wins all is not infinitely strong. Intervals are by
bootstrap over questions. A vote for one of three models is a win over both others and says nothing of these two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xxhash

from chejil.eval.comparing.votes import Vote

SAMPLES = 1000
_ROUNDS = 200
_ELO = 400 / math.log(10)


@dataclass(frozen=True)
class Strength:
    """Points of Elo around 0, with the ends of the 95 % interval by bootstrap over questions."""

    model: str
    votes: int
    points: float
    low: float
    high: float


def score(vote: Vote, one: str, two: str) -> float | None:
    """What a vote says of a pair: 1 the first won, 0 the second, 0.5 neither; None: nothing, a third model won."""
    if one not in vote.models or two not in vote.models or vote.winner not in (None, one, two):
        return None
    return 0.5 if vote.winner is None else float(vote.winner == one)


def strengths(names: Sequence[str], votes: Sequence[Vote]) -> list[Strength]:
    """Bradley-Terry strengths, the strongest first."""
    by_question = _won(names, votes)
    weights = _resamples(len(by_question))
    won = np.concatenate([np.ones((1, len(by_question))), weights])
    flat = won @ by_question.reshape(len(by_question), -1)
    points = _fit(flat.reshape(-1, len(names), len(names)))
    low, high = np.quantile(points[1:], (0.025, 0.975), axis=0)
    shown = [sum(name in vote.models for vote in votes) for name in names]
    found = [
        Strength(name, shown[place], *map(float, (points[0, place], low[place], high[place])))
        for place, name in enumerate(names)
    ]
    return sorted(found, key=lambda one: (-one.points, one.model))


def _won(names: Sequence[str], votes: Sequence[Vote]) -> np.ndarray:
    """Votes of the row's model over the column's by question, (num_questions, num_models, num_models)."""
    keys = sorted({vote.question_key for vote in votes})
    place = {key: number for number, key in enumerate(keys)}
    won = np.zeros((len(keys), len(names), len(names)))
    for vote in votes:
        for (i, one), (j, two) in combinations(enumerate(names), 2):
            mine = score(vote, one, two)
            if mine is not None:
                won[place[vote.question_key], i, j] += mine
                won[place[vote.question_key], j, i] += 1 - mine
    return won[np.lexsort(won.reshape(len(keys), -1).T)]


def _resamples(questions: int) -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64(xxhash.xxh3_64_intdigest(b"strengths")))
    return rng.multinomial(questions, np.full(questions, 1 / questions), SAMPLES).astype(np.float64)


def _fit(won: np.ndarray) -> np.ndarray:
    """Points by sample, (num_samples, num_models), of votes won, (num_samples, num_models, num_models)."""
    games = won + won.transpose(0, 2, 1)
    total = won.sum(axis=2) + 0.5
    strength = np.ones(total.shape)
    for _ in range(_ROUNDS):
        against = strength[:, :, None] + strength[:, None, :]
        # Half a vote won and half a vote lost against a model of strength 1.
        strength = total / ((games / against).sum(axis=2) + 1 / (strength + 1))
    logs = np.log(strength)
    return _ELO * (logs - logs.mean(axis=1, keepdims=True))
