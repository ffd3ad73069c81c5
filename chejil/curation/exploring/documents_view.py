"""Searching documents and reading one: its verdict, every reason with value and bound, its changes marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import streamlit as st

from chejil.curation.browsing.readings import Reading
from chejil.curation.browsing.reasons import Reason, number
from chejil.curation.browsing.selection import Selection
from chejil.curation.explain import Explanation
from chejil.curation.exploring import held, kept_values, marked_text, searching
from chejil.curation.exploring.held import Opened
from chejil.errors import ChejilError

_VERDICTS = {"any": None, "kept": True, "dropped": False}
_EXCERPT_CHARS = 120


def show(run: Opened) -> None:
    """Draw the view."""
    _form()
    asked = st.session_state.get("asked for")
    if asked is not None:
        _results(run, *asked)
    if st.session_state.document:
        st.divider()
        _document(run, st.session_state.document)


def _form() -> None:
    with st.form("search"):
        one, two, three, four = st.columns([4, 3, 2, 1], vertical_alignment="bottom")
        where = one.text_input("SQL", placeholder="lang = 'ko' AND num_words < 50", key="where")
        text = two.text_input("Text", placeholder="words that it holds", key="text")
        verdict = three.selectbox("Verdict", list(_VERDICTS), key="verdict")
        most = four.number_input("Most", 1, 500, 50, key="most")
        if st.form_submit_button("Search", key="search button"):
            condition = searching.condition(where, text, _VERDICTS[verdict])
            st.session_state["asked for"] = (condition, most)


def _results(run: Opened, condition: str | None, most: int) -> None:
    try:
        rows = _found(run, condition, most)
    except ChejilError as error:
        st.html(marked_text.problem(str(error)))
        return
    if not rows:
        st.info("No document is like that.")
        return
    st.text(
        f"{len(rows):,} documents"
        + (", the first ones" if len(rows) == most else "")
        + "; choose a row to read"
    )
    places = [row["place"] for row in rows]
    picked = st.dataframe(
        pl.DataFrame(rows).drop("place"), hide_index=True, placeholder="", height=260,
        on_select="rerun", selection_mode="single-row", key=f"results {condition} {most}",
    )  # fmt: skip
    chosen = picked["selection"]["rows"]
    if chosen and chosen[0] != st.session_state.get("chosen"):
        st.session_state.document = places[chosen[0]]
    st.session_state.chosen = chosen[0] if chosen else None


def _found(run: Opened, condition: str | None, most: int) -> list[dict[str, Any]]:
    return _searched(run.documents, run.root, run.key, condition, most)


@st.cache_data(max_entries=32, show_spinner="Searching …")
def _searched(_documents: Any, root: str, key: str, condition: str | None, most: int) -> list[dict[str, Any]]:
    return [_row(reading) for reading in searching.found(_documents, Selection(where=condition), most)]


def _row(reading: Reading) -> dict[str, Any]:
    own = reading.columns
    return {
        "place": searching.place_of(reading),
        "id": reading.id,
        "source": own["source"],
        "language": own.get("lang", "unknown"),
        "verdict": "kept" if reading.kept else "dropped",
        "reasons": ", ".join(reason.reason for reason in reading.reasons),
        "text": " ".join(reading.text[: 2 * _EXCERPT_CHARS].split())[:_EXCERPT_CHARS],
    }


def _document(run: Opened, document: str) -> None:
    place = held.place(run, document)
    if place is None:
        st.html(marked_text.problem(f"no document '{document}'"))
        return
    reading = next(run.documents.readings(place[0], np.array([place[1]])))
    said = held.explanation(run, document)
    assert isinstance(said, Explanation)
    st.html(marked_text.line(reading.id, "cj-id") + _heading(reading))
    left, right = st.columns([3, 2])
    with left:
        _text(reading)
    with right:
        _reasons(reading)
        _mates(said)
        _measured(said)


def _heading(reading: Reading) -> str:
    columns = {name: value for name, value in reading.columns.items() if name not in ("file", "line")}
    parts = [
        f"{name} {value if isinstance(value, str) else number(value)}" for name, value in columns.items()
    ]
    said = f'<p class="cj-line">{marked_text.verdict(bool(reading.kept))}</p>'
    return said + marked_text.line(" · ".join(parts), "cj-small")


def _text(reading: Reading) -> None:
    size, start = len(reading.text), 0
    if size > marked_text.MAX_CHARS:
        pages = -(-size // marked_text.MAX_CHARS)
        page = st.number_input(f"Page of {pages:,}", 1, pages, 1, key=f"page {reading.id}")
        start = (page - 1) * marked_text.MAX_CHARS
    lang = reading.columns.get("lang")
    st.html(marked_text.block(marked_text.drawn(reading.pieces, start) or "(empty)", lang))
    marks = sorted({f"{mark.stage}: {mark.rule}" for piece in reading.pieces for mark in piece.marks})
    if marks:
        st.html(marked_text.line("Struck out: what went; underlined: what came; marked: found. " + "; ".join(marks),
                                 "cj-small"))  # fmt: skip


def _reasons(reading: Reading) -> None:
    rows = [
        {
            "reason": reason.reason,
            "value": _value(reading, reason),
            "low": number(reason.low) if reason.low is not None else "",
            "high": number(reason.high) if reason.high is not None else "",
            "condition": reason.condition or "",
        }
        for reason in reading.reasons
    ]
    if rows:
        st.text("Why it was dropped")
        table = pl.DataFrame(rows)
        table = table.select(name for name in table.columns if table[name].str.len_chars().sum())
        st.dataframe(table, hide_index=True, key="reasons")


def _value(reading: Reading, reason: Reason) -> str:
    """What a reason rests on: the signal's value, or the document that stands in for this one."""
    if reason.reason.startswith("duplicate:") and "duplicate_of" in reading.marks:
        return f"of {reading.marks['duplicate_of']}, similarity {number(reading.marks['similarity'])}"
    return number(reason.value) if reason.value is not None else ""


def _mates(said: Explanation) -> None:
    if not said.mates:
        return
    st.text("Documents of its clusters")
    rows = [
        {"id": mate.id, "cluster": mate.cluster, "similarity": round(mate.similarity, 3), "kept": mate.kept}
        for mate in said.mates
    ]
    st.dataframe(pl.DataFrame(rows), hide_index=True, placeholder="", key="mates")
    kind = "near" if said.decision["near_cluster"] else "exact"
    st.button("Compare them word by word", on_click=_compare, args=(kind, said.decision[f"{kind}_cluster"]))


def _compare(kind: str, cluster: str) -> None:
    st.session_state["cluster"] = cluster
    kept_values.lay("kind", kind)
    kept_values.lay("view", "Duplicates")


def _measured(said: Explanation) -> None:
    rows = [
        {
            "signal": row.signal,
            "value": number(row.value),
            "low": row.low,
            "high": row.high,
            "margin": row.margin,
            "verdict": row.verdict,
        }
        for row in sorted(said.signals, key=lambda row: (row.verdict != "fails", row.verdict != "passes"))
    ]
    if rows:
        st.text("Every signal, with the run's own bounds")
        st.dataframe(
            pl.DataFrame(rows, infer_schema_length=None),
            hide_index=True,
            placeholder="",
            height=360,
            key="signals",
        )
