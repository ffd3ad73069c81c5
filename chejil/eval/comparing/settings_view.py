"""The sidebar: language, blind or not, who votes, and how tokens are chosen."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from chejil.curation.exploring import marked_text
from chejil.eval.chatting.speaker import Sampling, Speaker
from chejil.eval.comparing import labels
from chejil.eval.comparing.asked_models import Asked
from chejil.eval.comparing.labels import Say

_MAX_SEED = 2**53 - 1
"""JavaScript's: the browser holds the number."""


def sidebar(asked: Asked, say: Say) -> None:
    """Draw it; `sampling()` reads it."""
    with st.sidebar:
        st.radio(
            "Language · 언어", list(labels.LANGUAGES), key="language", horizontal=True,
            format_func=lambda name: labels.LANGUAGES[name],
        )  # fmt: skip
        st.toggle(say("Blind: names after the vote"), key="blind")
        st.text_input(say("Who votes"), key="voter", max_chars=60)
        st.html(f'<h2 class="cj-side">{say("How tokens are chosen")}</h2>')
        _numbers(asked.sampling, say)


def models(speakers: Sequence[Speaker], say: Say) -> None:
    """Which models take part, where they run, and what is odd about them."""
    with st.sidebar:
        st.html(f'<h2 class="cj-side">{say("Models")}</h2>' + "".join(map(_model, speakers)))


def _model(speaker: Speaker) -> str:
    facts = [getattr(speaker, name, None) for name in ("device", "dtype", "template")]
    told = [" · ".join(str(fact) for fact in facts if fact), *getattr(speaker, "notes", ())]
    lines = "".join(f'<br><span class="cj-small">{marked_text.escaped(line)}</span>' for line in told if line)
    return f'<p class="cj-side-model"><b>{marked_text.escaped(speaker.name)}</b>{lines}</p>'


def _numbers(first: Sampling, say: Say) -> None:
    for name, value in first.model_dump().items():
        st.session_state.setdefault(name, value)
    st.number_input(say("Temperature"), 0.0, 10.0, step=0.1, key="temperature")
    st.number_input("top_p", 0.01, 1.0, step=0.05, key="top_p")
    st.number_input("top_k", 0, 1_000_000, step=1, key="top_k")
    st.number_input(say("Repetition penalty"), 0.01, 10.0, step=0.05, key="repetition_penalty")
    st.number_input(say("Tokens of an answer at most"), 1, 1_000_000, step=64, key="max_new_tokens")
    st.number_input(say("Seed (empty: others each time)"), 0, _MAX_SEED, value=None, step=1, key="seed")


def sampling() -> Sampling:
    """As the sidebar says now."""
    return Sampling(**{name: st.session_state[name] for name in Sampling.model_fields})


def voter() -> str | None:
    """Who votes; None of an empty field."""
    return st.session_state.voter.strip() or None
