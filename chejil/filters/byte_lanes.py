"""Eight bytes at a time: loads and arithmetic on the bytes of one integer, where kernels would else branch by letter.

Every byte is a lane. Additions are chosen so that a lane below 0x80 never carries into the next one; lanes from 0x80 on
may, so that what stands above the first such lane means nothing, and nobody reads it (Lamport 1975, "Multiple byte
processing with full-word instructions").
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

EACH = 0x0101010101010101
HIGH, CASE = np.uint64(0x80 * EACH), np.uint64(0x20 * EACH)
FROM_A, ABOVE_Z = np.uint64((0x80 - ord("a")) * EACH), np.uint64((0x7F - ord("z")) * EACH)


def _load(bits):
    """Code that reads so many bits of an array of bytes from a place on, wherever it lies."""

    def load(context, builder, signature, arguments):
        start = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(start, [arguments[1]]), ir.IntType(bits).as_pointer())
        return builder.load(place, align=1)

    return load


@intrinsic
def eight_bytes(_typing, data, i):
    """Bytes `i` to `i + 7` of an array as one little-endian integer; they must be there, nothing checks it."""
    return types.uint64(data, types.int64), _load(64)


@intrinsic
def four_bytes(_typing, data, i):
    """Bytes `i` to `i + 3` of an array as one little-endian integer; they must be there, nothing checks it."""
    return types.uint32(data, types.int64), _load(32)


@intrinsic
def trailing_zeros(_typing, value):
    """Zero bits below the lowest one; 64 for 0."""

    def count(_context, builder, _signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), count


@intrinsic
def set_bits(_typing, value):
    """How many bits are ones."""

    def count(_context, builder, _signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), count


@intrinsic
def wide_product(_typing, one, other):
    """The upper 64 bits of a product, xor the lower ones: wyhash's step, in which all bits meet all others."""

    def multiply(_context, builder, _signature, arguments):
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(value, wide) for value in arguments))
        upper = builder.lshr(product, ir.Constant(wide, 64))
        return builder.trunc(builder.xor(product, upper), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), multiply
