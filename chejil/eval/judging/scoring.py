"""Scoring: every answer judged, or every pair of answers in both orders; each request is kept as it comes.

A reply that is no verdict is asked again, with what was wrong, up to `asks` times; then the answer counts as not
judged, is listed with the fault, and goes into no mean. Pairs are judged twice with the answers swapped, and a verdict
that follows the place instead of the answer is a tie (Zheng et al. 2023, section 3.4); how often that is so is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chejil.curation.progress import Progress, Silent
from chejil.eval.judging import asking, cost, rubrics
from chejil.eval.judging.answers import Answer
from chejil.eval.judging.cost import Estimate, Price
from chejil.eval.judging.endpoint import Endpoint
from chejil.eval.judging.prompts import Prompt, PromptSet
from chejil.eval.judging.rubrics import Lang, Rubric
from chejil.eval.judging.transcripts import Transcripts
from chejil.eval.judging.verdicts import UnusableReply, Verdict, verdict


class JudgeSettings(BaseModel):
    """How a judge is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rubric: str = Field("six", description="six, five or pairwise.")
    lang: Lang = Field("en", description="Language of the judge's prompt.")
    asks: int = Field(3, ge=1, description="How often a reply that is no verdict is asked for, in all.")
    temperature: float = Field(0.0, ge=0)
    max_tokens: int = Field(1500, ge=1, description="Of a reply.")
    concurrency: int = Field(8, ge=1, description="Requests at a time.")


@dataclass(frozen=True)
class Question:
    """What is asked of a judge: a prompt, the models whose answers are shown in this order, and the answers."""

    prompt: Prompt
    models: tuple[str, ...]
    answers: tuple[str, ...]

    @property
    def name(self) -> str:
        """Unique in a run."""
        return f"{self.prompt.id}: {' | '.join(self.models)}"


@dataclass(frozen=True)
class Judged:
    """A verdict with what it was asked of; `fault` says why there is none."""

    question: Question
    verdict: Verdict | None
    asks: int
    fault: str | None = None
    prompt_tokens: int = 0
    reply_tokens: int = 0


@dataclass(frozen=True)
class Scoring:
    """A finished run of a judge."""

    judged: tuple[Judged, ...]
    unanswered: Mapping[str, str] = field(default_factory=dict)

    @property
    def unusable(self) -> list[Judged]:
        """Replies that were no verdict to the last."""
        return [one for one in self.judged if one.verdict is None]


AnswersByModel = Mapping[str, Mapping[str, Answer]]


def questions(prompts: PromptSet, answers: AnswersByModel, rubric: str) -> list[Question]:
    """All that is to be asked, in the order of the prompts."""
    found = _pairs if rubric == rubrics.PAIRWISE else _singles
    return [one for prompt in prompts.prompts for one in found(prompt, answers)]


def _singles(prompt: Prompt, answers: AnswersByModel) -> Iterator[Question]:
    for model, mine in answers.items():
        if prompt.id in mine:
            yield Question(prompt, (model,), (mine[prompt.id].answer,))


def _pairs(prompt: Prompt, answers: AnswersByModel) -> Iterator[Question]:
    """Each pair in both orders."""
    for first, second in combinations(answers, 2):
        if prompt.id in answers[first] and prompt.id in answers[second]:
            texts = answers[first][prompt.id].answer, answers[second][prompt.id].answer
            yield Question(prompt, (first, second), texts)
            yield Question(prompt, (second, first), texts[::-1])


class Judge:
    """A model that judges by a rubric."""

    def __init__(self, endpoint: Endpoint, transcripts: Transcripts, settings: JudgeSettings) -> None:
        self.endpoint, self.transcripts, self.settings = endpoint, transcripts, settings
        self.rubric: Rubric = rubrics.rubric(settings.rubric)

    def body(self, question: Question) -> dict[str, Any]:
        """The first request about a question."""
        sent = rubrics.messages(self.rubric, self.settings.lang, question.prompt, question.answers)
        options = {"temperature": self.settings.temperature, "max_tokens": self.settings.max_tokens}
        return self.endpoint.body(sent, options)

    def judge(self, question: Question) -> Judged:
        """A verdict, asked again as often as allowed.

        Raises:
            NoReply: the endpoint gives none.
        """
        body, fault, used = self.body(question), "", [0, 0]
        for asks in range(1, self.settings.asks + 1):
            reply = asking.cached(self.endpoint, self.transcripts, body)
            used[0] += reply.prompt_tokens or 0
            used[1] += reply.reply_tokens or 0
            try:
                return Judged(question, verdict(reply.text, self.rubric), asks, None, *used)
            except UnusableReply as error:
                fault = str(error) + (" (it was cut off)" if reply.finish == "length" else "")
            again = rubrics.again(self.rubric, self.settings.lang, fault)
            talk = [{"role": "assistant", "content": reply.text}, {"role": "user", "content": again}]
            body = {**body, "messages": [*body["messages"], *talk]}
        return Judged(question, None, self.settings.asks, fault, *used)

    def estimate(self, asked: Sequence[Question], price: Price) -> Estimate:
        """What is still to be paid for."""
        bodies = [self.body(one) for one in asked]
        new = [body for body in bodies if self.transcripts.get(body) is None]
        return cost.estimate(new, len(bodies) - len(new), self.rubric.reply_tokens, price)

    def score(self, asked: Sequence[Question], progress: Progress | None = None) -> Scoring:
        """Judge all.

        Raises:
            ChejilError: the endpoint refuses or is down; what came before is kept.
        """
        named = {one.name: one for one in asked}
        found, failed = asking.ask_all(
            "judge", named, self.judge, self.endpoint, self.settings.concurrency, progress or Silent()
        )
        return Scoring(tuple(found.values()), failed)
