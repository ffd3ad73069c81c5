"""Text as large as wanted whose words follow Zipf's law, to see how memory grows where a corpus has no end.

Rank r is drawn with a weight of 1/r among 10^8 words, so that new words never stop coming: 787,000 different ones
in 20 MB, 29 million in 2 GB. Each is three Hangul syllables that follow from its rank.

    python -m benchmarks.zipf_text OUT.parquet MEGABYTES
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NUM_WORDS = 100_000_000
WORDS_PER_DOCUMENT, DOCUMENTS = 500, 2000
_WORD_BYTES = 10  # a space and three syllables
_SYLLABLES, _FIRST = 11172, 0xAC00


def documents(rng: np.random.Generator) -> pa.LargeStringArray:
    """10 MB of text."""
    ranks = np.exp(rng.random(WORDS_PER_DOCUMENT * DOCUMENTS) * np.log(NUM_WORDS)).astype(np.uint64)
    data = np.full((len(ranks), _WORD_BYTES), ord(" "), np.uint8)
    spelling = (ranks * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(24)
    for number in range(3):
        point = (spelling % np.uint64(_SYLLABLES)).astype(np.int64) + _FIRST
        spelling //= np.uint64(_SYLLABLES)
        at = 1 + 3 * number
        data[:, at], data[:, at + 1] = 0xE0 | point >> 12, 0x80 | point >> 6 & 0x3F
        data[:, at + 2] = 0x80 | point & 0x3F
    offsets = np.arange(DOCUMENTS + 1, dtype=np.int64) * (WORDS_PER_DOCUMENT * _WORD_BYTES)
    return pa.LargeStringArray.from_buffers(DOCUMENTS, pa.py_buffer(offsets), pa.py_buffer(data.ravel()))


def write(path: str, megabytes: int, seed: int = 0) -> None:
    """A Parquet file with the column `text`, row groups of 10 MB."""
    rng = np.random.default_rng(seed)
    schema = pa.schema([("text", pa.large_string())])
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        for _ in range(max(1, megabytes // 10)):
            writer.write_table(pa.table([documents(rng)], schema))


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]))
