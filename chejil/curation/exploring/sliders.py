"""The side of the page on which a bound is moved: scope, signal, histogram, slider, and the exact numbers."""

from __future__ import annotations

import math

import altair as alt
import polars as pl
import streamlit as st

from chejil.curation.exploring import held, kept_values, marked_text, moved_bounds
from chejil.curation.exploring.distributions import Distribution
from chejil.curation.exploring.held import Opened
from chejil.curation.exploring.moved_bounds import Scope, Sides
from chejil.filters.catalogue import SIGNALS

LANGUAGES = {"ko": "Korean", "en": "English", "mixed": "mixed", "other": "other", "unknown": "unknown"}


def sidebar(run: Opened) -> None:
    """Choose a bound and move it; `moved` of the session holds what differs from the run."""
    with st.sidebar:
        st.html(
            marked_text.line(run.documents.recipe.name, "cj-title") + marked_text.line(run.root, "cj-small")
        )
        scopes = moved_bounds.scopes(run.filter)
        if not scopes:
            st.info("Every language of this run is dropped or kept whole: there is no bound to move.")
            return
        scope = st.selectbox("Bounds of", scopes, format_func=_scope_name, key="scope")
        signal = _signal(run, scope)
        if signal is not None:
            _mover(run, scope, signal)
        _moved(run)


def _scope_name(scope: Scope) -> str:
    return f"{LANGUAGES[scope.lang]} documents" + (f" of {scope.source}" if scope.source else "")


def _signal(run: Opened, scope: Scope) -> str | None:
    """Bounded signals first; a dot says that a bound is moved."""
    own, moved = moved_bounds.bounded(run.filter, scope), st.session_state.moved
    every = [*own, *(name for name in held.signals(run) if name not in own)]

    def name(signal: str) -> str:
        mark = "● " if (scope, signal) in moved else ""
        return mark + signal + ("" if signal in own or mark else " (no bound)")

    at = every.index("num_words") if "num_words" in every else 0
    return st.selectbox("Signal", every, index=at, format_func=name, key=f"signal {scope}") if every else None


def _mover(run: Opened, scope: Scope, signal: str) -> None:
    about = SIGNALS[signal]
    st.html(marked_text.line(f"{about.about} Unit: {about.unit}.", "cj-small"))
    found = held.distribution(run, scope, signal)
    own = moved_bounds.sides(run.filter, scope, signal)
    now = st.session_state.moved.get((scope, signal), own)
    _histogram(found, now)
    stops = found.stops(*own, *now)
    key = f"{scope} {signal}"
    _show_at(key, now)
    with kept_values.place("slider"):
        st.select_slider(
            "Documents pass between",
            stops,
            value=_ends(now),
            key=kept_values.key(f"slider {key}"),
            format_func=_stop,
            on_change=_slid,
            args=(run, scope, signal),
        )
    for column, side in zip(st.columns(2), ("low", "high"), strict=True):
        with column, kept_values.place(side):
            st.text_input(
                f"{side.capitalize()}, exactly",
                kept_values.value(f"{side} {key}"),
                placeholder="none",
                key=kept_values.key(f"{side} {key}"),
                on_change=_typed,
                args=(run, scope, signal, side),
            )
    if (scope, signal) in st.session_state.moved:
        st.button(
            f"Put back to {moved_bounds.interval(own)}",
            on_click=_move,
            args=(run, scope, signal, own),
            key="back",
        )


def _show_at(key: str, now: Sides) -> None:
    """Lay the widgets where the bound is: each of them may have moved it, or a button."""
    kept_values.show(f"slider {key}", _ends(now))
    for side, edge in zip(("low", "high"), now, strict=True):
        kept_values.show(f"{side} {key}", "" if edge is None else str(moved_bounds.plain(edge)))


def _ends(now: Sides) -> tuple[float, float]:
    low, high = now
    return (
        -math.inf if low is None else moved_bounds.plain(low),
        math.inf if high is None else moved_bounds.plain(high),
    )


def _stop(value: float) -> str:
    """A stop's name; Streamlit knows stops by their names, so no two may be called the same."""
    return f"{value:,.10g}" if math.isfinite(value) else "no low" if value < 0 else "no high"


