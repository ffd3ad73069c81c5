"""Asks the installed `tokenizers` which class each code point has, and writes the answer down as unicode_classes.txt.

Only the test that guards the file and whoever renews it come here. `tokenizers` carries Oniguruma, and Oniguruma its
own edition of Unicode; a tokenizer that is trained by one edition and used by another would cut text at two places.
"""

from __future__ import annotations

import sys
from functools import cache

import numpy as np

from chejil.tokenizer.unicode_classes import CATEGORIES, SCRIPTS

SURROGATES = range(0xD800, 0xE000)
"""No text holds them."""

_PROPERTIES = {"white": r"\s"}


def census() -> np.ndarray:
    """Category and script of every code point as `tokenizers` sees them, (0x110000) uint8, as in `unicode_classes`."""
    table = np.zeros(sys.maxunicode + 1, np.uint8)
    for number, name in enumerate(CATEGORIES):
        if number:
            table[members(_PROPERTIES.get(name, rf"\p{{{name}}}"))] = number
    for number, name in enumerate(SCRIPTS):
        if number:
            table[members(rf"\p{{{name}}}")] |= number << 4
    return table


def members(regex: str) -> np.ndarray:
    """Code points that Oniguruma's class matches: what is left of the text of all when the class is cut out of it."""
    from tokenizers import Regex, pre_tokenizers

    split = pre_tokenizers.Split(Regex(f"{regex}+"), "removed")
    others = "".join(piece for piece, _ in split.pre_tokenize_str(_every_code_point()))
    found = np.ones(sys.maxunicode + 1, bool)
    found[np.frombuffer(others.encode("utf-32-le"), np.uint32)] = False
    found[SURROGATES.start : SURROGATES.stop] = False
    return found


@cache
def _every_code_point() -> str:
    return "".join(chr(point) for point in range(sys.maxunicode + 1) if point not in SURROGATES)


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
