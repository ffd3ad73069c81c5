"""Comparing in a plain terminal: a question, the answers one under the other as they come, a key for the vote.

It reads lines, so it works through a pipe and over any connection. Answers of models on several devices come at once;
they are shown in their order all the same, each as soon as the one above has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

from chejil import terminal
from chejil.eval.chatting.speaker import Speaker, Spoken
from chejil.eval.comparing import asking, rounds, votes, wins_view
from chejil.eval.comparing.asked_models import Asked
from chejil.eval.comparing.asking import Failed
from chejil.eval.comparing.rounds import LETTERS, Answer, Round
from chejil.eval.comparing.wins import table
from chejil.eval.judging.prompts import Prompt, PromptSet, well_formed

Write = Callable[[str], None]
Read = Callable[[str], str]
Next = Literal["next", "end"]
_NO_VOTE = "a vote needs two whole answers"


def hold(
    asked: Asked, speakers: Sequence[Speaker], prompts: PromptSet | None, read: Read, write: Write
) -> int:
    """Ask and vote until the prompts or the lines end; how many votes were given.

    Args:
        read: a line, after a prompt for it; EOFError ends the talk.
        write: text as it is, without an end of line of its own.
    """
    given = 0
    for prompt in _questions(asked, prompts, read):
        current = rounds.begun(prompt, asked.names, asked.blind, asked.seed, asked.sampling, asked.voter)
        write(f"\n{terminal.visible(current.question)}\n")
        show(current, speakers, write)
        if not current.can_vote:
            faults = [answer.end.what for answer in current.answers if isinstance(answer.end, Failed)]
            write(terminal.visible("\n".join(["", *(faults if current.blind else ()), _NO_VOTE, ""])))
            continue
        try:
            said = _ballot(current, asked.votes, read, write)
        except EOFError:
            return given
        given += current.vote is not None
        if said == "end":
            return given
    return given


def _questions(asked: Asked, prompts: PromptSet | None, read: Read) -> Iterator[Prompt | str]:
    if prompts is not None:
        voted = votes.read(asked.votes).voted(asked.names, asked.voter)
        yield from rounds.left(prompts, voted)
        return
    while True:
        try:
            line = well_formed(read("\nquestion (empty: end)> ")).strip()
        except EOFError:
            return
        if not line:
            return
        yield line


def show(current: Round, speakers: Sequence[Speaker], write: Write) -> None:
    """Let the models speak; every answer below its name, in the order of the round."""
    screen = _Screen(current, write)
    with closing(asking.ask(speakers, current.messages(), current.sampling, current.order)) as events:
        for event in events:
            current.take(event)
            screen.draw()


@dataclass
class _Screen:
    """What was written so far: models before `at` wholly, `written` characters of that at `at`."""

    current: Round
    write: Write
    at: int = 0
    written: int = field(default=-1)

    def draw(self) -> None:
        """Write what can be written now."""
        while self.at < len(self.current.order):
            number = self.current.order[self.at]
            answer = self.current.answers[number]
            if self.written < 0:
                mark = f" {LETTERS[self.at]}" if not self.current.hides_names else ""
                self.write(f"\n──{mark} {terminal.visible(self.current.label(number))}\n")
                self.written = 0
            self.write(terminal.visible(answer.text[self.written :]))
            self.written = len(answer.text)
            if answer.end is None:
                return
            self.write(_end(answer, self.current.hides_names))
            self.at, self.written = self.at + 1, -1


def _end(answer: Answer, is_hidden: bool) -> str:
    if isinstance(answer.end, Failed):
        why = "; why is shown after the vote" if is_hidden else f": {terminal.visible(answer.end.what)}"
        return f"\n(no answer{why})\n"
    assert isinstance(answer.end, Spoken)
    said = [] if is_hidden else [f"first token after {answer.end.first_token_seconds:.2f} s"]
    rate = asking.tokens_a_second(answer.end)
    if rate is not None and not is_hidden:
        said.append(f"{answer.end.new_tokens:,} tokens, {rate:,.1f} a second")
    if answer.end.finish == "length":
        said.append("cut off at the limit")
    return f"\n({', '.join(said)})\n" if said else "\n"


def _ballot(current: Round, path: str, read: Read, write: Write) -> Next:
    """Ask for a vote until the answer is one."""
    by_letter = {LETTERS[current.order.index(number)].lower(): number for number in current.voted_on}
    letters = ", ".join(letter.upper() for letter in by_letter)
    keys = {"=": "tie", "0": "all_bad"}
    while True:
        key = read(f"\nbetter: {letters}; = tie, 0 all bad, Enter: no vote, /end> ").strip().lower()
        if key in ("", "/end"):
            return "end" if key else "next"
        if key in by_letter:
            current.voted("model", by_letter[key])
        elif key in keys:
            current.voted(keys[key])  # type: ignore[arg-type]
        else:
            write(f"'{terminal.visible(key)[:20]}' is none of these\n")
            continue
        assert current.vote is not None
        votes.add(path, current.vote)
        _tell(current, path, write)
        return "next"


def _tell(current: Round, path: str, write: Write) -> None:
    """Who was who, and how the pairs stand."""
    if current.blind:
        names = (f"{LETTERS[at]} {current.models[number]}" for at, number in enumerate(current.order))
        write(f"{terminal.visible(', '.join(names))}\n")
        for answer in current.answers:
            if isinstance(answer.end, Failed):
                write(_end(answer, False))
    for pair in table(votes.read(path), current.models).pairs:
        said = f"{pair.first} {pair.wins} : {pair.losses} {pair.second}, {pair.ties + pair.all_bad} even"
        write(terminal.visible(f"{said}; {wins_view.verdict(pair)}\n"))
