"""lm-eval without its noise and, where files are at hand, without the network.

It logs prompts as warnings, draws its own bars, prints batch sizes to stdout, and asks the hub for data sets and
metrics before anything else. What a user must know of it is said by run.py: prompts that were cut, items not there.
"""

from __future__ import annotations

import functools
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_LOGGERS = ("lm_eval", "transformers", "datasets", "accelerate", "huggingface_hub", "evaluate")
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE", "TRANSFORMERS_OFFLINE")


@contextmanager
def offline() -> Iterator[None]:
    """Whatever is imported in the block takes the hub for unreachable."""
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def quiet() -> Iterator[None]:
    """No logs below an error, no bars, no warnings of the libraries."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_no_bars())  # imports them: their own levels are set by that
        for name in _LOGGERS:
            stack.enter_context(_level(logging.getLogger(name)))
        yield


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No logs below an error and no bars of transformers, which may not be installed."""
    try:
        from transformers.utils import logging as transformers_logging
    except ImportError:
        yield
        return
    was_on = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    with _level(logging.getLogger("transformers")):
        yield
    if was_on:
        transformers_logging.enable_progress_bar()


@contextmanager
def _level(logger: logging.Logger) -> Iterator[None]:
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _no_bars() -> Iterator[None]:
    import datasets
    import lm_eval.api.task as requests
    from transformers.utils import logging as transformers_logging

    bar: Any = requests.tqdm
    were_on = not datasets.are_progress_bars_disabled(), transformers_logging.is_progress_bar_enabled()
    requests.tqdm = functools.partial(bar, disable=True)
    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        requests.tqdm = bar
        if were_on[0]:
            datasets.enable_progress_bars()
        if were_on[1]:
            transformers_logging.enable_progress_bar()
