"""Tables of the signals, as YAML: what a linguist edits without reading a kernel; each names its origin."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml


@cache
def lexicon(name: str) -> dict[str, Any]:
    """The table `filters/lexicons/NAME.yaml`.

    >>> lexicon("function_words")["en"][0]
    'the'
    """
    return yaml.safe_load((resources.files(__name__) / f"{name}.yaml").read_text("utf-8"))
