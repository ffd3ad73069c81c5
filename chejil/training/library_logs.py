"""The logs and progress bars of other libraries, silent while a block lasts; then they are as they were.

What a user must know of them is said by ours: weights that lack, the audit, the journal. A library is imported before
its level is set, since importing it sets it too.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

_BARS = {"transformers": "transformers.utils.logging", "datasets": "datasets.utils.logging"}
"""Where a library's bars are turned on and off."""


@contextmanager
def silenced(*names: str) -> Iterator[None]:
    """No bars of these libraries, and no logs below an error; one that is not installed says nothing anyway."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(no_bars(name))
            stack.enter_context(_errors_only(logging.getLogger(name)))
        yield


@contextmanager
def no_bars(name: str) -> Iterator[None]:
    """No progress bars of a library; only transformers and datasets have some that can be turned off."""
    module = _BARS.get(name)
    if module is None or find_spec(name) is None:
        yield
        return
    found: Any = importlib.import_module(module)
    were_on = found.is_progress_bar_enabled()
    found.disable_progress_bar()
    try:
        yield
    finally:
        if were_on:
            found.enable_progress_bar()


@contextmanager
def _errors_only(logger: logging.Logger) -> Iterator[None]:
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
