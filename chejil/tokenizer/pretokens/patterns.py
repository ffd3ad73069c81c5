"""Pre-tokenisation patterns by name (patterns.yaml), by their regex, or of one's own.

A named pattern has a compiled matcher (splitting.py). Any other regex is done by `tokenizers` itself, 20 to 50 times
slower, with the same boundaries that a tokenizer.json with it would have.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from chejil.errors import ChejilError, did_you_mean

OWN = "regex:"
"""What a regex of one's own begins with, where a name could stand."""


@dataclass(frozen=True)
class Pattern:
    """How text is cut.

    Args:
        name: one of patterns.yaml, or `regex:` and the regex.
        regex: for `tokenizers` (Oniguruma).
        code: of its compiled matcher in splitting.py; None where there is none.
    """

    name: str
    regex: str
    about: str = ""
    code: int | None = None


@cache
def named() -> dict[str, Pattern]:
    """All patterns of patterns.yaml."""
    return {name: Pattern(name, row["regex"], row["about"], row["code"]) for name, row in _rows().items()}


@cache
def _rows() -> dict[str, dict]:
    return yaml.safe_load((files("chejil.tokenizer.pretokens") / "patterns.yaml").read_text("utf-8"))


def pattern(name: str) -> Pattern:
    """The pattern of a name, or of `regex:` and a regex.

    >>> pattern("gpt2").code, pattern(r"regex:\\w+|\\W+").code
    (0, None)

    Raises:
        ChejilError: no such name, or a regex that Oniguruma does not read.
    """
    if name.startswith(OWN):
        return by_regex(name.removeprefix(OWN))
    if name not in named():
        mend = did_you_mean(name, named()) + f"; `{OWN}REGEX` takes a regex of your own"
        raise ChejilError(f"no pattern '{name}'", mend=mend)
    return named()[name]


def by_regex(regex: str) -> Pattern:
    """The named pattern that has this regex (or a known spelling of the same), else one without a compiled matcher.

    Raises:
        ChejilError: Oniguruma does not read it.
    """
    for name, row in _rows().items():
        if regex in (row["regex"], *row.get("also", ())):
            return named()[name]
    _require_readable(regex)
    return Pattern(OWN + regex, regex)


def _require_readable(regex: str) -> None:
    from tokenizers import Regex

    try:
        Regex(regex)
    except Exception as error:  # `tokenizers` raises bare Exception
        mend = "write it as Oniguruma reads it, e.g. \\p{L}+|[^\\p{L}]"
        raise ChejilError(f"no regex: {error}", where=regex, mend=mend) from None
