"""A round: a question, the models' answers in the order shown, and what was voted.

In a blind round models are letters in an order that is shuffled by seed, question and voter: the same after a refresh,
another for another voter, so that no place is favoured over many votes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import xxhash

from chejil.eval.chatting.speaker import Messages, Sampling, Spoken
from chejil.eval.comparing.asking import Event, Failed
from chejil.eval.comparing.votes import Choice, Vote, hash_of
from chejil.eval.judging.prompts import Prompt, PromptSet

STOPPED = "stopped"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass
class Answer:
    """What a model has said so far; `end` is None while it speaks, or where it was stopped."""

    text: str = ""
    end: Spoken | Failed | None = None

    @property
    def is_whole(self) -> bool:
        """It may be voted on."""
        return isinstance(self.end, Spoken)


@dataclass
class Round:
    """One question; `answers`, `histories` by model as given, `order` says which stands where.

    Args:
        turn: 1 for the first question of a conversation.
        histories: what each model was told and said before, without the question.
    """

    question_id: str
    question: str
    models: tuple[str, ...]
    order: tuple[int, ...]
    blind: bool
    sampling: Sampling
    voter: str | None = None
    turn: int = 1
    histories: tuple[Messages, ...] = ()
    answers: list[Answer] = field(default_factory=list)
    vote: Vote | None = None

    def __post_init__(self) -> None:
        self.answers = self.answers or [Answer() for _ in self.models]
        self.histories = self.histories or tuple([] for _ in self.models)

    @property
    def is_over(self) -> bool:
        """Every model has ended."""
        return all(answer.end is not None for answer in self.answers)

    @property
    def hides_names(self) -> bool:
        """Blind, and not voted yet."""
        return self.blind and self.vote is None

    @property
    def voted_on(self) -> tuple[int, ...]:
        """Numbers of models with a whole answer, in the order shown."""
        return tuple(number for number in self.order if self.answers[number].is_whole)

    @property
    def hides_faults(self) -> bool:
        """An error names its model, so it waits for the vote where there will be one."""
        return self.hides_names and (self.can_vote or not self.is_over)

    @property
    def can_vote(self) -> bool:
        """All have ended, two have answered, and nobody has voted."""
        return self.is_over and len(self.voted_on) > 1 and self.vote is None

    def label(self, number: int) -> str:
        """What a model is called: a letter as long as names are hidden."""
        return LETTERS[self.order.index(number)] if self.hides_names else self.models[number]

    def messages(self) -> list[Messages]:
        """What each model is asked."""
        return [[*history, {"role": "user", "content": self.question}] for history in self.histories]

    def take(self, event: Event) -> None:
        """Add a piece, or the end, to an answer."""
        answer = self.answers[event.model]
        if isinstance(event.piece, str):
            answer.text += event.piece
            return
        answer.end = event.piece
        if isinstance(event.piece, Spoken):
            answer.text = event.piece.text

    def voted(self, choice: Choice, winner: int | None = None) -> Vote:
        """The vote for the model with this number, or for none."""
        shown = self.voted_on
        self.vote = Vote(
            question_id=self.question_id,
            question=self.question,
            turn=self.turn,
            models=tuple(self.models[number] for number in shown),
            failed=tuple(self.models[number] for number in self.order if number not in shown),
            blind=self.blind,
            choice=choice,
            winner=None if winner is None else self.models[winner],
            answers=tuple(hash_of(self.answers[number].text) for number in shown),
            sampling=self.sampling,
            voter=self.voter,
        )
        return self.vote

    def stop(self) -> None:
        """Whoever has not ended will not: its listener has gone."""
        for answer in self.answers:
            answer.end = answer.end or Failed(STOPPED)

    def followed(self, question: str) -> Round:
        """The next turn: each model goes on from its own answer, or from before it where it has none.

        It is blind as long as the names are hidden; once they were shown, a shuffle would hide nothing.
        """
        said = tuple(
            [*asked, {"role": "assistant", "content": answer.text}] if answer.is_whole else before
            for asked, before, answer in zip(self.messages(), self.histories, self.answers, strict=True)
        )
        return Round(
            self.question_id.split("/")[0] + f"/{self.turn + 1}", question, self.models, self.order,
            self.hides_names, self.sampling, self.voter, self.turn + 1, said,
        )  # fmt: skip


def begun(
    prompt: Prompt | str,
    models: Sequence[str],
    blind: bool,
    seed: int,
    sampling: Sampling,
    voter: str | None = None,
) -> Round:
    """A round of a prompt, or of somebody's own question."""
    question = prompt if isinstance(prompt, str) else prompt.question
    name = f"own-{hash_of(question)}" if isinstance(prompt, str) else prompt.id
    order = list(range(len(models)))
    if blind:
        words = f"{seed}\0{question}\0{voter or ''}".encode()
        random.Random(xxhash.xxh3_64_intdigest(words)).shuffle(order)
    return Round(name, question, tuple(models), tuple(order), blind, sampling, voter)


def left(prompts: PromptSet, voted: set[str]) -> Iterator[Prompt]:
    """Prompts that are not voted on yet."""
    return (prompt for prompt in prompts.prompts if hash_of(prompt.question) not in voted)
