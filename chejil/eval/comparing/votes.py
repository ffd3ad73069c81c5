"""Votes: a JSON line each, in a file that several pages and people append to.

A line is written under the system's lock of the file and synced before a vote counts as given. A last line without its
end is what a crash leaves: the next vote moves it to `NAME.torn`, so that two lines never run into one, and every
reading counts it. Lines that are no votes are counted with their numbers, and left where they are.

A vote names the models that were shown, in their order, and holds hashes of their answers. Who votes again on the same
answers changes his mind: the later vote counts. Voters without a name cannot be told apart, so all of theirs count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
import xxhash
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chejil.errors import ChejilError
from chejil.eval.chatting.speaker import Sampling

Choice = Literal["model", "tie", "all_bad"]


class Vote(BaseModel):
    """What somebody said of the answers to one question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question_id: str = Field(min_length=1, description="The prompt's, or `own-` and a hash.")
    question: str = Field(min_length=1, description="What was asked last.")
    turn: int = Field(1, ge=1, description="Of the conversation; answers differ in what stands before.")
    models: tuple[str, ...] = Field(min_length=2, description="Names, in the order shown.")
    failed: tuple[str, ...] = Field((), description="Models that were asked, too, and had no answer.")
    blind: bool = Field(description="Names were shown after the vote.")
    choice: Choice = Field(description="`model`: `winner`; `tie`: equally good; `all_bad`: equally bad.")
    winner: str | None = Field(None, description="Of a choice `model`.")
    answers: tuple[str, ...] = Field(description="Hashes of the answers, in the order of `models`.")
    sampling: Sampling = Field(description="How the tokens were chosen.")
    voter: str | None = Field(None, min_length=1, description="A label, so that people can be told apart.")

    @model_validator(mode="after")
    def _fits(self) -> Vote:
        if len({*self.models, *self.failed}) < len(self.models) + len(self.failed):
            raise ValueError("a model comes twice")
        if len(self.answers) != len(self.models):
            raise ValueError("there are not as many answers as models")
        if (self.choice == "model") != (self.winner is not None):
            raise ValueError("a choice `model` has a winner, others have none")
        if self.winner is not None and self.winner not in self.models:
            raise ValueError("the winner is none of the models")
        return self

    @property
    def question_key(self) -> str:
        """The same question has the same, whatever file it came from."""
        return hash_of(self.question)


def hash_of(text: str) -> str:
    """A hash of a question or an answer.

    >>> hash_of("answer")
    'e2e19bb35d2a8fee'
    """
    return xxhash.xxh3_64_hexdigest(text.encode("utf-8", "replace"))


@dataclass(frozen=True)
class Box:
    """What a file of votes holds.

    Args:
        votes: those that count, in the order of the file.
        replaced: votes whose voter voted again on the same answers.
        broken: numbers of lines that are no votes.
        torn: lines that a crash cut, here or in `NAME.torn`.
    """

    votes: tuple[Vote, ...] = ()
    replaced: int = 0
    broken: tuple[int, ...] = ()
    torn: int = 0

    @property
    def models(self) -> tuple[str, ...]:
        """All that were voted on, sorted."""
        return tuple(sorted({model for vote in self.votes for model in vote.models}))

    def voted(self, models: Sequence[str], voter: str | None) -> set[str]:
        """`question_key`s of what this voter has voted on with these models, first turns alone."""
        return {
            vote.question_key
            for vote in self.votes
            if vote.voter == voter and vote.turn == 1 and {*vote.models, *vote.failed} == set(models)
        }


def read(path: str | Path) -> Box:
    """Read a file; no file is an empty box.

    Raises:
        ChejilError: it cannot be read, or no line of it is a vote.
    """
    place = Path(path)
    try:
        content = place.read_bytes()
        aside = _torn_place(place).read_bytes().count(b"\n") if _torn_place(place).exists() else 0
    except FileNotFoundError:
        return Box()
    except OSError as error:
        raise ChejilError(f"cannot be read: {error.strerror}", where=str(path), mend="name a file") from None
    lines, votes, broken = content.split(b"\n"), [], []
    for number, line in enumerate(lines[:-1], 1):
        vote = _vote(line)
        if vote is not None:
            votes.append(vote)
        elif line.strip():
            broken.append(number)
    tail = _vote(lines[-1])
    if tail is not None:
        votes.append(tail)
    if broken and not votes:
        mend = "`chejil compare --votes` writes such a file; name another one"
        raise ChejilError("no line of it is a vote", where=str(path), mend=mend)
    kept = _last_ones(votes)
    is_torn = tail is None and bool(lines[-1].strip(b" \r\n\0"))
    return Box(tuple(kept), len(votes) - len(kept), tuple(broken), aside + is_torn)


def existing(path: str | Path) -> Box:
    """Read a file that must be there.

    Raises:
        ChejilError: it is not, or it cannot be read.
    """
    if not Path(path).exists():
        raise ChejilError(
            "there is no such file of votes", where=str(path), mend="see how its name is written"
        )
    return read(path)


def _vote(line: bytes) -> Vote | None:
    try:
        return Vote.model_validate(orjson.loads(line))
    except (orjson.JSONDecodeError, ValidationError):
        return None


def _last_ones(votes: Sequence[Vote]) -> list[Vote]:
    last: dict[Any, Vote] = {}
    for number, vote in enumerate(votes):
        answers = tuple(sorted(zip(vote.models, vote.answers, strict=True)))
        key = number if vote.voter is None else (vote.voter, vote.question_key, vote.turn, answers)
        last.pop(key, None)
        last[key] = vote
    return list(last.values())


def add(path: str | Path, vote: Vote) -> None:
    """Append a vote; it is on the disk when this returns.

    Raises:
        ChejilError: the file cannot be written.
    """
    place = Path(path)
    line = orjson.dumps(vote.model_dump(mode="json")) + b"\n"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a+b") as stream, _held(stream):
            _set_aside(stream, place)
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        what = f"the vote cannot be written: {error.strerror}"
        raise ChejilError(what, where=str(path), mend="give another --votes") from None


@contextmanager
def _held(stream: Any) -> Iterator[None]:
    import fcntl

    fcntl.flock(stream, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(stream, fcntl.LOCK_UN)


def _torn_place(place: Path) -> Path:
    return place.with_name(f"{place.name}.torn")


def _set_aside(stream: Any, place: Path) -> None:
    """End the last line: a whole vote stays, anything else goes to `NAME.torn`."""
    stream.seek(0)
    content = stream.read()
    start = content.rfind(b"\n") + 1
    tail = content[start:]
    if not tail:
        return
    if _vote(tail) is not None:
        stream.write(b"\n")
        return
    with _torn_place(place).open("ab") as torn:
        torn.write(tail + b"\n")
        torn.flush()
        os.fsync(torn.fileno())
    stream.truncate(start)
    stream.seek(0, os.SEEK_END)


def refuse_strangers(path: str | Path, box: Box, models: Sequence[str]) -> None:
    """A file may hold votes on many models, but not only on others.

    Raises:
        ChejilError: none of these models was voted on in it.
    """
    if box.votes and not set(box.models) & set(models):
        what = f"its votes are on other models: {', '.join(box.models[:6])}"
        mend = "give another --votes; `chejil compare --wins FILE` shows this one's table"
        raise ChejilError(what, where=str(path), mend=mend)
