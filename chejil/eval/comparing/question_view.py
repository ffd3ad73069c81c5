"""The question: one's own, or the next of a file that has no vote of this voter yet."""

from __future__ import annotations

import streamlit as st

from chejil.eval.comparing import held, rounds, settings_view
from chejil.eval.comparing.asked_models import Asked
from chejil.eval.comparing.labels import Say
from chejil.eval.comparing.rounds import Round
from chejil.eval.comparing.votes import Box, hash_of
from chejil.eval.judging.prompts import Prompt, PromptSet, well_formed

_TITLE_CHARS = 60


def show(asked: Asked, box: Box, say: Say) -> None:
    """Draw the choice of a prompt and the field."""
    prompts = held.prompt_set(asked.prompts) if asked.prompts else None
    if prompts:
        voted = box.voted(asked.names, settings_view.voter())
        _begin(prompts, voted)
        _choice(prompts, voted, asked, say)
    st.text_area(say("Question"), key="question", height=110)
    one, two, _ = st.columns([2, 3, 5])
    one.button(say("Ask"), type="primary", key="ask", on_click=_ask, args=(asked, prompts), width="stretch")
    current = st.session_state.round
    if current is not None and any(answer.is_whole for answer in current.answers):
        two.button(say("Ask as follow-up"), key="follow", on_click=_follow, width="stretch")


def _begin(prompts: PromptSet, voted: set[str]) -> None:
    """The first prompt without a vote, where a session begins."""
    if st.session_state.question is None:
        first = next(rounds.left(prompts, voted), prompts.prompts[0])
        st.session_state.prompt, st.session_state.question = first.id, first.question


def _choice(prompts: PromptSet, voted: set[str], asked: Asked, say: Say) -> None:
    by_id = {prompt.id: prompt for prompt in prompts.prompts}

    def chosen() -> None:
        st.session_state.question = by_id[st.session_state.prompt].question

    done = sum(hash_of(prompt.question) in voted for prompt in prompts.prompts)
    one, two = st.columns([5, 2], vertical_alignment="bottom")
    one.selectbox(
        say("Prompt ({done} of {count} voted on)", done=done, count=len(by_id)), list(by_id), key="prompt",
        format_func=lambda name: _title(by_id[name]), on_change=chosen,
    )  # fmt: skip
    two.button(say("Ask the next prompt"), key="next", on_click=_next, args=(asked, prompts), width="stretch")


def _title(prompt: Prompt) -> str:
    """Streamlit finds a choice again by its label, so that must not change with the votes."""
    task = prompt.task if len(prompt.task) <= _TITLE_CHARS else f"{prompt.task[:_TITLE_CHARS]}…"
    return f"{prompt.id} · {prompt.category} · {task}"


def _next(asked: Asked, prompts: PromptSet) -> None:
    """The first prompt behind the chosen one that has no vote, from the start again at the end."""
    voted = held.box(asked.votes).voted(asked.names, settings_view.voter())
    ids = [prompt.id for prompt in prompts.prompts]
    at = ids.index(st.session_state.prompt)
    behind = PromptSet(prompts.name, prompts.prompts[at + 1 :] + prompts.prompts[: at + 1])
    found = next(rounds.left(behind, voted), None)
    if found is None:
        return
    is_here = found.id == st.session_state.prompt and st.session_state.round is not None
    if not is_here or st.session_state.round.vote is not None:
        st.session_state.prompt, st.session_state.question = found.id, found.question
    _ask(asked, prompts)


def _ask(asked: Asked, prompts: PromptSet | None) -> None:
    question = well_formed((st.session_state.question or "").strip())
    if not question:
        return
    same = (prompt for prompt in (prompts.prompts if prompts else ()) if prompt.question.strip() == question)
    prompt = next(same, question)
    sampling, voter = settings_view.sampling(), settings_view.voter()
    _start(rounds.begun(prompt, asked.names, st.session_state.blind, asked.seed, sampling, voter))


def _follow() -> None:
    question = well_formed((st.session_state.question or "").strip())
    if question:
        _start(st.session_state.round.followed(question))


def _start(found: Round) -> None:
    before = st.session_state.listening
    if before is not None:
        before.stop()
    st.session_state.round = found
