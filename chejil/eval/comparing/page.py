"""The page: a question, the answers beside each other as they come, a vote, and who wins.

Streamlit runs this from the top for every click. The round under way is in the session, its models speak in the
background (`listening`), and stay in the process (`held`).
No word of a model becomes Markdown or HTML: it goes through `marked_text`.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import streamlit as st

from chejil.curation.exploring import kept_values, marked_text
from chejil.errors import ChejilError
from chejil.eval.comparing import (
    held,
    labels,
    question_view,
    round_view,
    settings_view,
    votes,
    wins_page,
)
from chejil.eval.comparing.asked_models import Asked


def page(settings: str) -> None:
    """Draw the page once.

    Args:
        settings: `Asked` as JSON.
    """
    # No page_icon: Streamlit fetches those from a site of fonts, and nothing here asks the network.
    st.set_page_config(page_title="Chejil compare", layout="wide")
    st.html(marked_text.STYLE)
    st.html(f"<style>{_css()}</style>")
    asked = Asked.model_validate_json(settings)
    for name in ("round", "listening", "problem"):  # `listening` takes the answers of `round` down
        st.session_state.setdefault(name, None)
    for name, value in _first(asked).items():
        kept_values.first(name, value)
    try:
        _draw(asked)
    except ChejilError as error:
        st.html(marked_text.problem(str(error)))


def _first(asked: Asked) -> dict[str, Any]:
    """What the widgets of the sidebar begin with."""
    return {"language": "en", "blind": asked.blind, "voter": asked.voter or ""}


@cache
def _css() -> str:
    return (resources.files("chejil.eval.comparing") / "page.css").read_text("utf-8")


def _draw(asked: Asked) -> None:
    say = labels.saying(kept_values.value("language"))
    settings_view.sidebar(asked, say)
    st.html(f'<h1 class="cj-title">{marked_text.escaped(say("Same question, several models"))}</h1>')
    with st.container():  # there in every run, so that what stands below keeps its place
        if st.session_state.problem:
            st.html(marked_text.problem(st.session_state.problem))
    with st.spinner(say("Loading the models …")):
        speakers = held.speakers(asked)
    settings_view.models(speakers, say)
    box = held.box(asked.votes)
    votes.refuse_strangers(asked.votes, box, asked.names)
    question_view.show(asked, box, say)
    round_view.show(asked, speakers, say)
    current = st.session_state.round
    # A table in sight would say during a blind round which model to look for.
    with st.expander(
        say("Who wins"), expanded=not (current.hides_names if current else kept_values.value("blind"))
    ):
        st.html(wins_page.table(held.wins(asked.votes, asked.names), say))
    st.session_state.problem = None  # here, since a run that a click ends may not reach the browser
