"""Where tokens end in their text, and what they cut: words kept whole, characters cut apart, cuts between syllables.

Kernels over the bytes of the texts and the ids, one pass each. A word is what `str.split()` gives, in Korean an eojeol;
it is *kept whole* if one token holds all of it but ASCII marks at its ends ("했다." by 했다 and the mark, or by one
token). Words of ASCII marks alone are not counted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from chejil.curation.statistics.text_counts import is_wide_space
from chejil.filters.buffers import TextBuffers
from chejil.tokenizer.encoding.encoder import Tokens
from chejil.tokenizer.measuring.opening import Opened

LETTERS = np.array([48 <= b <= 57 or 65 <= b <= 90 or 97 <= b <= 122 or b >= 128 for b in range(256)])
"""Bytes that are no ASCII marks."""

NONE = 0
BETWEEN = 1
INSIDE = 2


class Aligned(NamedTuple):
    """Tokens with their places.

    Args:
        ends: (num_tokens) int64, bytes of the document up to the end of the token.
        same: (num_docs) bool: the tokens' bytes in a row are the text. Of other documents ends are the library's.
    """

    tokens: Tokens
    ends: np.ndarray
    same: np.ndarray


def align(texts: TextBuffers, opened: Opened) -> Aligned:
    """Encode texts, and find where each token ends."""
    strings = [
        texts.data[start:end].tobytes().decode()
        for start, end in zip(texts.offsets[:-1].tolist(), texts.offsets[1:].tolist(), strict=True)
    ]
    tokens = opened.model.encode(strings)
    data, starts = opened.table()
    ends, same = np.zeros(len(tokens.ids), np.int64), np.zeros(len(texts), np.bool_)
    _ends(texts.data, texts.offsets, tokens.ids, tokens.offsets, data, starts, ends, same)
    for doc in np.flatnonzero(~same).tolist():
        ends[tokens.offsets[doc] : tokens.offsets[doc + 1]] = _by_library(strings[doc], opened)
    return Aligned(tokens, ends, same)


def _by_library(text: str, opened: Opened) -> np.ndarray:
    # Bytes up to each character.
    sizes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    up_to = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(1 + (sizes >= 0x80).astype(np.int64) + (sizes >= 0x800) + (sizes >= 0x10000), out=up_to[1:])
    return np.maximum.accumulate(up_to[np.minimum(opened.model.ends(text), len(sizes))])


@njit(cache=True, nogil=True)
def _ends(data, offsets, ids, token_offsets, token_data, token_starts, ends, same):
    for doc in range(len(offsets) - 1):
        at, end, equal = offsets[doc], offsets[doc + 1], True
        for place in range(token_offsets[doc], token_offsets[doc + 1]):
            first, last = token_starts[ids[place]], token_starts[ids[place] + 1]
            equal = equal and at + last - first <= end
            if equal:
                for k in range(last - first):
                    equal = equal and data[at + k] == token_data[first + k]
            at += last - first
            ends[place] = at - offsets[doc]
        same[doc] = equal and at == end


def whole_words(texts: TextBuffers, found: Aligned) -> tuple[np.ndarray, np.ndarray]:
    """Words with a letter or digit in each document, and those kept whole, both (num_docs) int64."""
    words, whole = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
    _whole_words(texts.data, texts.offsets, found.ends, found.tokens.offsets, LETTERS, words, whole)
    return words, whole


@njit(cache=True, nogil=True)
def _whole_words(data, offsets, ends, token_offsets, letters, words, whole):
    for doc in range(len(offsets) - 1):
        token, last_token = token_offsets[doc], token_offsets[doc + 1]
        start, stop = offsets[doc], offsets[doc + 1]
        first, last = -1, -1  # first byte that is no mark of the word, and the one behind its last
        at = start
        while at <= stop:
            step, space = 1, True
            if at < stop:
                step, space = _step(data, at, stop)
            if not space:
                for k in range(at, min(stop, at + step)):
                    if letters[data[k]]:
                        first = k if first < 0 else first
                        last = k + 1
            elif first >= 0:
                words[doc] += 1
                while token < last_token and ends[token] <= first - start:
                    token += 1
                if token < last_token and ends[token] >= last - start:
                    whole[doc] += 1
                first = -1
            at += step


@njit(cache=True, nogil=True, inline="always")
def _step(data, at, stop):
    """Bytes of the character at a place, and whether it is white space, as `str.isspace` has it."""
    byte = data[at]
    if byte < 0x80:
        return 1, byte == 0x20 or 0x09 <= byte <= 0x0D or 0x1C <= byte <= 0x1F
    step = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    space = False
    if byte == 0xC2 or 0xE1 <= byte <= 0xE3:
        space = is_wide_space(byte, data[at + 1], data[at + 2] if at + 2 < stop else 0)
    return step, space


def cuts(texts: TextBuffers, found: Aligned) -> np.ndarray:
    """Kind of each place of the texts' bytes where a token ends, (num_bytes) uint8: NONE, BETWEEN two Hangul
    syllables, INSIDE a syllable."""
    kinds = np.zeros(int(texts.offsets[-1]) + 1, np.uint8)
    _cuts(texts.data, texts.offsets, found.ends, found.tokens.offsets, kinds)
    return kinds


@njit(cache=True, nogil=True)
def _cuts(data, offsets, ends, token_offsets, kinds):
    for doc in range(len(offsets) - 1):
        for token in range(token_offsets[doc], token_offsets[doc + 1]):
            kind = place_kind(data, offsets[doc], offsets[doc + 1], offsets[doc] + ends[token])
            kinds[offsets[doc] + ends[token]] = kind


@njit(cache=True, nogil=True)
def place_kind(data, start, stop, at):
    """What a cut before byte `at` cuts: NONE that counts here, BETWEEN two Hangul syllables, INSIDE one."""
    if at <= start or at >= stop:
        return 0
    if data[at] & 0xC0 == 0x80:
        lead = at - 1 if data[at - 1] & 0xC0 != 0x80 else at - 2
        return 2 if lead >= start and is_syllable(data, lead, stop) else 0
    return 1 if at - start >= 3 and is_syllable(data, at - 3, stop) and is_syllable(data, at, stop) else 0


@njit(cache=True, nogil=True, inline="always")
def is_syllable(data, at, stop):
    """Whether a character U+AC00 to U+D7A3 begins at a byte."""
    if at + 3 > stop:
        return False
    code = (np.int64(data[at]) << 16) | (np.int64(data[at + 1]) << 8) | np.int64(data[at + 2])
    return data[at + 1] & 0xC0 == 0x80 and 0xEAB080 <= code <= 0xED9EA3
