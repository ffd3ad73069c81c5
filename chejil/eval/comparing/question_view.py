"""The question: one's own, or the next of a file that has no vote of this voter yet."""

from __future__ import annotations

import streamlit as st

from chejil.curation.exploring import kept_values
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
        begun = next(rounds.left(prompts, voted), prompts.prompts[0])
        kept_values.first("prompt", begun.id)
        kept_values.first("question", begun.question)
        _choice(prompts, voted, asked, say)
    kept_values.first("question", "")
    with kept_values.place("question"):
        st.text_area(
            say("Question"), kept_values.value("question"), key=kept_values.key("question"), height=110
        )
    one, two, _ = st.columns([2, 3, 5])
    one.button(
        say("Ask"), type="primary", key="ask", on_click=_ask, args=(asked, prompts, say), width="stretch"
    )
    current = st.session_state.round
    if current is not None and any(answer.is_whole for answer in current.answers):
        two.button(say("Ask as follow-up"), key="follow", on_click=_follow, args=(say,), width="stretch")


def _choice(prompts: PromptSet, voted: set[str], asked: Asked, say: Say) -> None:
    by_id = {prompt.id: prompt for prompt in prompts.prompts}

    def chosen() -> None:
        before, now = kept_values.last("prompt"), kept_values.value("prompt")
        if now != before:
            kept_values.lay("question", by_id[now].question)

    done = sum(hash_of(prompt.question) in voted for prompt in prompts.prompts)
    one, two = st.columns([5, 2], vertical_alignment="bottom")
    with one, kept_values.place("prompt"):
        st.selectbox(
            say("Prompt ({done} of {count} voted on)", done=done, count=len(by_id)), list(by_id),
            index=list(by_id).index(kept_values.value("prompt")), key=kept_values.key("prompt"),
            format_func=lambda name: _title(by_id[name]), on_change=chosen,
        )  # fmt: skip
    two.button(
        say("Ask the next prompt"), key="next", on_click=_next, args=(asked, prompts, say), width="stretch"
    )


def _title(prompt: Prompt) -> str:
    """Streamlit finds a choice again by its label, so that must not change with the votes."""
    task = prompt.task if len(prompt.task) <= _TITLE_CHARS else f"{prompt.task[:_TITLE_CHARS]}…"
    return f"{prompt.id} · {prompt.category} · {task}"


def _next(asked: Asked, prompts: PromptSet, say: Say) -> None:
    """The first prompt behind the chosen one that has no vote, from the start again at the end."""
    voted = held.box(asked.votes).voted(asked.names, settings_view.voter())
    ids, chosen = [prompt.id for prompt in prompts.prompts], kept_values.value("prompt")
    at = ids.index(chosen)
    behind = PromptSet(prompts.name, prompts.prompts[at + 1 :] + prompts.prompts[: at + 1])
    found = next(rounds.left(behind, voted), None)
    if found is None:
        st.session_state.problem = say("Every prompt has a vote of this voter.")
        return
    is_here = found.id == chosen and st.session_state.round is not None
    if not is_here or st.session_state.round.vote is not None:
        kept_values.lay("prompt", found.id)
        kept_values.lay("question", found.question)
    _ask(asked, prompts, say)


def _ask(asked: Asked, prompts: PromptSet | None, say: Say) -> None:
    question = _question(say)
    if not question:
        return
    same = (prompt for prompt in (prompts.prompts if prompts else ()) if prompt.question.strip() == question)
    prompt = next(same, question)
    sampling, voter = settings_view.sampling(), settings_view.voter()
    blind = kept_values.value("blind")
    _start(rounds.begun(prompt, asked.names, blind, asked.seed, sampling, voter))


def _follow(say: Say) -> None:
    question = _question(say)
    if question:
        _start(st.session_state.round.followed(question))


def _question(say: Say) -> str:
    """The question as it stands; an empty one is said on the page, for a click has been made."""
    question = well_formed(kept_values.value("question").strip())
    if not question:
        st.session_state.problem = say("The question is empty: write one first.")
    return question


def _start(found: Round) -> None:
    before = st.session_state.listening
    if before is not None:
        before.stop()
    st.session_state.round = found
