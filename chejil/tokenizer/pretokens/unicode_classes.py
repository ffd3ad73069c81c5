"""Category and script of every code point as `tokenizers` sees them, from a file of the package, for the splitters.

The file (unicode_classes.txt, 18 KB) is what the Oniguruma of `tokenizers` 0.23 answers (Unicode 16; class_census.py
asks it), so that boundaries do not depend on the Unicode of this Python: `unicodedata` of 3.11 is two editions older,
and the `regex` package one younger, with 17,144 more letters. A byte a code point: the category in the low four bits,
the script above them. The table is 2 MiB so that no four bytes, valid or not, lead outside; a page of text touches a
few lines of it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

CATEGORIES = ("other", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "white")
"""By their numbers in the file's table; `white` is `\\s`."""

SCRIPTS = ("other", "Hangul", "Han", "Latin", "Hiragana", "Katakana")

HANGUL, HAN, LATIN = 1, 2, 3

OTHER, UPPER, LOWER, TITLE, MODIFIER, CASELESS, MARK, NUMBER, BLANK, NEWLINE, SPACE = range(11)
"""Categories as kernels see them: of white space, CR and LF and U+0020 have their own."""

CATEGORY_BITS, SCRIPT_SHIFT = 0x0F, 4
TABLE_SIZE = 1 << 21
"""All that the 21 bits of a four-byte sequence can say."""


@cache
def classes() -> np.ndarray:
    """For the kernels: category and script of every code point, (TABLE_SIZE) uint8, read-only.

    >>> [int(classes()[ord(c)]) & CATEGORY_BITS for c in "가 7a\\n"] == [
    ...     CASELESS,
    ...     SPACE,
    ...     NUMBER,
    ...     LOWER,
    ...     NEWLINE,
    ... ]
    True
    """
    table = stored()
    table[[0x0A, 0x0D]] = NEWLINE
    table[0x20] = SPACE
    table.flags.writeable = False
    return table


def stored() -> np.ndarray:
    """The file's table, without the kernels' own categories."""
    table = np.zeros(TABLE_SIZE, np.uint8)
    for line in (files("chejil.tokenizer.pretokens") / "unicode_classes.txt").read_text("ascii").splitlines():
        category, script, *ranges = line.split()
        value = CATEGORIES.index(category) | SCRIPTS.index(script) << SCRIPT_SHIFT
        for bounds in ranges:
            first, _, last = bounds.partition("-")
            table[int(first, 16) : int(last or first, 16) + 1] = value
    return table
