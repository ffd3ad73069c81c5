"""Bytes of words eight at a time: read as one integer, in the order in which they sort, and written."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from chejil.filters.byte_lanes import eight_bytes

PAD = 8
"""Bytes behind the last word that `put_bytes` may write to, and that make reading quick."""

_ALL = ~np.uint64(0)


@intrinsic
def _swapped(_typing, value):
    """The bytes of an integer in the other order."""

    def swap(_context, builder, _signature, arguments):
        return builder.bswap(arguments[0])

    return types.uint64(types.uint64), swap


@intrinsic
def _put_eight(_typing, data, i, value):
    """Write a little-endian integer to bytes `i` to `i + 7` of an array; they must be there, nothing checks it."""

    def store(context, builder, signature, arguments):
        start = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(start, [arguments[1]]), ir.IntType(64).as_pointer())
        builder.store(arguments[2], place, align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, types.uint64), store


@njit(cache=True, nogil=True, forceinline=True)
def first_bytes(data, at, number):
    """Up to eight bytes (one at least) as one little-endian integer, zeros behind them."""
    if at + 8 <= len(data):
        return eight_bytes(data, at) & (_ALL >> np.uint64(64 - 8 * min(number, 8)))
    found = np.uint64(0)
    for i in range(min(number, 8)):
        found |= np.uint64(data[at + i]) << np.uint64(8 * i)
    return found


@njit(cache=True, nogil=True, forceinline=True)
def sort_key(data, at, number):
    """Up to eight bytes as an integer that sorts as they do, zeros behind them; `number` may be 0 or below."""
    return _swapped(first_bytes(data, at, number)) if number > 0 else np.uint64(0)


@njit(cache=True, nogil=True, forceinline=True)
def same_bytes(data, at, other, place, number):
    """Whether two words of the same number of bytes are the same."""
    while number > 8:
        if eight_bytes(data, at) != eight_bytes(other, place):
            return False
        at, place, number = at + 8, place + 8, number - 8
    return number == 0 or first_bytes(data, at, number) == first_bytes(other, place, number)


@njit(cache=True, nogil=True, forceinline=True)
def put_bytes(target, place, data, at, number):
    """Copy a word; up to PAD bytes behind it are overwritten too, which must be there."""
    while number > 0:
        _put_eight(target, place, first_bytes(data, at, number))
        at, place, number = at + 8, place + 8, number - 8
