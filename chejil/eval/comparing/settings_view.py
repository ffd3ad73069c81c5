"""The sidebar: language, blind or not, who votes, and how tokens are chosen."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from chejil.curation.exploring import kept_values, marked_text
from chejil.eval.chatting.speaker import Sampling, Speaker
from chejil.eval.comparing import labels
from chejil.eval.comparing.asked_models import Asked
from chejil.eval.comparing.labels import Say

_NAME_CHARS = 60


def sidebar(asked: Asked, say: Say) -> None:
    """Draw it; `sampling()` reads it."""
    with st.sidebar:
        st.radio(
            "Language · 언어", list(labels.LANGUAGES), key=kept_values.key("language"), horizontal=True,
            index=list(labels.LANGUAGES).index(kept_values.value("language")),
            format_func=lambda name: labels.LANGUAGES[name],
        )  # fmt: skip
        st.toggle(
            say("Blind: names after the vote"), kept_values.value("blind"), key=kept_values.key("blind")
        )
        st.text_input(
            say("Who votes"), kept_values.value("voter"), key=kept_values.key("voter"), max_chars=_NAME_CHARS
        )
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
        kept_values.first(name, _text(value) if name == "seed" else value)
    _number(say("Temperature"), "temperature", 0.0, 10.0, 0.1)
    _number("top_p", "top_p", 0.01, 1.0, 0.05)
    _number("top_k", "top_k", 0, 1_000_000, 1)
    _number(say("Repetition penalty"), "repetition_penalty", 0.01, 10.0, 0.05)
    _number(say("Tokens of an answer at most"), "max_new_tokens", 1, 1_000_000, 64)
    with kept_values.place("seed"):
        st.text_input(
            say("Seed (empty: others each time)"), kept_values.value("seed"), key=kept_values.key("seed"),
            on_change=_seeded, args=(say,),
        )  # fmt: skip


def _number(label: str, name: str, low: float, high: float, step: float) -> None:
    """A field that never refuses what the command line asked for."""
    value = kept_values.value(name)
    st.number_input(label, min(low, value), max(high, value), value, step=step, key=kept_values.key(name))


def _seeded(say: Say) -> None:
    """What is no seed is said, and goes back to what was there."""
    before, now = kept_values.last("seed"), kept_values.value("seed")
    try:
        _seed(now)
    except ValueError:
        st.session_state.problem = say("{text} is no seed: a whole number from 0 on, or empty", text=now)
        kept_values.lay("seed", before)


def _seed(text: str) -> int | None:
    return Sampling(seed=int(text)).seed if text.strip() else None


def _text(seed: int | None) -> str:
    return "" if seed is None else str(seed)


def sampling() -> Sampling:
    """As the sidebar says now."""
    found = {name: kept_values.value(name) for name in Sampling.model_fields}
    return Sampling(**{**found, "seed": _seed(found["seed"])})


def voter() -> str | None:
    """Who votes; None of an empty field."""
    return kept_values.value("voter").strip() or None
