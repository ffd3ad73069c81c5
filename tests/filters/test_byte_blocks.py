"""Sixty-four bytes at once say what Python says of each character."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from chejil.filters.byte_blocks import BLOCK, LOOK_AHEAD, word_masks

HANJA, HANGUL = "\u4dff\u4e00\u4fff\u5000\u8fff\u9000\u9fff\ua000\uabff", "가\ud73f\ud77f\ud780힣\ud7a4\ud7ff"
EDGES = HANJA + HANGUL + "\u200f\u2010\u2027\u2028\u202f"
FILLER = b"!" * (BLOCK + LOOK_AHEAD)


@njit
def masks(data, i, lowered):
    """Through a kernel: intrinsics are no functions."""
    return word_masks(data, i, lowered)


def kinds(char):
    """Bits of a character's bytes in each of the four masks."""
    size, code = len(char.encode()), ord(char)
    plain = 0x4E00 <= code <= 0x9FFF or 0xAC00 <= code <= 0xD7A3
    mark = 0x2010 <= code <= 0x2027
    yield int(char.isascii() and char.isspace())
    yield int(char.isascii() and char.isalnum()) if size == 1 else (1 << size) - (1 if plain else 2)
    yield int(mark)
    yield int(size > 1 and not plain and not mark)


def expected(text):
    """The four masks and the block in lower case, in plain Python."""
    found, place = [0, 0, 0, 0], 0
    for char in text:
        found = [mask | bits << place for mask, bits in zip(found, kinds(char), strict=True)]
        place += len(char.encode())
    return [mask % (1 << BLOCK) for mask in found], (text.encode() + FILLER)[:BLOCK].lower()


def found(text):
    """The same by the kernel."""
    lowered = np.zeros(BLOCK, np.uint8)
    said = masks(np.frombuffer(text.encode() + FILLER, np.uint8), 0, lowered)
    return [int(mask) for mask in said], lowered.tobytes()


def test_each_character_is_what_python_says():
    """All of the first two planes, and some of the others."""
    codes = [*range(0xD800), *range(0xE000, 0x20000), *range(0x20000, 0x110000, 997)]

    assert [code for code in codes if found(chr(code)) != expected(chr(code))] == []


@pytest.mark.parametrize("before", range(BLOCK - 3, BLOCK + 1))
def test_a_character_that_the_block_ends_within_is_what_it_is(before):
    """What stands behind the block is looked at: the second and third byte say what the first one is."""
    for char in EDGES:
        text = "a" * before + char

        assert found(text) == expected(text)


@given(
    st.lists(st.sampled_from(list(EDGES)) | st.sampled_from("가힘漢aZ 0.—é😀\n"), min_size=20).map("".join)
)
def test_the_masks_of_a_block_are_those_of_its_characters(text):
    """White space, words, marks and others, and ASCII in lower case."""
    assert found(text) == expected(text)
