"""The loop of the encoder: where a word ends, whether it was met before, else its merges.

One pass over the bytes that Arrow holds; tokens are written one behind the other. Words (pre-tokens) are found by
splitting.next_end, kept in word_cache.py, merged in word_merging.py.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chejil.tokenizer.encoding import word_cache
from chejil.tokenizer.encoding.word_cache import KEY_BYTES, MAX_TOKENS
from chejil.tokenizer.encoding.word_merging import SCAN_BYTES, merge_long, merge_short
from chejil.tokenizer.pretokens.splitting import next_end

PADDING = MAX_TOKENS
"""Places behind the last token that are written to and mean nothing."""


@njit(cache=True, nogil=True)
def encode(data, offsets, code, classes, merges, cache, last, tokens, token_offsets):
    """Tokens of each document `data[offsets[i]:offsets[i + 1]]`.

    Args:
        code, classes: the pattern, see splitting.py.
        last: the token behind each document; negative for none.
        tokens: (num_bytes + num_docs + PADDING) int32, written.
        token_offsets: (num_docs + 1) int64, written: where a document's tokens begin and end.
    """
    ranks = np.empty(SCAN_BYTES, np.int32)
    to = np.int64(0)
    token_offsets[0] = 0
    for i in range(len(offsets) - 1):
        at, stop = offsets[i], offsets[i + 1]
        while at < stop:
            end = next_end(code, data, at, stop, classes)
            if end - at <= KEY_BYTES:
                to = _short(data, at, end, merges, cache, ranks, tokens, to)
            elif end - at <= SCAN_BYTES:
                to = merge_short(data, at, end, merges, ranks, tokens, to)
            else:
                to = merge_long(data, at, end, merges, tokens, to)
            at = end
        if last >= 0:
            tokens[to] = last
            to += 1
        token_offsets[i + 1] = to


@njit(cache=True, nogil=True, inline="always")
def _short(data, at, end, merges, cache, ranks, tokens, to):
    a = word_cache.lane(data, at, end)
    b = word_cache.lane(data, at + 8, end)
    c = word_cache.lane(data, at + 16, end)
    length = np.uint64(end - at)
    entry = word_cache.find(cache, a, b, c, length)
    if entry >= 0:
        return word_cache.copy(cache, entry, tokens, to)
    begin, to = to, merge_short(data, at, end, merges, ranks, tokens, to)
    if to - begin <= MAX_TOKENS:
        word_cache.keep(cache, a, b, c, length, tokens, begin, to)
    return to
