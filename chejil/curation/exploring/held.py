"""What the page holds between two moves: the run that is open, and answers, by content of its manifest.

Streamlit runs the page's script anew for every click. What a run says does not change until its manifest does (after
`whatif --write`), so the manifest's size and time, or its ETag, are part of every key.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import streamlit as st

from chejil.curation import lookup, shards
from chejil.curation.browsing.readings import Reading
from chejil.curation.browsing.run_documents import RunDocuments
from chejil.curation.explain import Explanation
from chejil.curation.explain import explain as explained
from chejil.curation.exploring import clusters, distributions, searching
from chejil.curation.exploring.distributions import Distribution
from chejil.curation.exploring.moved_bounds import Scope
from chejil.curation.filtering import Filter
from chejil.curation.manifest import PATH
from chejil.curation.whatif import deciders
from chejil.curation.whatif.answer import Answer
from chejil.curation.whatif.question import Question
from chejil.curation.whatif.whatif import predict

_ANSWERS = 64


@dataclass(frozen=True)
class Opened:
    """A run as it is now; `key` changes with its manifest, `folder` is where recipes are saved."""

    root: str
    folder: str
    key: str
    documents: RunDocuments

    @property
    def filter(self) -> Filter:
        """The settings whose bounds are moved."""
        return self.documents.recipe.stage("filter")

    @property
    def is_slow(self) -> bool:
        """True if a stage behind the filter cuts text: other bounds are then asked when a button says so."""
        return deciders.change_text(self.documents.recipe)


def opened(root: str, folder: str) -> Opened:
    """The run, read again if its manifest has changed.

    Raises:
        RunError: it is no finished run, or has no filter.
    """
    files, path = shards.file_system(shards.join(root, PATH))
    files.invalidate_cache()
    key = str(files.ukey(path)) if files.exists(path) else ""
    return Opened(root, folder, key, _documents(root, key))


@st.cache_resource(max_entries=4, show_spinner=False)
def _documents(root: str, key: str) -> RunDocuments:
    Question.of(root)  # says what is missing, with how to mend it
    return RunDocuments(root)


def answer(run: Opened, settings: tuple[str, ...], samples: int, seed: int) -> Answer:
    """What `chejil whatif` says of these settings."""
    return _answer(run.root, run.key, settings, samples, seed)


@st.cache_resource(max_entries=_ANSWERS, show_spinner="Judging again …")
def _answer(root: str, key: str, settings: tuple[str, ...], samples: int, seed: int) -> Answer:
    return predict(Question.of(root, settings=settings, samples=samples, seed=seed))


def distribution(run: Opened, scope: Scope, signal: str) -> Distribution:
    """Values of a signal."""
    return _distribution(run.root, run.key, scope, signal)


@st.cache_resource(max_entries=_ANSWERS, show_spinner="Reading a signal …")
def _distribution(root: str, key: str, scope: Scope, signal: str) -> Distribution:
    return distributions.distribution(root, _documents(root, key).content, scope, signal)


def signals(run: Opened) -> list[str]:
    """Those that can be bounded."""
    return _signals(run.root, run.key)


@st.cache_resource(max_entries=4, show_spinner=False)
def _signals(root: str, key: str) -> list[str]:
    return distributions.signals_of(root, _documents(root, key).content)


def near(run: Opened, scope: Scope, signal: str, side: str, kept: bool, most: int = 3) -> list[Reading]:
    """Documents closest to a bound."""
    return _near(run.root, run.key, scope, signal, side, kept, most)


@st.cache_resource(max_entries=_ANSWERS, show_spinner="Reading what lies near …")
def _near(root: str, key: str, scope: Scope, signal: str, side: str, kept: bool, most: int) -> list[Reading]:
    return searching.near(_documents(root, key), scope, signal, side, kept, most)


def largest_clusters(run: Opened, kind: str) -> pl.DataFrame:
    """Clusters by size."""
    return _clusters(run.root, run.key, kind)


@st.cache_resource(max_entries=4, show_spinner="Reading clusters …")
def _clusters(root: str, key: str, kind: str) -> pl.DataFrame:
    return clusters.largest(root, _documents(root, key).content, kind)


def explanation(run: Opened, document: str) -> Explanation | list[dict]:
    """Everything that the run knows of a document."""
    return _explanation(run.root, run.key, document)


@st.cache_resource(max_entries=_ANSWERS, show_spinner="Reading the document …")
def _explanation(root: str, key: str, document: str) -> Explanation | list[dict]:
    return explained(root, document)


def place(run: Opened, document: str) -> tuple[str, int] | None:
    """Shard and row of a document."""
    return _place(run.root, run.key, document)


@st.cache_resource(max_entries=_ANSWERS, show_spinner=False)
def _place(root: str, key: str, document: str) -> tuple[str, int] | None:
    found = lookup.find(root, _documents(root, key).content, document)
    return found[:2] if found else None
