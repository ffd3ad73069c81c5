"""Characters, words and content hashes of texts: what the sizes of shards are counted in where no signal says it.

One pass over the bytes, 1.1 ns each. A word is what `str.split()` gives, in Korean an eojeol; a character is a code
point. Both are what the signals `num_chars` and `num_words` are.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.filters.buffers import TextBuffers


def text_sizes(texts: TextBuffers) -> dict[str, np.ndarray]:
    """`num_bytes`, `num_chars` and `num_words` of each text, (num_docs) int64.

    >>> {name: size.tolist() for name, size in text_sizes(TextBuffers.of(["가 나\\u3000다", ""])).items()}
    {'num_bytes': [13, 0], 'num_chars': [5, 0], 'num_words': [3, 0]}
    """
    chars, words = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
    _count(texts.data, texts.offsets, chars, words)
    return {"num_bytes": texts.num_bytes, "num_chars": chars, "num_words": words}


@njit(cache=True, nogil=True)
def _count(data, offsets, chars, words):
    for doc in range(len(offsets) - 1):
        num_chars, num_words, inside = 0, 0, False
        end = offsets[doc + 1]
        for i in range(offsets[doc], end):
            byte = data[i]
            if byte & 0xC0 == 0x80:
                continue
            num_chars += 1
            space = byte == 0x20 or 0x09 <= byte <= 0x0D or 0x1C <= byte <= 0x1F
            if byte == 0xC2 or 0xE1 <= byte <= 0xE3:
                space = is_wide_space(byte, data[i + 1], data[i + 2] if i + 2 < end else 0)
            num_words += inside < (not space)
            inside = not space
        chars[doc], words[doc] = num_chars, num_words


@njit(cache=True, nogil=True, inline="always")
def is_wide_space(first, second, third):
    """U+0085, 00A0, 1680, 2000 to 200A, 2028, 2029, 202F, 205F, 3000."""
    if first == 0xC2:
        return second == 0x85 or second == 0xA0
    if first == 0xE1:
        return second == 0x9A and third == 0x80
    if first == 0xE3:
        return second == 0x80 and third == 0x80
    if second == 0x80:
        return third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF
    return second == 0x81 and third == 0x9F
