"""Code, scripts that the tokenizer was not trained on, emoji, chat: texts of our own, and what becomes of them."""

from __future__ import annotations

import itertools
import unicodedata
from functools import cache
from importlib import resources
from typing import Any

import pyarrow as pa
import yaml

from chejil.filters.buffers import TextBuffers
from chejil.tokenizer.measuring.alignment import align
from chejil.tokenizer.measuring.opening import Opened

SHOWN_TOKENS = 40


@cache
def texts() -> dict[str, str]:
    """By name; the one that is called NFD comes decomposed, whatever an editor did to the file."""
    found = yaml.safe_load((resources.files("chejil.tokenizer.measuring") / "probes.yaml").read_text("utf-8"))
    return {
        name: unicodedata.normalize("NFD", text) if name == "NFD" else text for name, text in found.items()
    }


def probes(opened: Opened) -> dict[str, Any]:
    """Of each text: characters, bytes, tokens, whether it comes back as it was, and the first tokens."""
    found = {}
    for name, text in texts().items():
        buffers = TextBuffers.of(pa.array([text], pa.large_string()))
        aligned = align(buffers, opened)
        data, ends = text.encode(), [0, *aligned.ends.tolist()[:SHOWN_TOKENS]]
        found[name] = {
            "chars": len(text),
            "bytes": len(data),
            "tokens": len(aligned.tokens.ids),
            "tokens_per_char": len(aligned.tokens.ids) / len(text),
            "same": bool(aligned.same[0]),
            "cut": [data[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(ends)],
        }
    return found
