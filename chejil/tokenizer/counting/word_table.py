"""The hash table in which a process counts its words (pre-tokens): open addressing, 64-bit counts, bytes in an arena.

A slot is 24 bytes: the hash, the place of the word's bytes in the arena with their number, the count. Words of up to
eight bytes are their hash (the mixing is a bijection), so that only longer ones, whose hash is found, are compared byte
by byte: no two words are ever taken for one. Of a table of 256 MiB 192 are slots (at most 0.7 filled, then it is full),
the rest is the arena. It begins small and doubles, since most corpora are.

Words are split and hashed a block at a time, then the block's slots are touched, then it is counted: what waits for
memory waits for many slots at once. Touching the words' bytes too took Korean from 93 to 79 ns a word.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit

from chejil.filters.byte_lanes import trailing_zeros
from chejil.tokenizer.counting.word_bytes import PAD, first_bytes, put_bytes, same_bytes
from chejil.tokenizer.pretokens.splitting import next_end

WHOLE = -1
"""In place of a pattern's code: every document is one word."""

LENGTH_BITS = 16
MAX_WORD_BYTES = (1 << LENGTH_BITS) - 1
SLOT_BYTES = 24
_FIRST_SLOTS, _FIRST_ARENA = 1 << 14, 1 << 18
_FULL_PARTS = (7, 10)
_SLOTS_SHARE = 0.8

_LENGTH = np.uint64(MAX_WORD_BYTES)
_SHIFT = np.uint64(LENGTH_BITS)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_2 = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
_ONE = np.uint64(1)

BLOCK_WORDS = 256

WORDS, USED, OCCURRENCES, OVERLONG, OVERLONG_BYTES, DOCUMENT, PLACE, FIRST, LAST, _TOUCHED = range(10)
"""Of the state: words in the table, bytes of the arena; words counted since the beginning, those left out, their bytes;
the document and byte that is split next; what of the block is not yet counted."""


