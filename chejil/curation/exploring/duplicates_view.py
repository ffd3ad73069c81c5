"""Clusters of duplicates: the largest ones, and two documents of one side by side, different words marked."""

from __future__ import annotations

from typing import Any

import streamlit as st

from chejil.curation.exploring import clusters, held, kept_values, marked_text
from chejil.curation.exploring.held import Opened


def show(run: Opened) -> None:
    """Draw the view."""
    kept_values.first("kind", "near")
    st.session_state.setdefault("cluster", None)
    picked_kind = st.segmented_control(
        "Duplicates that are", list(clusters.KINDS), default=kept_values.value("kind"),
        key=kept_values.key("kind"), required=True,
    )  # fmt: skip
    kind = picked_kind or "near"
    largest = held.largest_clusters(run, kind)
    if largest.is_empty():
        st.info(f"This run has no {kind} clusters.")
        return
    picked = st.dataframe(
        largest,
        hide_index=True,
        placeholder="",
        on_select="rerun",
        selection_mode="single-row",
        height=220,
        key=f"clusters {kind}",
    )
    chosen = picked["selection"]["rows"]
    if chosen and (kind, chosen[0]) != st.session_state.get("chosen cluster"):
        st.session_state["cluster"] = largest["cluster"][chosen[0]]
    st.session_state["chosen cluster"] = (kind, chosen[0]) if chosen else None
    _cluster(run, kind, st.session_state["cluster"] or largest["cluster"][0])


def _cluster(run: Opened, kind: str, cluster: Any) -> None:
    members, total = clusters.members(run.root, run.documents.content, kind, cluster)
    if len(members) < 2:
        st.session_state["cluster"] = None
        st.info("Choose a cluster.")
        return
    listed = f": the first {len(members):,} of {total:,} documents are listed" if len(members) < total else ""
    st.html(marked_text.line(f"Cluster {cluster}{listed}", "cj-small"))
    names = [f"{'kept' if doc['kept'] else 'dropped'} · {doc['id']}" for doc in members]
    picked, columns = [], st.columns(2)
    for at, column in enumerate(columns):
        number = column.selectbox(
            f"{'One' if at == 0 else 'Other'} of {total:,} documents", range(len(members)), index=at,
            format_func=names.__getitem__, key=f"member {at} {kind} {cluster}",
        )  # fmt: skip
        picked.append(members[number])
    one, other, diff = clusters.compared(run.root, run.documents.recipe, *picked)
    texts = marked_text.both(one, other, diff)
    for column, text, document in zip(columns, texts, picked, strict=True):
        column.html(marked_text.block(text or "(empty)", document["lang"]))
    said = f"{diff.num_removed_words:,} words only on the left, {diff.num_added_words:,} only on the right"
    st.text(said + ("" if diff.complete else "; only the first words were compared"))
