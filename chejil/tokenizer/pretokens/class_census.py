"""Asks the installed `tokenizers` which class each code point has, and writes the answer down as unicode_classes.txt.

Only the test that guards the file and whoever renews it come here. `tokenizers` carries Oniguruma, and Oniguruma its
own edition of Unicode; a tokenizer that is trained by one edition and used by another would cut text at two places.
"""

from __future__ import annotations

import sys

import numpy as np

from chejil.tokenizer.pretokens.unicode_classes import CATEGORIES, SCRIPTS

SURROGATES = range(0xD800, 0xE000)
"""No text holds them."""

_PROPERTIES = {"white": r"\s"}


def census() -> np.ndarray:
    """Category and script of every code point as `tokenizers` sees them, (0x110000) uint8, as in `unicode_classes`."""
    categories = [_PROPERTIES.get(name, rf"\p{{{name}}}") for name in CATEGORIES[1:]]
    scripts = [rf"\p{{{name}}}" for name in SCRIPTS[1:]]
    every = np.arange(sys.maxunicode + 1)
    # Most code points are in no class: they are asked once.
    some = members("[" + "".join([*categories, *scripts]) + "]", np.delete(every, SURROGATES))
    table = np.zeros(len(every), np.uint8)
    for number, regex in enumerate(categories, 1):
        table[members(regex, some)] = number
    for number, regex in enumerate(scripts, 1):
        table[members(regex, some)] |= number << 4
    return table


def members(regex: str, points: np.ndarray) -> np.ndarray:
    """Those of some code points that Oniguruma's class matches: what is missing when it is cut out of their text."""
    from tokenizers import Regex, pre_tokenizers

    text = points.astype("<u4").tobytes().decode("utf-32-le")
    others = "".join(
        rest for rest, _ in pre_tokenizers.Split(Regex(f"{regex}+"), "removed").pre_tokenize_str(text)
    )
    return np.setdiff1d(points, np.frombuffer(others.encode("utf-32-le"), "<u4"))


def as_text(table: np.ndarray) -> str:
    """The table as the file holds it: a line a class, ranges of code points in hexadecimal."""
    starts = np.flatnonzero(np.r_[True, table[1:] != table[:-1]])
    ends = np.r_[starts[1:], len(table)] - 1
    lines = []
    for value in np.unique(table[table > 0]):
        ranges = [
            f"{start:X}-{end:X}" if end > start else f"{start:X}"
            for start, end in zip(starts, ends, strict=True)
            if table[start] == value
        ]
        lines.append(" ".join([CATEGORIES[value & 0xF], SCRIPTS[value >> 4], *ranges]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(as_text(census()), end="")
