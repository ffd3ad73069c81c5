"""What the moved bounds would do: counts before and after, documents that come and go side by side, and the recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
import streamlit as st

from chejil.curation.browsing.reasons import number
from chejil.curation.exploring import held, kept_values, marked_text, moved_bounds, recipe_file, searching
from chejil.curation.exploring.held import Opened
from chejil.curation.exploring.moved_bounds import Scope
from chejil.curation.whatif.answer import Answer
from chejil.curation.whatif.sampling import TEXT_CHARS, Sample

_SHOWN = 20
_MEGABYTE = 1e6


def show(run: Opened) -> None:
    """Draw the view."""
    settings = tuple(moved_bounds.settings_of(st.session_state.moved))
    if settings and run.is_slow and not _asked(settings):
        return
    found = held.answer(run, settings, st.session_state.get("samples", 5), st.session_state.seed)
    _totals(found)
    if settings:
        _kept_settings(run, settings)
        _changed(found)
    else:
        st.info("Move a bound on the left: the counts and the documents that come and go follow at once.")
        _near(run)
    _tables(found)


def _asked(settings: tuple[str, ...]) -> bool:
    """Where an answer takes as long as the stages behind the filter, it is given when it is asked for."""
    if st.session_state.get("asked") == settings:
        return True
    st.info("A stage behind the filter cuts text, so it must be done again to answer: as slow as in the run.")
    if not st.button("Say what would follow"):
        return False
    st.session_state.asked = settings
    return True


def _totals(found: Answer) -> None:
    total = found.total
    documents = total["kept_after"] - total["kept_before"]
    megabytes = (total["bytes_after"] - total["bytes_before"]) / _MEGABYTE
    cells = [
        ("Documents kept", f"{total['kept_after']:,}", f"{documents:+,}" if documents else None),
        (
            "Text kept, MB",
            f"{total['bytes_after'] / _MEGABYTE:,.2f}",
            f"{megabytes:+,.2f}" if documents else None,
        ),
        ("Newly kept", f"{total['newly_kept']:,}", None),
        ("Newly dropped", f"{total['newly_dropped']:,}", None),
    ]
    for column, (label, value, delta) in zip(st.columns(4), cells, strict=True):
        column.metric(label, value, delta, delta_color="off")


def _tables(found: Answer) -> None:
    rows = [
        {
            "source": row["source"],
            "language": row["lang"],
            "documents": row["documents"],
            "kept before": row["kept_before"],
            "kept after": row["kept_after"],
            "newly kept": row["newly_kept"],
            "newly dropped": row["newly_dropped"],
            "MB before": round(row["bytes_before"] / _MEGABYTE, 3),
            "MB after": round(row["bytes_after"] / _MEGABYTE, 3),
        }
        for row in found.groups
    ]
    st.subheader("By source and language")
    st.dataframe(pl.DataFrame(rows), hide_index=True, placeholder="", key="groups", height="content")
    with st.expander("Each rule alone"):
        st.dataframe(_rules(found), hide_index=True, placeholder="", key="rules")


def _rules(found: Answer) -> pl.DataFrame:
    names = {
        "fails": "fails", "only": "only it", "kept_without": "kept more without it",
        "near_dropped": "near, dropped", "near_kept": "near, kept",
    }  # fmt: skip
    rows = [
        {"rule": row["reason"], "language": row["lang"], **{name: row[key] for key, name in names.items()}}
        for row in found.rules
        if row["fails"] or row["near_kept"]
    ]
    return (
        pl.DataFrame(rows, infer_schema_length=None).sort("only it", descending=True)
        if rows
        else pl.DataFrame()
    )


def _changed(found: Answer) -> None:
    total = found.total
    for column, is_kept in zip(st.columns(2), (True, False), strict=True):
        word = "kept" if is_kept else "dropped"
        own = [sample for sample in found.samples if sample.is_kept == is_kept]
        with column:
            st.subheader(f"Newly {word}: {total[f'newly_{word}']:,}")
            for at, sample in enumerate(own[:_SHOWN]):
                _sample(sample, f"read {word} {at}")
            if not own:
                st.caption("None.")
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    left.number_input("Shown for each reason", 1, 20, 5, key="samples")
    right.button("Others", on_click=_others, key="others")


def _others() -> None:
    st.session_state.seed += 1


def _near(run: Opened) -> None:
    """Before anything is moved: what the chosen bound decides now, on both sides of it."""
    scope: Scope | None = st.session_state.get("scope")
    signal = st.session_state.get(f"signal {scope}")
    if scope is None or signal is None:
        return
    own = moved_bounds.sides(run.filter, scope, signal)
    side = next((name for name, edge in zip(("low", "high"), own, strict=True) if edge is not None), None)
    if side is None:
        return
    for column, is_kept in zip(st.columns(2), (True, False), strict=True):
        with column:
            st.subheader(f"Nearest that are {'kept' if is_kept else 'dropped'}")
            st.html(marked_text.line(f"to {signal}: {moved_bounds.interval(own)}", "cj-small"))
            readings = held.near(run, scope, signal, side, is_kept)
            for at, reading in enumerate(readings):
                said = [
                    f"{reading.columns['source']} · {scope.lang}",
                    f"{signal} {number(reading.signals[signal])}",
                ]
                key, place = f"near {is_kept} {at}", searching.place_of(reading)
                _card(reading.id, said, reading.text[:TEXT_CHARS], scope.lang, key, place)
            if not readings:
                st.caption("None.")


def _sample(sample: Sample, key: str) -> None:
    said = [f"{sample.source} · {sample.lang}", *map(_change, sample.changes)]
    _card(sample.id, said, sample.text, sample.lang, key, sample.id)


def _card(id_: str, said: Iterable[str], text: str, lang: str, key: str, document: str) -> None:
    """The beginning of a document, what there is to say of it, and a button that opens it."""
    with st.container(border=True):
        lines = [marked_text.line(id_, "cj-id"), *(marked_text.line(one, "cj-small") for one in said)]
        more = "…" if len(text) == TEXT_CHARS else ""
        st.html("".join(lines) + marked_text.block(marked_text.escaped(text + more), lang, scroll=False))
        st.button("Read", key=key, on_click=read, args=(document,))


def _change(change: dict[str, Any]) -> str:
    word = "now" if change["is_new"] else "no more"
    if "value" not in change:
        return f"{word} {change['reason']}"
    was, then = change["before"] or "no bound", change["after"] or "no bound"
    return f"{word} {change['reason']}: {number(change['value'])}; bound {was} → {then}"


def read(document: str) -> None:
    """Open a document in its view."""
    st.session_state.document = document
    kept_values.lay("view", "Documents")


def _kept_settings(run: Opened, settings: tuple[str, ...]) -> None:
    with st.expander("Save these bounds, or make them the run's decision"):
        st.text("Nothing of the run changes until this is typed in a terminal:")
        st.code(moved_bounds.command(run.root, settings, write=True), language="bash", wrap_lines=True)
        st.text("In your own recipe, under filter:")
        st.code(moved_bounds.patch(st.session_state.moved), language="yaml")
        suggested = recipe_file.free_name(run.folder, run.documents.recipe.name)
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        name = left.text_input("Or as a recipe of its own", suggested, key="file")
        if right.button("Save", key="save"):
            written = recipe_file.save(run.folder, name, recipe_file.text(run.root, st.session_state.moved))
            st.html(marked_text.line(f"Written: {written}"))
