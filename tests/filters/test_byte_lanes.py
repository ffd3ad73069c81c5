"""Instructions on integers say what Python's own arithmetic says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from chejil.filters.byte_lanes import set_bits, trailing_zeros, wide_product

NUMBERS = st.integers(0, 2**64 - 1)


@njit
def counts(value):
    """Through a kernel: intrinsics are no functions."""
    return set_bits(value), trailing_zeros(value)


@njit
def product(one, other):
    """Through a kernel."""
    return wide_product(one, other)


@given(NUMBERS)
def test_bits_are_counted(value):
    """Ones, and zeros below the lowest one; none of the first in 0, and 64 of the second."""
    lowest = (value & -value).bit_length() - 1 if value else 64

    assert counts(np.uint64(value)) == (value.bit_count(), lowest)


@given(NUMBERS, NUMBERS)
def test_a_wide_product_folds_its_upper_half_into_the_lower_one(one, other):
    """128 bits of product, none of them lost."""
    whole = one * other

    assert int(product(np.uint64(one), np.uint64(other))) == (whole >> 64) ^ (whole & (2**64 - 1))
