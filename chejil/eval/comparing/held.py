"""What the server's process holds for all who look: each model once, however often and by whomever the page is opened.

`st.cache_resource` keeps one object by place, template, device and dtype, and lets a second page wait while the first
loads it. A model that could not be loaded is not kept: the next question tries again.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from chejil.errors import ChejilError
from chejil.eval.chatting.speaker import Speaker
from chejil.eval.comparing import asked_models, votes
from chejil.eval.comparing.asked_models import Asked, AskedModel
from chejil.eval.comparing.silent import Silent
from chejil.eval.comparing.votes import Box
from chejil.eval.comparing.wins import WinTable, table
from chejil.eval.judging import prompts
from chejil.eval.judging.prompts import PromptSet


def speakers(asked: Asked) -> list[Speaker]:
    """All models; one that cannot be loaded says why when it is asked."""
    found: list[Speaker] = []
    for model in asked.models:
        try:
            found.append(_speaker(model, asked.device, asked.dtype, asked.key_env))
        except ChejilError as error:
            found.append(Silent(model.name, error))
    return found


@st.cache_resource(show_spinner=False, hash_funcs={AskedModel: AskedModel.model_dump_json})
def _speaker(model: AskedModel, device: str, dtype: str, key_env: str | None) -> Speaker:
    return asked_models.load(model, device, dtype, key_env)


@st.cache_resource(show_spinner=False, max_entries=4)
def prompt_set(path: str) -> PromptSet:
    """The prompts, as they were when the server started."""
    return prompts.load(path)


def box(path: str) -> Box:
    """The votes as they are now; anybody may have added some."""
    return _box(path, _state(path))


def wins(path: str, models: tuple[str, ...]) -> WinTable:
    """The table as it is now."""
    return _wins(path, _state(path), models)


def _state(path: str) -> tuple[int, int]:
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


@st.cache_resource(show_spinner=False, max_entries=2)
def _box(path: str, state: tuple[int, int]) -> Box:
    return votes.read(path)


@st.cache_resource(show_spinner=False, max_entries=2)
def _wins(path: str, state: tuple[int, int], models: tuple[str, ...]) -> WinTable:
    return table(_box(path, state), models)
