"""The class table agrees with `unicodedata`, and the decoding step with Python's UTF-8."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import example, given

from chejil.filters.unicode_classes import (
    ALPHABETIC,
    CLASS_BITS,
    CLASS_NAMES,
    class_table,
    next_char,
)

from .reference import char_class, is_letter
from .strategies import free_text

EVERY_CHAR = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]


def name_of(char: str) -> str:
    return CLASS_NAMES[class_table()[ord(char)] & CLASS_BITS]


def test_white_space_is_that_of_split():
    """A character is white space exactly where `str.split()` splits."""
    assert [char for char in EVERY_CHAR if name_of(char) == "whitespace"] == [
        char for char in EVERY_CHAR if not char.split()
    ]


def test_alphabetic_is_that_of_isalpha():
    """The alphabetic flag is `str.isalpha` for every code point but the Hangul fillers."""
    flags = class_table()[[ord(char) for char in EVERY_CHAR]] & ALPHABETIC != 0
    assert flags.tolist() == [is_letter(char) for char in EVERY_CHAR]


def test_every_class_agrees_with_the_reference():
    """The table gives each code point of the planes in use the class that the plain reference gives."""
    sample = EVERY_CHAR[:0x3000] + EVERY_CHAR[0x3000:0x32400:7] + EVERY_CHAR[-0x100:]
    assert [char for char in sample if name_of(char) != char_class(char)] == []


@pytest.mark.parametrize(
    ("char", "name"),
    [
        ("힣", "hangul"),
        ("ᄀ", "conjoining"),
        ("ꥠ", "conjoining"),
        ("ㅋ", "jamo"),
        ("ﾡ", "jamo"),
        ("漢", "hanja"),
        ("金", "hanja"),  # U+F90A, the compatibility form of KS X 1001
        ("𠀀", "hanja"),
        ("ー", "kana"),
        ("ｱ", "half_kana"),
        ("Ａ", "latin"),
        ("Ж", "other_letters"),
        ("Ⅷ", "digits"),
        ("👍", "punct"),
        ("\u0301", "marks"),
        ("\u200d", "controls"),
        ("\ufffd", "broken"),
        ("\ue000", "broken"),
        ("\x9f", "broken"),
        ("\x85", "whitespace"),
        ("\u3000", "whitespace"),
        ("\u3163", "jamo"),
        ("\u3164", "controls"),  # Hangul filler, between two blocks of jamo
        ("\u3165", "jamo"),
        ("\uffa0", "controls"),  # half-width filler
        ("\u2800", "controls"),  # blank Braille pattern
        ("\u115f", "conjoining"),  # the fillers of old Hangul
        ("\u1160", "conjoining"),
    ],
)
def test_scripts_are_their_true_blocks(char, name):
    """Each script is its own blocks; [ㄱ-힣] would call Hanja Hangul."""
    assert name_of(char) == name


@given(free_text)
@example("가a\u07ff\u0800\uffff\U00010000\U0010ffff")
def test_decoding_gives_back_the_text(text):
    """Walking the bytes gives every code point."""
    data = np.frombuffer(text.encode(), np.uint8)
    i, walked = 0, []
    while i < len(data):
        code, after = next_char(data, i)
        walked.append(chr(code))
        i = after
    assert "".join(walked) == text
