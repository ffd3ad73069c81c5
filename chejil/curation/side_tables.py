"""Integers beside the documents: hashes and sketches as fixed-size bytes.

A sketch of 128 lanes is one 64-byte value in Arrow: no list offsets, no dictionary, and NumPy sees the column as a
matrix without a copy.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def fixed_bytes(matrix: np.ndarray) -> pa.Array:
    """A matrix as one fixed-size binary value a row."""
    matrix = np.ascontiguousarray(matrix)
    width = matrix.shape[1] * matrix.itemsize
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(matrix), [None, pa.py_buffer(matrix)])


def matrix_of(column: pa.ChunkedArray, dtype: type) -> np.ndarray:
    """The matrix that `fixed_bytes` stored, without a copy where the column is one chunk."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], column.type)
    width = column.type.byte_width // np.dtype(dtype).itemsize
    values = array.buffers()[1]
    whole: np.ndarray = np.frombuffer(values, dtype) if values is not None else np.zeros(0, dtype)
    return whole.reshape(-1, width)[array.offset : array.offset + len(array)]
