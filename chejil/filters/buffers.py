"""Documents as the bytes that Arrow already holds: every kernel reads these, nothing is copied.

A batch of texts is one `uint8` array and one `int64` array of offsets: document `i` is
`data[offsets[i]:offsets[i + 1]]`, UTF-8. A Python string costs 50 bytes and a UTF-8 decoding a document before
the first character is looked at; these cost nothing, and Numba compiles loops over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True, slots=True)
class TextBuffers:
    """`data` (num_bytes) uint8 and `offsets` (num_docs + 1) int64, both read-only."""

    data: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_bytes(self) -> np.ndarray:
        """Bytes of each document, (num_docs) int64."""
        return np.diff(self.offsets)

    @classmethod
    def of(cls, texts: pa.Array | pa.ChunkedArray | list[str]) -> TextBuffers:
        """View an Arrow string array (zero-copy for one chunk of `large_string`); a null is an empty text.

        >>> TextBuffers.of(["가", "", "ab"]).offsets.tolist()
        [0, 3, 3, 5]
        """
        array = _one_large_chunk(texts)
        offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
        values = array.buffers()[2]
        data = np.frombuffer(values, np.uint8) if values is not None else np.zeros(0, np.uint8)
        return cls(_read_only(data), _read_only(offsets))


def _one_large_chunk(texts: pa.Array | pa.ChunkedArray | list[str]) -> pa.LargeStringArray:
    array = pa.array(texts, pa.large_string()) if isinstance(texts, list) else texts
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if array.type != pa.large_string():
        array = array.cast(pa.large_string())
    if array.null_count:
        # Arrow allows bytes under a null slot; a filled array has none.
        array = array.fill_null("")
    return array if array.buffers()[1] is not None else pa.array([""] * len(array), pa.large_string())


def _read_only(array: np.ndarray) -> np.ndarray:
    # Numba compiles a second version for writable arrays: one kind everywhere means one compilation.
    view = array.view()
    view.flags.writeable = False
    return view
