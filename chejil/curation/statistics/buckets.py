"""Log-linear buckets, and the kernel that counts many columns by group into them in one pass.

A bucket's key is the exponent of a float64 and the first seven bits of its mantissa, so 128 buckets share the range
from one power of two to the next: a representative is at most 1/256 (0.39 %) off the values of its bucket, and each
integer up to 256 has a bucket of its own, so that counts of few are exact. That is HdrHistogram's layout with the
promise of DDSketch (Masson, Rim & Lee 2019, section 2); unlike its logarithm, a key costs a shift. Negative numbers
have the same buckets mirrored. What is nearer to 0 than 2^-40 counts as 0; from 2^64 on all is one bucket.

Measured on one core: 2.3 ns a value in one group, 2.9 in ten, 9 in a hundred of 650 rows; Arrow takes 7 to decode it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

MANTISSA_BITS = 7
RELATIVE_ERROR = 2.0 ** -(MANTISSA_BITS + 1)
"""Between a value and the middle of its bucket."""

SMALLEST, LARGEST = 2.0**-40, 2.0**64
"""What lies nearer to 0 counts as 0; what lies beyond is counted in the outermost bucket."""

_SHIFT = 52 - MANTISSA_BITS
_BASE = (1023 - 40) << MANTISSA_BITS
TOP = (64 + 40) << MANTISSA_BITS
"""Key of the outermost bucket: keys run from -TOP to TOP, 0 is zero's."""

KEYS = 2 * TOP + 1
MAX_GROUPS = 1 << 10
"""Groups at most: of a batch they take 106 kB each."""


def pack(column: Any, group: Any, key: Any) -> Any:
    """One integer of a column, a group and a key, ordered as the three are."""
    return (np.int64(column) << np.int64(32)) | (np.int64(group) << np.int64(16)) | (np.int64(key) + TOP)


def unpack(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns, groups and keys.

    >>> [part.tolist() for part in unpack(np.array([pack(3, 2, -5)]))]
    [[3], [2], [-5]]
    """
    return codes >> 32, (codes >> 16) & 0xFFFF, (codes & 0xFFFF) - TOP


@njit(cache=True, nogil=True, inline="always")
def _magnitude_key(bits):
    key = np.int64(bits >> np.uint64(_SHIFT)) - _BASE + 1
    if key < 1:
        return np.int64(0)
    return min(key, np.int64(TOP))


@njit(cache=True, nogil=True)
def keys_of(values):
    """The key of each finite value."""
    bits = values.view(np.uint64)
    keys = np.empty(len(values), np.int64)
    for i in range(len(values)):
        key = _magnitude_key(bits[i] & np.uint64(0x7FFFFFFFFFFFFFFF))
        keys[i] = -key if bits[i] >> np.uint64(63) else key
    return keys


def lower_edges(keys: np.ndarray) -> np.ndarray:
    """The edge of each key's bucket that is nearer to 0; 0 for zero's.

    >>> lower_edges(keys_of(np.array([0.0, 1.0, 255.0, 1000.0, -3.0]))).tolist()
    [0.0, 1.0, 255.0, 1000.0, -3.0]
    """
    bits = (np.abs(keys) - 1 + _BASE).astype(np.uint64) << np.uint64(_SHIFT)
    return np.where(keys == 0, 0.0, np.sign(keys) * bits.view(np.float64))


def upper_edges(keys: np.ndarray) -> np.ndarray:
    """The edge that is farther from 0."""
    away = np.where(keys < 0, keys - 1, keys + 1)
    return np.where(keys == 0, 0.0, lower_edges(away))


@njit(cache=True, nogil=True)
def count(values, starts, scratch, tallies, extremes, sums, whole):
    """Count a batch whose rows are sorted by group: what is touched of `scratch` stays in the first-level cache.

    Args:
        values: (num_columns, num_rows) float64, NaN where null.
        starts: (num_groups + 1) int64: group `i` has the rows from `starts[i]` to `starts[i + 1]`.
        scratch: (KEYS) int32, all 0, and left so.
        tallies: (3, num_columns, num_groups) int64, filled: finite values, nulls, infinite ones.
        extremes: (2, num_columns, num_groups) float64, filled: smallest and largest.
        sums: (num_columns, num_groups) float64, filled.
        whole: (num_columns) bool, set to False where a value is no integer.

    Returns:
        Codes (`pack`) of the buckets that hold anything, sorted, and how many values each holds.
    """
    bits = values.view(np.uint64)
    codes, counts, at = np.empty(4096, np.int64), np.empty(4096, np.int64), 0
    for column in range(len(values)):
        integers = True
        for group in range(len(starts) - 1):
            first, last = np.int64(TOP), np.int64(-TOP)
            low, high, total = np.inf, -np.inf, 0.0
            zeros, nulls, infinite = 0, 0, 0
            for row in range(starts[group], starts[group + 1]):
                value = values[column, row]
                raw = bits[column, row] & np.uint64(0x7FFFFFFFFFFFFFFF)
                if raw == 0:  # the commonest value of a signal, and far from all others
                    zeros += 1
                    continue
                if raw >= np.uint64(0x7FF0000000000000):
                    if raw == np.uint64(0x7FF0000000000000):
                        infinite += 1
                    else:
                        nulls += 1
                    continue
                key = _magnitude_key(raw)
                if value < 0:
                    key = -key
                first, last = min(first, key), max(last, key)
                scratch[key + TOP] += 1
                total += value
                low, high = min(low, value), max(high, value)
                if integers:
                    integers = value == np.floor(value)
            if zeros:
                first, last = min(first, 0), max(last, 0)
                low, high = min(low, 0.0), max(high, 0.0)
                scratch[TOP] += zeros
            if at + last - first + 1 > len(codes):
                size = 2 * (at + last - first + 1)
                codes, counts = _longer(codes, size), _longer(counts, size)
            begin = (np.int64(column) << 32) | (np.int64(group) << 16)
            at = _taken(scratch, first, last, begin, codes, counts, at)
            tallies[0, column, group] = starts[group + 1] - starts[group] - nulls - infinite
            tallies[1, column, group], tallies[2, column, group] = nulls, infinite
            extremes[0, column, group], extremes[1, column, group] = low, high
            sums[column, group] = total
        whole[column] &= integers
    return codes[:at].copy(), counts[:at].copy()


@njit(cache=True, nogil=True)
def _taken(scratch, first, last, begin, codes, counts, at):
    """Move the filled buckets from `scratch` to the lists; the keys between zero's and the others are passed over."""
    for key in range(first, last + 1):
        found = scratch[key + TOP]
        if found:
            codes[at], counts[at] = begin | (key + TOP), found
            scratch[key + TOP] = 0
            at += 1
    return at


@njit(cache=True, nogil=True)
def _longer(array, size):
    longer = np.empty(size, array.dtype)
    longer[: len(array)] = array
    return longer


@njit(cache=True, nogil=True)
def merged(codes, counts, more_codes, more_counts):
    """Two sorted lists of codes as one, the counts of a code that both have added up."""
    size = len(codes) + len(more_codes)
    out, sums, at, i, k = np.empty(size, np.int64), np.empty(size, np.int64), 0, 0, 0
    while i < len(codes) or k < len(more_codes):
        take = i < len(codes) and (k == len(more_codes) or codes[i] <= more_codes[k])
        code = codes[i] if take else more_codes[k]
        out[at], sums[at] = code, 0
        if take:
            sums[at] += counts[i]
            i += 1
        if k < len(more_codes) and more_codes[k] == code:
            sums[at] += more_counts[k]
            k += 1
        at += 1
    return out[:at].copy(), sums[:at].copy()