class WordTable:
    """Counts words until it is full; whoever owns it then takes them out.

    Args:
        table_bytes: what it may take, at least 1 MiB.
        max_word_bytes: longer words are left out and counted, at most MAX_WORD_BYTES.
    """

    def __init__(self, table_bytes: int, max_word_bytes: int) -> None:
        most = max(_FIRST_SLOTS, 1 << int(table_bytes * _SLOTS_SHARE / SLOT_BYTES).bit_length() - 1)
        self._most = most, max(_FIRST_ARENA, table_bytes - most * SLOT_BYTES)
        self.max_word_bytes = max_word_bytes
        self.state = np.zeros(10, np.int64)
        self.slots = np.zeros((_FIRST_SLOTS, 3), np.uint64)
        self.arena = np.empty(_FIRST_ARENA + PAD, np.uint8)
        self._block = np.zeros((BLOCK_WORDS, 3), np.uint64)

    def clear(self) -> None:
        """Forget all words; what was counted since the beginning stays."""
        self.state[WORDS] = self.state[USED] = 0
        self.slots.fill(0)

    def add(self, code: int, data: np.ndarray, offsets: np.ndarray, classes: np.ndarray) -> Iterator[None]:
        """Count the words of documents; yields whenever the table is full, for the owner to take them out and clear it.

        Args:
            code: of a pattern, or WHOLE.
            data: UTF-8, uint8.
            offsets: documents + 1 places in it, int64.
        """
        self.state[DOCUMENT], self.state[PLACE] = 0, offsets[0]
        while not _count(
            code, data, offsets, classes, self.slots, self.arena, self._block, self.state, self.max_word_bytes
        ):
            if not self._grow():
                yield

    def _grow(self) -> bool:
        """Double what is full; False where it may not."""
        most_slots, most_arena = self._most
        slots, arena = len(self.slots), len(self.arena) - PAD
        full = _is_full(self.state[WORDS], slots)
        if (slots >= most_slots) if full else (arena >= most_arena):
            return False
        if full:
            self.slots = _rehashed(self.slots, slots * 2)
        else:
            larger = np.empty(min(most_arena, max(arena * 2, arena + self.max_word_bytes)) + PAD, np.uint8)
            larger[: self.state[USED]] = self.arena[: self.state[USED]]
            self.arena = larger
        return True

    def words(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All words in no order: where each begins in the arena (int64), its bytes (int64), its count (int64)."""
        filled = self.slots[self.slots[:, 2] > 0]
        return (
            (filled[:, 1] >> _SHIFT).view(np.int64),
            (filled[:, 1] & _LENGTH).view(np.int64),
            filled[:, 2].view(np.int64),
        )


@njit(cache=True, nogil=True, forceinline=True)
def _is_full(words, slots):
    return words * _FULL_PARTS[1] >= slots * _FULL_PARTS[0]


@njit(cache=True, nogil=True, forceinline=True)
def _hash(data, start, end):
    found = np.uint64(end - start) * _MIX_2
    at = start
    while end - at > 8:
        found = (found ^ first_bytes(data, at, 8)) * _MIX
        found ^= found >> _HALF
        at += 8
    found = (found ^ first_bytes(data, at, end - at)) * _MIX
    return (found ^ found >> _HALF) * _MIX_2


@njit(cache=True, nogil=True)
def _count(code, data, offsets, classes, slots, arena, block, state, max_word_bytes):
    """Count until all is done (True), or slots or arena are full (False); the state says how far it is."""
    while True:
        if state[FIRST] == state[LAST]:
            _fill(code, data, offsets, classes, block, state, max_word_bytes)
            if state[LAST] == 0:
                return True
            _touch(slots, arena, block, state)
        if not _count_block(data, slots, arena, block, state):
            return False


@njit(cache=True, nogil=True)
def _fill(code, data, offsets, classes, block, state, max_word_bytes):
    """Split and hash the next words into a block: hash, place, bytes."""
    document, at, number = state[DOCUMENT], state[PLACE], 0
    while document < len(offsets) - 1:
        end = offsets[document + 1]
        while at < end and number < len(block):
            behind = end if code == WHOLE else next_end(code, data, at, end, classes)
            if behind - at > max_word_bytes:
                state[OVERLONG] += 1
                state[OVERLONG_BYTES] += behind - at
            else:
                block[number, 0] = _hash(data, at, behind)
                block[number, 1], block[number, 2] = np.uint64(at), np.uint64(behind - at)
                number += 1
            at = behind
        if at < end:
            break
        document += 1
    state[DOCUMENT], state[PLACE], state[FIRST], state[LAST] = document, at, 0, number


@njit(cache=True, nogil=True)
def _touch(slots, arena, block, state):
    """Read the slots of a block, then the words in them, so that they come from memory all at once.

    The sum keeps the loops alive.
    """
    shift, total = np.uint64(64 - trailing_zeros(np.uint64(len(slots)))), np.uint64(0)
    for i in range(state[LAST]):
        total += slots[block[i, 0] >> shift, 1]
    for i in range(state[LAST]):
        total += np.uint64(arena[slots[block[i, 0] >> shift, 1] >> _SHIFT])
    state[_TOUCHED] = np.int64(total & _LENGTH)


@njit(cache=True, nogil=True)
def _count_block(data, slots, arena, block, state):
    """Count what is left of a block; False where slots or arena are full."""
    mask, shift = np.uint64(len(slots) - 1), np.uint64(64 - trailing_zeros(np.uint64(len(slots))))
    words, used, first = state[WORDS], state[USED], state[FIRST]
    done = True
    for i in range(first, state[LAST]):
        key, start, number = block[i, 0], np.int64(block[i, 1]), np.int64(block[i, 2])
        slot = key >> shift
        while slots[slot, 2] != 0:
            if slots[slot, 0] == key and slots[slot, 1] & _LENGTH == block[i, 2]:
                place = np.int64(slots[slot, 1] >> _SHIFT)
                if number <= 8 or same_bytes(data, start, arena, place, number):  # up to eight are their hash
                    break
            slot = (slot + _ONE) & mask
        if slots[slot, 2] == 0:
            if used + number + PAD > len(arena) or _is_full(words, len(slots)):
                done = False
                break
            slots[slot, 0], slots[slot, 1] = key, np.uint64(used) << _SHIFT | block[i, 2]
            put_bytes(arena, used, data, start, number)
            used += number
            words += 1
        slots[slot, 2] += _ONE
        first += 1
    state[OCCURRENCES] += first - state[FIRST]
    state[WORDS], state[USED], state[FIRST] = words, used, first
    return done


@njit(cache=True, nogil=True)
def _rehashed(slots, number):
    larger = np.zeros((number, 3), np.uint64)
    mask, shift = np.uint64(number - 1), np.uint64(64 - trailing_zeros(np.uint64(number)))
    for i in range(len(slots)):
        if slots[i, 2] != 0:
            slot = slots[i, 0] >> shift
            while larger[slot, 2] != 0:
                slot = (slot + _ONE) & mask
            larger[slot, 0], larger[slot, 1], larger[slot, 2] = slots[i, 0], slots[i, 1], slots[i, 2]
    return larger