def _slid(run: Opened, scope: Scope, signal: str) -> None:
    name = f"slider {scope} {signal}"
    before, now = kept_values.last(name), kept_values.value(name)
    if now != before:
        low, high = (edge if math.isfinite(edge) else None for edge in now)
        _move(run, scope, signal, (low, high))


def _typed(run: Opened, scope: Scope, signal: str, side: str) -> None:
    """Take what was typed, or say what is wrong with it; the field then shows again what holds."""
    name = f"{side} {scope} {signal}"
    before, text = kept_values.last(name), kept_values.value(name).strip()
    if text == before:
        return
    try:
        edge = _edge(text, signal)
    except ValueError as error:
        st.session_state.problem = str(error)
        return
    own = moved_bounds.sides(run.filter, scope, signal)
    low, high = st.session_state.moved.get((scope, signal), own)
    low, high = (edge, high) if side == "low" else (low, edge)
    if low is not None and high is not None and low > high:
        st.session_state.problem = f"low {low:g} is above high {high:g}: nothing would pass"
        return
    _move(run, scope, signal, (low, high))


def _edge(text: str, signal: str) -> float | None:
    """A number as it is typed, or none.

    Raises:
        ValueError: it is no number, or none that the signal can have.
    """
    if not text:
        return None
    most = 1.0 if SIGNALS[signal].kind in ("share", "score") else math.inf
    try:
        edge = float(text)
    except ValueError:
        raise ValueError(f"'{text}' is no number: digits with a point, or nothing for no bound") from None
    if not (math.isfinite(edge) and 0 <= edge <= most):
        top = " and at most 1" if most == 1 else ""
        raise ValueError(f"{text} is no bound of {signal}, which is at least 0{top}")
    return moved_bounds.plain(edge)


def _move(run: Opened, scope: Scope, signal: str, to: Sides) -> None:
    st.session_state.moved = moved_bounds.with_moved(run.filter, st.session_state.moved, scope, signal, to)


def _histogram(found: Distribution, now: Sides) -> None:
    low, high = _ends(now)
    bars = found.bars().with_columns(
        pl.when((pl.col("high") <= low) | (pl.col("low") > high))
        .then(pl.lit("outside"))
        .otherwise(pl.lit("passes"))
        .alias("so")
    )
    if bars.is_empty():
        st.html(marked_text.line("No document of this language has the signal.", "cj-small"))
        return
    first, last = bars["low"][0], bars["high"][-1]
    is_log = bool(
        first > 0 and last / first > 1 and abs(bars["high"][0] / first - last / bars["low"][-1]) < 1e-9
    )
    scale = alt.Scale(type="log" if is_log else "linear", domain=[first, last], nice=False)
    colour = alt.Color(
        "so:N", scale=alt.Scale(domain=["passes", "outside"], range=["#3b82c4", "#d9776c"]), legend=None
    )
    axis = alt.Axis(title=None, grid=False, tickCount=4, labelFlush=True)
    drawn = (
        alt.Chart(bars)
        .mark_bar(binSpacing=0.5)
        .encode(
            x=alt.X("low:Q", scale=scale, axis=axis),
            x2="high:Q",
            y=alt.Y("documents:Q", axis=None),
            y2=alt.Y2Datum(0),
            color=colour,
            tooltip=[alt.Tooltip(name, format=",.4~g") for name in ("low", "high", "documents")],
        )
    )
    edges = [edge for edge in now if edge is not None and first <= edge <= last]
    rules = alt.Chart(pl.DataFrame({"edge": edges}, schema={"edge": pl.Float64})).mark_rule(
        color="#888", strokeWidth=2
    )
    st.altair_chart(drawn + rules.encode(x=alt.X("edge:Q", scale=scale, axis=axis)), height=110)


def _moved(run: Opened) -> None:
    moved = list(moved_bounds.changes(run.filter, st.session_state.moved))
    if not moved:
        return
    st.divider()
    st.html("".join(marked_text.line(f"{name}: {was} → {now}", "cj-small") for name, was, now in moved))
    st.button("Put all back", on_click=_put_back, key="all back")


def _put_back() -> None:
    st.session_state.moved = {}
