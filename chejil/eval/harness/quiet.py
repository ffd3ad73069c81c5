"""lm-eval without its noise and, where files are at hand, without the network.

It logs prompts as warnings, draws its own bars, prints batch sizes to stdout, and asks the hub for data sets and
metrics before anything else. What a user must know of it is said by run.py: prompts that were cut, items not there.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from chejil.training import library_logs

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
        stack.enter_context(_no_bars_of_requests())  # imports it: its own level is set by that
        stack.enter_context(library_logs.silenced(*_LOGGERS))
        yield


@contextmanager
def _no_bars_of_requests() -> Iterator[None]:
    import lm_eval.api.task as requests

    bar: Any = requests.tqdm
    requests.tqdm = functools.partial(bar, disable=True)
    try:
        yield
    finally:
        requests.tqdm = bar
