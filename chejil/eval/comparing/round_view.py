"""Answers beside each other as they come, and the buttons of the vote."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import streamlit as st

from chejil.curation.exploring import kept_values, marked_text
from chejil.errors import ChejilError
from chejil.eval.chatting.speaker import Speaker, Spoken
from chejil.eval.comparing import asking, votes
from chejil.eval.comparing.asked_models import Asked
from chejil.eval.comparing.asking import Failed
from chejil.eval.comparing.labels import Say
from chejil.eval.comparing.listening import Listening
from chejil.eval.comparing.rounds import STOPPED, Answer, Round
from chejil.eval.comparing.votes import Choice
from chejil.eval.judging.prompts import language

_COLUMNS = 3
"""Answers in a row; more than that are too narrow to read."""

_DRAW_SECONDS = 0.08
"""Between two drawings of an answer: a browser that draws every token falls behind a quick model."""


def show(asked: Asked, speakers: Sequence[Speaker], say: Say) -> None:
    """Draw the round of this session until its models have ended; start them if they are to speak."""
    current: Round | None = st.session_state.round
    if current is None:
        return
    listening: Listening | None = st.session_state.listening
    if listening is None or listening.current is not current:
        listening = st.session_state.listening = Listening(current, speakers)
    if current.turn > 1 or current.question != kept_values.value("question").strip():
        st.html(_asked_text(current, say))
    places = _places(current)
    below = st.empty()
    if listening.look():
        below.button(say("Stop answering"), key="stop", on_click=listening.stop)
        _follow(listening, places, say)
        st.rerun()  # whatever stands above depends on the answers, too
    _draw(current, places, say, {})
    with below.container():
        _vote(asked, current, say)


def _asked_text(current: Round, say: Say) -> str:
    turn = f"{say('Turn')} {current.turn} · " if current.turn > 1 else ""
    return f'<p class="cj-asked"><b>{turn}{say("Asked")}</b> {marked_text.escaped(current.question)}</p>'


def _places(current: Round) -> dict[int, Any]:
    """An empty place for each model, in the order shown."""
    found: dict[int, Any] = {}
    for start in range(0, len(current.order), _COLUMNS):
        row = current.order[start : start + _COLUMNS]
        for number, column in zip(row, st.columns(len(row)), strict=True):
            found[number] = column.empty()
    return found


def _follow(listening: Listening, places: dict[int, Any], say: Say) -> None:
    """Draw answers as they grow."""
    drawn: dict[int, str] = {}
    while listening.look():
        _draw(listening.current, places, say, drawn)
        time.sleep(_DRAW_SECONDS)


def _draw(current: Round, places: dict[int, Any], say: Say, drawn: dict[int, str]) -> None:
    """What differs from what was drawn."""
    for number, place in places.items():
        now = answer(current, number, say)
        if drawn.get(number) != now:
            place.html(now)
            drawn[number] = now


def answer(current: Round, number: int, say: Say) -> str:
    """An answer as HTML: whose it is, the text, and how quickly it came once the names may be known."""
    one = current.answers[number]
    name = marked_text.escaped(current.label(number))
    won = current.vote is not None and current.vote.winner == current.models[number]
    mark = f' <span class="cj-won">✓ {say("chosen")}</span>' if won else ""
    head = f'<h2 class="cj-name">{name}{mark}</h2>'
    inside = head + _body(current, one, name, say) + _foot(current, one, say)
    return f'<section aria-label="{name}" class="cj-answer">{inside}</section>'


def _body(current: Round, one: Answer, name: str, say: Say) -> str:
    wrong = ""
    if isinstance(one.end, Failed) and one.end.what != STOPPED:
        hidden = say("no answer; why is shown after the vote")
        wrong = marked_text.problem(hidden if current.hides_faults else one.end.what)
    text = marked_text.escaped(one.text) if one.text else ""
    if not text and wrong:
        return wrong
    lang = f' lang="{language(one.text)}"' if one.text else ""
    shown = text or f'<span class="cj-small">{say("(nothing)") if one.end else "…"}</span>'
    busy = "false" if one.end else "true"
    told = f'tabindex="0" role="region" aria-label="{name}: {say("answer")}" aria-busy="{busy}"{lang}'
    return f'<div class="cj-text cj-scroll" {told}>{shown}</div>{wrong}'


def _foot(current: Round, one: Answer, say: Say) -> str:
    if one.end is None:
        return f'<p class="cj-foot">{say("answering …") if one.text else say("waiting …")}</p>'
    if isinstance(one.end, Failed):
        return f'<p class="cj-foot">{say("stopped") if one.end.what == STOPPED else say("no answer")}</p>'
    parts = [] if current.hides_names else _speed(one.end, say)
    if one.end.finish == "length":
        parts.append(say("cut off at the limit"))
    if one.end.left_out:
        parts.append(say("{count} earlier turns did not fit", count=one.end.left_out))
    return f'<p class="cj-foot">{" · ".join(parts) or "&nbsp;"}</p>'


def _speed(end: Spoken, say: Say) -> list[str]:
    found = [say("first token after {seconds} s", seconds=f"{end.first_token_seconds:.2f}")]
    if end.new_tokens:
        found.append(say("{count} tokens", count=f"{end.new_tokens:,}"))
        if (rate := asking.tokens_a_second(end)) is not None:
            found.append(say("{rate} tokens/s", rate=f"{rate:,.1f}"))
    return found


def _vote(asked: Asked, current: Round, say: Say) -> None:
    if current.vote is not None:
        st.html(f'<p class="cj-voted" role="status">{_voted_text(current, say)}</p>')
        return
    if not current.can_vote:
        if current.is_over and len(current.voted_on) < 2:
            st.html(f'<p class="cj-foot">{say("A vote needs two whole answers.")}</p>')
        return
    choices: list[tuple[str, Choice, int | None]] = [
        (say("{name} is better", name=_plain(current.label(number))), "model", number)
        for number in current.voted_on
    ]
    choices += [(say("Tie"), "tie", None), (say("All bad"), "all_bad", None)]
    with st.container(horizontal=True, key="votes"):
        for number, (text, choice, winner) in enumerate(choices):
            st.button(text, key=f"vote {number}", on_click=_voted, args=(asked, current, choice, winner))


def _plain(name: str) -> str:
    """A name in a button's label, which is Markdown."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#+-.!|~$:" else letter for letter in name)


def _voted_text(current: Round, say: Say) -> str:
    assert current.vote is not None
    if current.vote.choice == "model":
        return say("Vote kept: {name} is better", name=marked_text.escaped(current.vote.winner or ""))
    return say("Vote kept: tie") if current.vote.choice == "tie" else say("Vote kept: all bad")


def _voted(asked: Asked, current: Round, choice: Choice, winner: int | None) -> None:
    if current.vote is not None:  # a double click
        return
    try:
        votes.add(asked.votes, current.voted(choice, winner))
    except ChejilError as error:
        current.vote = None
        st.session_state.problem = str(error)
