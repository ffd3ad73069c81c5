"""The page: what is open, what was moved, and which of its views is drawn. No word of a document becomes Markdown.

Streamlit draws Markdown in headings, labels and messages, so whatever comes from a run goes through `marked_text` or
into a table's cell, which is plain.
"""

from __future__ import annotations

import copy
from typing import Any

import streamlit as st

from chejil.curation.exploring import (
    documents_view,
    duplicates_view,
    effects_view,
    held,
    kept_values,
    marked_text,
    sliders,
)
from chejil.errors import ChejilError

VIEWS = {
    "Bounds": effects_view.show,
    "Documents": documents_view.show,
    "Duplicates": duplicates_view.show,
}

_FIRST: dict[str, Any] = {"moved": {}, "document": None, "problem": None, "seed": 0}
"""What the session holds when it begins; `moved` are the bounds that differ from the run's."""


def page(root: str, folder: str) -> None:
    """Draw the page once, as every click does.

    Args:
        folder: where recipes are saved.
    """
    # No page_icon: Streamlit fetches those from a site of fonts, and nothing here asks the network.
    st.set_page_config(page_title="Chejil explore", layout="wide")
    st.html(marked_text.STYLE)
    for name, value in _FIRST.items():
        st.session_state.setdefault(name, copy.copy(value))
    kept_values.first("view", "Bounds")
    try:
        run = held.opened(root, folder)
        sliders.sidebar(run)
        _said()
        view = st.segmented_control(
            "View", list(VIEWS), default=kept_values.value("view"), key=kept_values.key("view"),
            label_visibility="collapsed", required=True,
        )  # fmt: skip
        VIEWS[view or "Bounds"](run)
        st.session_state.problem = None  # here, since a run that a click ends may not reach the browser
    except ChejilError as error:
        st.html(marked_text.problem(str(error)))
    except OSError as error:
        st.html(marked_text.problem(f"{error.filename or root}: {error.strerror or error}"))


def _said() -> None:
    """What a callback found wrong."""
    with st.container():  # there in every run, so that what stands below keeps its place
        if st.session_state.problem:
            st.html(marked_text.problem(st.session_state.problem))
