"""A hash of each word of a text, or of each letter: what shingles are made of.

A word's hash takes up its letters' UTF-8 eight bytes at a time. Words of Hangul, ASCII and Hanja up to 24 bytes, which
nothing but white space and punctuation surrounds, are cut out of a block of 64 bytes by arithmetic, and hashed without
asking how long they are; all others are read letter by letter, to the same hash.

Numba's cache watches the file of a kernel, not those that it calls: after an edit here or in filters/byte_*.py remove
`__pycache__` (signatures would be of the old code), and raise `near_dedup.VERSION` if hashes change.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import numpy as np
from numba import njit

from chejil.curation.dedup.hash_mixing import GOLDEN, MIX, OTHER, stir
from chejil.filters.byte_blocks import BLOCK, LOOK_AHEAD, word_masks
from chejil.filters.byte_lanes import eight_bytes, set_bits, trailing_zeros, wide_product
from chejil.filters.unicode_classes import next_char

WHITE_SPACE = np.uint64(1)  # no letter has this code
_NONE, _ONE, _ALL = np.uint64(0), np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
_EIGHT, _FULL = np.uint64(8), np.uint64(64)
_LONGEST = 24  # bytes of a word that is hashed as three blocks: eight syllables
_LOWERED_BYTES = BLOCK + _LONGEST  # what is read behind the block's end is masked
_LEADING = np.concatenate([np.full(_LONGEST, 0xFF, np.uint8), np.zeros(_LONGEST, np.uint8)])
_LEADING.flags.writeable = False


@cache
def word_characters() -> np.ndarray:
    """Code point -> its case-folded code point if it belongs into a word, WHITE_SPACE if it is white space, else 0;
    (0x110000) uint32.

    Letters, digits and combining marks belong into words. A character that folds to several (ß, ŉ) keeps its
    lower case, which is one.
    """
    table = np.zeros(sys.maxunicode + 1, np.uint32)
    for start, end in ((0, 0xD800), (0xE000, 0x20000)):
        for code in range(start, end):
            letter = chr(code)
            if unicodedata.category(letter)[0] in "LNM":
                folded = letter.casefold()
                table[code] = ord(folded) if len(folded) == 1 else ord(letter.lower()[0])
            elif letter.isspace():
                table[code] = WHITE_SPACE
    table[0x20000:0x323B0] = np.arange(0x20000, 0x323B0)  # Han extensions B to H: no case
    return table


@njit(cache=True, nogil=True)
def hash_words(data, i, end, word_character, words):
    """Fill `words` with a hash of each word of bytes `i` to `end`; returns how many.

    `words` has more than (end - i + 1) // 2 places: one is written ahead.
    """
    num, lowered = 0, np.zeros(_LOWERED_BYTES, np.uint8)
    while i < end and i + BLOCK + LOOK_AHEAD <= len(data):
        space, kept, marks, others = word_masks(data, i, lowered)
        if end - i < BLOCK:
            space |= _ALL << np.uint64(end - i)
        kept &= ~(marks | marks << _ONE | marks << np.uint64(2))
        starts = ~space & (space << _ONE | _ONE)
        ends = space & ~(space << _ONE | _ONE)
        while ends:
            start, stop = trailing_zeros(starts), trailing_zeros(ends)
            starts, ends = starts & (starts - _ONE), ends & (ends - _ONE)
            inside = (_ONE << np.uint64(stop)) - (_ONE << np.uint64(start))
            letters = kept & inside
            first, size = trailing_zeros(letters), set_bits(letters)
            run = letters >> np.uint64(first & 63)
            if run & (run + _ONE) or others & inside or size > _LONGEST:
                num = _by_letter(data, i + start, i + stop, word_character, words, num)
            else:
                words[num] = _of_one_piece(lowered, first, size)
                num += size > 0
        if starts:  # the block ends within a word
            start = trailing_zeros(starts)
            if start == 0:
                stop = _end_of_word(data, i, end)
                num = _by_letter(data, i, stop, word_character, words, num)
                i = stop
            else:
                i += start
        else:
            i += BLOCK
    return _by_letter(data, i, end, word_character, words, num)


@njit(cache=True, nogil=True, inline="always")
def _of_one_piece(lowered, first, size):
    """Hash of the word of `size` bytes from `first` on: three blocks whatever its size, zeros behind its end."""
    one = eight_bytes(lowered, first) & eight_bytes(_LEADING, _LONGEST - size)
    two = eight_bytes(lowered, first + 8) & eight_bytes(_LEADING, _LONGEST + 8 - size)
    three = eight_bytes(lowered, first + 16) & eight_bytes(_LEADING, _LONGEST + 16 - size)
    return wide_product(wide_product(one ^ GOLDEN, two ^ OTHER) ^ three, MIX)


@njit(cache=True, nogil=True)
def _end_of_word(data, i, end):
    while i < end and not (data[i] == 0x20 or 9 <= data[i] <= 13 or 0x1C <= data[i] <= 0x1F):
        i += 1
    return i


@njit(cache=True, nogil=True)
def _by_letter(data, i, end, word_character, words, num):
    """Words of bytes `i` to `end`, which begin and end with a word, behind the first `num`; returns how many now."""
    blocks, word, block, filled = 0, _NONE, _NONE, _NONE
    while i < end:
        code, i = next_char(data, i)
        letter = np.uint64(word_character[code])
        if letter > WHITE_SPACE:
            coded, bits = _utf8(letter)
            block, filled = block | coded << filled, filled + bits
            if filled >= _FULL:
                filled -= _FULL
                word, block, blocks = _with(word, block, blocks), coded >> (bits - filled), blocks + 1
        elif letter and (blocks or filled):
            words[num] = _ended(word, block, blocks, filled)
            num += 1
            blocks, word, block, filled = 0, _NONE, _NONE, _NONE
    if blocks or filled:
        words[num] = _ended(word, block, blocks, filled)
        num += 1
    return num


@njit(cache=True, nogil=True, inline="always")
def _with(word, block, blocks):
    """A word's hash with one block more, behind so many."""
    if blocks == 0:
        return block ^ GOLDEN
    return wide_product(word, block ^ OTHER) if blocks == 1 else wide_product(word ^ block, MIX)


