"""Sixty-four bytes at once say what Python says of each character."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from chejil.filters.byte_blocks import BLOCK, LOOK_AHEAD, word_masks

EDGES = [
    0x4FFF,
    0x5000,
    0x8FFF,
    0x9000,
    0xABFF,
    0xAC00,
    0xD73F,
    0xD77F,
    0xD780,
    0xD7A3,
    0xD7A4,
    0xD7FF,
    0x200F,
    0x2010,
]
EDGES += [0x2027, 0x2028, 0x203F, 0x1100, 0x3131, 0xA0, 0x3000, 0x1F600, 0x7F, 0x80, 0x85, *range(0x80)]
TEXTS = st.text(
    st.sampled_from([chr(code) for code in EDGES]) | st.sampled_from("가힣힘漢aZ 0.—") | st.characters()
)


@njit
def masks(data, i, folded):
    """Through a kernel: intrinsics are no functions."""
    return word_masks(data, i, folded)


def kinds(char):
    """Bits of a character's bytes in each of the four masks."""
    size, code = len(char.encode()), ord(char)
    plain = 0x5000 <= code <= 0x8FFF or 0xAC00 <= code <= 0xD7A3
    mark = 0x2010 <= code <= 0x2027
    yield int(char.isascii() and char.isspace())
    yield int(char.isascii() and char.isalnum()) if size == 1 else (1 << size) - (1 if plain else 2)
    yield int(mark)
    yield int(size > 1 and not plain and not mark)


@given(TEXTS.map(lambda text: "".join(c for c in text if not 0xD800 <= ord(c) < 0xE000)))
def test_the_masks_of_a_block_are_those_of_its_characters(text):
    """White space, words, marks and others, and ASCII in lower case."""
    data = np.frombuffer(text.encode() + b"!" * (BLOCK + LOOK_AHEAD), np.uint8)
    folded, expected, place = np.zeros(BLOCK, np.uint8), [0, 0, 0, 0], 0
    for char in text:
        expected = [mask | bits << place for mask, bits in zip(expected, kinds(char), strict=True)]
        place += len(char.encode())

    found = masks(data, 0, folded)

    assert [int(mask) for mask in found] == [mask % (1 << BLOCK) for mask in expected]
    assert folded.tobytes() == data[:BLOCK].tobytes().lower()
