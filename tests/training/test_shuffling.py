"""Orders from a key: one to one, and the same for good."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil.training.data import shuffling


@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
@settings(max_examples=100, deadline=None)
def test_each_number_stands_once(num, key):
    """Both shuffles are permutations."""
    assert sorted(shuffling.order(num, np.uint64(key))) == list(range(num))
    assert sorted(shuffling.places(0, num, num, np.uint64(key))) == list(range(num))


def test_orders_never_change():
    """A training goes on after an upgrade: these numbers are part of the format."""
    key = shuffling.key_of("rows", 1, "wiki-ko/ko", 0, 7)

    assert shuffling.order(10, key).tolist() == ORDER
    assert shuffling.places(0, 10, 10, key).tolist() == PLACES
    assert shuffling.place(10**12, 10**13, key) == FAR


def test_every_place_is_about_as_likely():
    """Where the first of ten goes, over 4,000 keys: within five standard deviations of 400."""
    for shuffled in (shuffling.order, lambda num, key: shuffling.places(0, num, num, key)):
        firsts = [int(shuffled(10, shuffling.key_of("test", number))[0]) for number in range(4000)]

        assert np.abs(np.bincount(firsts, minlength=10) - 400).max() < 95


ORDER = [4, 8, 5, 6, 9, 3, 1, 2, 0, 7]
PLACES = [5, 2, 0, 8, 3, 6, 9, 4, 7, 1]
FAR = 3652870535200
