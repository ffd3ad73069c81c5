"""The passes that cut a batch into words and say of each word what several families ask: hashes, classes, marks.

A loop over the characters of a word ends where no processor foretells it, and that costs more than what it does. So
words are cut by bits, one a character, 64 at a time; and 16 characters of a word are hashed and classed at once, those
behind its end times 0, which compiles to vector instructions (10 ns a word, where a walk took 25). Only the words of
more characters (one in fifty) and those with marks (one in four) are walked through: half of the 2.4 ms a megabyte of
Korean and 3.7 of English. What the columns mean stands in `shared_tables.py`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from chejil.filters.lexicons import lexicon
from chejil.filters.unicode_classes import ALPHABETIC, CLASS_BITS, DIGIT, HANGUL, WHITESPACE
from chejil.filters.word_letters import (
    APART,
    BASE,
    BLANK_LINE,
    BREAK,
    ENDS,
    LETTERS,
    OTHER_KINDS,
    PAIRED,
    finish,
    is_letter,
    lower,
)  # fmt: skip

LANES = 16
"""Characters of a word that are hashed side by side."""
_NEWLINE = ord("\n")
_LAST = np.uint32(0xFFFF)
_LETTER_OF = np.array([HANGUL <= kind <= DIGIT for kind in range(CLASS_BITS + 1)], np.uint8)
_STEPS = np.array([1, BASE], np.uint64)
_ONE = np.uint64(1)
_DE_BRUIJN, _TOP = np.uint64(0x03F79D71B4CB0A89), np.uint64(58)
_PLACES = np.zeros(64, np.int32)
_PLACES[[(0x03F79D71B4CB0A89 << place & 0xFFFFFFFFFFFFFFFF) >> 58 for place in range(64)]] = range(64)

_CAPITAL_A, _CAPITALS = np.uint64(ord("A")), np.uint64(26)
_CASE = np.uint64(5)  # a small letter of ASCII is 2^5 above its capital
_FLAG, _KIND, _LETTER = np.uint64(CLASS_BITS), np.uint64(ALPHABETIC), np.uint64(12)
assert ALPHABETIC << 12 == LETTERS


@cache
def lanes() -> np.ndarray:
    """Factors of the characters of a word of so many, (LANES + 1, LANES) uint64, 0 behind its end, read-only."""
    powers = np.cumprod(np.full((LANES + 1, LANES), BASE), axis=1)
    table = np.tril(powers, -1)
    table.flags.writeable = False
    return table


@cache
def mark_table() -> np.ndarray:
    """ENDS and PAIRED of the code points below U+FFFF, (65536) uint8, read-only; the last entry is for all others."""
    table, korean = np.zeros(1 << 16, np.uint8), lexicon("korean_marks")
    pairs = [*'"', *"".join(lexicon("paired_marks")["pairs"]), *korean["open_quote"], *korean["close_quote"]]
    table[[ord(char) for char in korean["terminal"]]] |= ENDS
    table[[ord(char) for char in pairs]] |= PAIRED
    table.flags.writeable = False
    return table


@njit(cache=True, nogil=True)
def read_words(
    codes, flags, char_starts, lanes, marks,
    hashes, keys, kinds, begins, ends, letter_begins, letter_ends, line_words, notes, starts, line_starts,
):  # fmt: skip
    """Fill the table of words (see `measure_words`); returns how many words and lines there are.

    A document at a time, so that its characters are still in a near cache when they are looked at again.
    """
    num = lines = np.int64(0)
    for doc in range(len(char_starts) - 1):
        first, text_end = num, char_starts[doc + 1]
        starts[doc], line_starts[doc] = num, lines
        num = cut_words(flags, char_starts[doc], text_end, begins, ends, num)
        hash_words(codes, flags, begins, ends, first, num, lanes, hashes, keys, kinds)
        note_words(
            codes,
            flags,
            begins,
            ends,
            kinds,
            first,
            num,
            text_end,
            marks,
            keys,
            notes,
            letter_begins,
            letter_ends,
        )
        lines = cut_lines(notes, first, num, line_words, lines)
    starts[-1], line_starts[-1], line_words[lines] = num, lines, num
    return num, lines


@njit(cache=True, nogil=True)
def cut_words(flags, at, text_end, begins, ends, num):
    """Add where the words from `at` to `text_end` begin and end to the `num` that are there; returns how many are."""
    ended, before = num, np.uint64(0)
    while at < text_end or before:
        shown = shown_bits(flags[at : min(at + 64, text_end)])
        shifted = shown << _ONE | before
        before = shown >> np.uint64(63)
        num = place_bits(shown & ~shifted, at, begins, num)
        ended = place_bits(shifted & ~shown, at, ends, ended)
        at += 64
    return num


@njit(cache=True, nogil=True)
def shown_bits(flags):
    """A bit for each of 64 characters or fewer that is no white space, the first one lowest."""
    bits = np.uint64(0)
    for at in range(len(flags)):
        bits |= np.uint64(flags[at] & CLASS_BITS != WHITESPACE) << np.uint64(at)
    return bits


@njit(cache=True, nogil=True)
def place_bits(bits, base, places, num):
    """Add `base` plus the number of each bit that is set, lowest first, to the `num` places; returns how many."""
    while bits:
        places[np.uint64(num)] = base + _PLACES[(bits & (~bits + _ONE)) * _DE_BRUIJN >> _TOP]
        bits &= bits - _ONE
        num += 1
    return num


@njit(cache=True, nogil=True)
def hash_words(codes, flags, begins, ends, first, last, lanes, hashes, keys, kinds):
    """Fill `hashes`, `kinds`, and `keys` as if all characters were letters.

    The number of lanes is read from an array: the compiler unrolls a loop whose length it knows, and has no vectors.
    """
    for word in range(first, last):
        begin, size = np.int64(begins[word]), np.int64(ends[word]) - np.int64(begins[word])
        if size > LANES or begin + LANES > len(codes):
            hashes[word], keys[word], kinds[word] = hash_long(codes, flags, begin, begin + size)
            continue
        few, few_flags, factors = codes[begin : begin + LANES], flags[begin : begin + LANES], lanes[size]
        running, capitals, held = np.uint64(0), np.uint64(0), np.uint64(0)
        for at in range(lanes.shape[1]):
            code, flag, factor = np.uint64(few[at]), np.uint64(few_flags[at]), factors[at]
            running += code * factor
            capitals += factor if code - _CAPITAL_A < _CAPITALS else np.uint64(0)
            held |= (_ONE << (flag & _FLAG) | (flag & _KIND) << _LETTER) if factor else np.uint64(0)
        hashes[word], keys[word], kinds[word] = finish(running), finish(running + (capitals << _CASE)), held


@njit(cache=True, nogil=True)
def hash_long(codes, flags, begin, end):
    """The three of a word of any length."""
    running, capitals, held, power = np.uint64(0), np.uint64(0), np.uint64(0), BASE
    for at in range(np.uint64(begin), np.uint64(end)):
        code, flag = np.uint64(codes[at]), np.uint64(flags[at])
        running += code * power
        capitals += power if code - _CAPITAL_A < _CAPITALS else np.uint64(0)
        held |= _ONE << (flag & _FLAG) | (flag & _KIND) << _LETTER
        power *= BASE
    return finish(running), finish(running + (capitals << _CASE)), np.uint32(held)


@njit(cache=True, nogil=True)
def note_words(
    codes, flags, begins, ends, kinds, first, last, text_end, marks, keys, notes, letter_begins, letter_ends
):
    """Fill `notes`, `letter_begins` and `letter_ends`, and `keys` of words that are not letters alone."""
    for word in range(first, last):
        begin, end = np.int64(begins[word]), np.int64(ends[word])
        note = breaks_of(codes, end, np.int64(begins[word + 1]) if word + 1 < last else text_end)
        if kinds[word] & OTHER_KINDS:
            begin, end, held = trim(codes, flags, begin, end, marks)
            keys[word], num = spell(codes, flags, begin, end)
            note |= held if end - begin == num else held | APART
        notes[word], letter_begins[word], letter_ends[word] = note, begin, end


@njit(cache=True, nogil=True)
def breaks_of(codes, begin, end):
    """BREAK and BLANK_LINE of the white space from `begin` to `end`."""
    if end - begin == 1:
        return np.int64(BREAK if codes[begin] == _NEWLINE else 0)
    num = np.int64(0)
    for at in range(begin, end):
        num += codes[at] == _NEWLINE
    return np.int64((BREAK if num else 0) | (BLANK_LINE if num > 1 else 0))


@njit(cache=True, nogil=True, inline="always")
def trim(codes, flags, begin, end, marks):
    """Where the letters of a word begin and end (the same where it has none), and the note of the marks around."""
    closing, opening = np.uint8(0), np.uint8(0)
    while end > begin and not is_letter(flags[end - 1]):
        end -= 1
        closing |= marks[min(codes[end], _LAST)]
    while begin < end and not is_letter(flags[begin]):
        opening |= marks[min(codes[begin], _LAST)]
        begin += 1
    return begin, end, closing | opening & PAIRED


@njit(cache=True, nogil=True, inline="always")
def spell(codes, flags, begin, end):
    """Hash of the letters from `begin` to `end`, and how many they are; no branches, as none can be foretold."""
    running, power, num = np.uint64(0), BASE, np.int64(0)
    for at in range(np.uint64(begin), np.uint64(end)):
        letter = _LETTER_OF[flags[at] & CLASS_BITS]
        running += lower(codes[at]) * power * np.uint64(letter)
        power *= _STEPS[letter]
        num += letter
    return finish(running), num


@njit(cache=True, nogil=True)
def cut_lines(notes, first, last, line_words, num):
    """Add the first words of a document's lines to the `num` that are there; returns how many are."""
    begins = True
    for word in range(first, last):
        line_words[num] = word
        num += begins
        begins = notes[word] & BREAK != 0
    return num
