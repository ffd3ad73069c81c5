"""The step that spreads the bits of a hash: words, lines and windows of bytes are hashed with it."""

from __future__ import annotations

import numpy as np
from numba import njit

MIX = np.uint64(0xC2B2AE3D27D4EB4F)  # a prime of xxHash64
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd
OTHER = np.uint64(0x165667B19E3779F9)  # another prime of xxHash64


@njit(cache=True, nogil=True, inline="always")
def stir(value):
    """A value for each value, the low bits of which depend on all bits of the other."""
    value = (value ^ (value >> np.uint64(32))) * MIX
    return value ^ (value >> np.uint64(29))
