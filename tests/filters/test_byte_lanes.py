"""Arithmetic on eight bytes at once says what a loop over them says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters.byte_lanes import leading_ascii_word

LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
EDGES = bytes(code + step for code in b"AZaz09" for step in (-1, 0, 1))
BYTES = st.lists(
    st.sampled_from(LETTERS) | st.sampled_from(EDGES) | st.integers(0, 255), min_size=8, max_size=8
)


def slow(eight):
    """Byte by byte."""
    size = next((place for place, byte in enumerate(eight) if byte not in LETTERS), 8)
    return int.from_bytes(bytes(eight[:size]).lower(), "little"), 8 * size


@given(BYTES)
def test_the_letters_that_eight_bytes_begin_with(eight):
    """Lower case, up to the first byte that is neither letter nor digit, whatever stands behind it."""
    found = leading_ascii_word(np.uint64(int.from_bytes(bytes(eight), "little")))

    assert tuple(map(int, found)) == slow(eight)