@njit(cache=True, nogil=True, inline="always")
def _ended(word, block, blocks, filled):
    """A word's hash: three blocks at least, the last of them filled with zeros."""
    while filled or blocks < 3:
        word, block, blocks, filled = _with(word, block, blocks), _NONE, blocks + 1, _NONE
    return word


@njit(cache=True, nogil=True, inline="always")
def _utf8(letter):
    """Bytes of a character, the first one lowest, and their bits."""
    if letter < 0x80:
        return letter, _EIGHT
    last, six, low = np.uint64(0x80), np.uint64(6), np.uint64(0x3F)
    if letter < 0x800:
        return np.uint64(0xC0) | letter >> six | (last | letter & low) << _EIGHT, np.uint64(16)
    middle = (last | letter >> six & low) << _EIGHT
    if letter < 0x10000:
        top = np.uint64(0xE0) | letter >> np.uint64(12)
        return top | middle | (last | letter & low) << np.uint64(16), np.uint64(24)
    top = np.uint64(0xF0) | letter >> np.uint64(18) | (last | letter >> np.uint64(12) & low) << _EIGHT
    return top | middle << _EIGHT | (last | letter & low) << np.uint64(24), np.uint64(32)


@njit(cache=True, nogil=True)
def hash_letters(data, i, end, word_character, letters):
    """Fill `letters` with a hash of each character that belongs into words; returns how many."""
    num = 0
    while i < end:
        code, i = next_char(data, i)
        letter = np.uint64(word_character[code])
        if letter > WHITE_SPACE:
            letters[num] = stir(letter * MIX)
            num += 1
    return num
