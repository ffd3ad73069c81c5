"""What kind of character a code point is, as one byte, and the UTF-8 decoding step that every kernel uses.

One table of 1,114,112 bytes answers for every code point: the low four bits are its class, bit 4 whether it
is alphabetic as `str.isalpha` (Hangul fillers are not). A page of Korean or English touches a few cache lines
of it, so a lookup costs about a nanosecond, where `unicodedata.category` costs a hundred and a Python string.
Classes of scripts come from `lexicons/unicode_blocks.yaml`, all others from the general category (Unicode Standard,
section 4.5). It is built in about 50 ms, once a process, when it is first asked for.

Numba's cache watches the file of a kernel, not those that it calls: after an edit of `next_char` remove
`__pycache__`, or the kernels keep the old step.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import numpy as np
from numba import njit

from chejil.filters.lexicons import lexicon

WHITESPACE, HANGUL, CONJOINING, JAMO, HANJA, KANA, HALF_KANA, LATIN = range(8)
LETTER, DIGIT, PUNCT, MARK, CONTROL, BROKEN = range(8, 14)
NUM_CLASSES = 14
CLASS_NAMES = (
    "whitespace", "hangul", "conjoining", "jamo", "hanja", "kana", "half_kana", "latin",
    "other_letters", "digits", "punct", "marks", "controls", "broken",
)  # fmt: skip
"""Counters of the classes, in the order of their numbers."""

CLASS_BITS = 0x0F
ALPHABETIC = 0x10

_BY_MAJOR_CATEGORY = {"L": LETTER, "N": DIGIT, "P": PUNCT, "S": PUNCT, "M": MARK, "Z": CONTROL, "C": CONTROL}
_LAST_ASSIGNED_PLANES = (range(0x32400), range(0xE0000, 0xE0200))
_PRIVATE_PLANES = 0xF0000
_REPLACEMENT = 0xFFFD


@cache
def class_table() -> np.ndarray:
    """Class and flags of every code point, (0x110000) uint8, read-only.

    White space is what `str.split()` splits at, line separators and U+0085 among it. `BROKEN` are U+FFFD,
    private use, surrogates, noncharacters and C1 controls: what a wrong decoding leaves. Unassigned points
    are `CONTROL`, so that an emoji younger than the interpreter's Unicode is not called broken. So are the
    Hangul fillers that stand alone and the blank Braille pattern, no letters to a reader.

    >>> [CLASS_NAMES[class_table()[ord(c)] & CLASS_BITS] for c in "가ㅋ漢あa7"]
    ['hangul', 'jamo', 'hanja', 'kana', 'latin', 'digits']
    """
    table = np.full(sys.maxunicode + 1, CONTROL, np.uint8)
    table[_PRIVATE_PLANES:] = BROKEN
    for plane in _LAST_ASSIGNED_PLANES:
        table[plane.start : plane.stop] = [_class_by_category(chr(point)) for point in plane]
    _mark_scripts(table)
    _mark_blanks(table)
    table.flags.writeable = False
    return table


def _class_by_category(char: str) -> int:
    if char.isspace():
        return WHITESPACE
    category = unicodedata.category(char)
    if category in ("Co", "Cs") or (category == "Cc" and char >= "\x80") or ord(char) == _REPLACEMENT:
        return BROKEN
    if category == "Cn" and (ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF):
        return BROKEN
    return _BY_MAJOR_CATEGORY[category[0]] | (ALPHABETIC if char.isalpha() else 0)


def _mark_scripts(table: np.ndarray) -> None:
    for number, name in enumerate(CLASS_NAMES):
        for first, last in lexicon("unicode_blocks").get(name, ()):
            block = table[first : last + 1]
            letters = (block & CLASS_BITS == LETTER) | (block & ALPHABETIC != 0)
            block[letters] = number | ALPHABETIC


def _mark_blanks(table: np.ndarray) -> None:
    for first, last in lexicon("unicode_blocks")["blanks"]:
        table[first : last + 1] = CONTROL


@njit(cache=True, nogil=True)
def next_char(data, i):
    """The code point that starts at byte `i`, and where the next one starts. The bytes must be valid UTF-8.

    ASCII and three bytes (Hangul, Hanja, kana) come first: together they are 99 % of Korean and English text.
    """
    lead = np.int64(data[i])
    if lead < 0x80:
        return lead, i + 1
    second = np.int64(data[i + 1]) & 0x3F
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | second, i + 2
    third = np.int64(data[i + 2]) & 0x3F
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | second << 6 | third, i + 3
    return (lead & 0x07) << 18 | second << 12 | third << 6 | np.int64(data[i + 3]) & 0x3F, i + 4
