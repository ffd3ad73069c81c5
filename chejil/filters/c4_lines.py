"""The pass over a text that says of each line whether C4 keeps it, else which rule takes it, and counts sentences.

A line meets the rules in the order of the code that was published with C4: a word too long, no mark at its end,
too few words, "lorem ipsum", "javascript", a curly bracket, a policy phrase. So each line that is not blank has
one fate, and the fates add up to the lines. The same line is judged a second time as FineWeb did, without the
rule of the end mark. What the counts mean stands in `c4.py`.

All phrases are looked for at once, by an automaton (Aho and Corasick 1975) with a step a character: eight
phrases cost what one costs, and the pass runs at about 200 MB/s.

Raffel et al. 2020, section 2.2, and its code: citations such as [3] are taken out of a line before it is judged.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from chejil.filters.lexicons import lexicon
from chejil.filters.line_counts import CLOSER
from chejil.filters.unicode_classes import CLASS_BITS, WHITESPACE, next_char

COUNTERS = (
    "c4_lines", "c4_line_chars", "c4_kept_lines", "c4_kept_chars", "c4_sentences",
    "c4_long_word_lines", "c4_unmarked_lines", "c4_few_word_lines",
    "c4_lorem_lines", "c4_javascript_lines", "c4_bracket_lines", "c4_policy_lines",
    "fineweb_sentences", "fineweb_lorem_lines", "fineweb_bracket_lines",
)  # fmt: skip
LINES, LINE_CHARS, KEPT, KEPT_CHARS, SENTENCES = range(5)
LONG_WORD, UNMARKED, FEW_WORDS, LOREM, JAVASCRIPT, BRACKET, POLICY = range(5, 12)
FINEWEB_SENTENCES, FINEWEB_LOREM, FINEWEB_BRACKET = range(12, 15)

MAX_WORD_CHARS = 1000
MIN_WORDS = 3
_NEWLINE, _OPEN, _CLOSE, _CURLY = ord("\n"), ord("["), ord("]"), ord("{")
_DOT, _QUESTION, _EXCLAMATION, _QUOTE, _APOSTROPHE = ord("."), ord("?"), ord("!"), ord('"'), ord("'")
_SMALL_A, _SMALL_Z, _ZERO, _NINE = ord("a"), ord("z"), ord("0"), ord("9")


class Phrases(NamedTuple):
    """The phrases as a kernel reads them.

    `steps` (num_states, 128) uint8: the next state by ASCII character; any other character leads to state 0.
    `found` (num_states) int64: bit LOREM, JAVASCRIPT or POLICY of the phrases that end here. `citations`
    (num_citations, longest) uint8: what may stand between square brackets, closing one included, then zeros.
    """

    steps: np.ndarray
    found: np.ndarray
    citations: np.ndarray


@cache
def phrases() -> Phrases:
    """Read `lexicons/c4.yaml`, once a process."""
    kinds = {"lorem": 1 << LOREM, "javascript": 1 << JAVASCRIPT, "policy": 1 << POLICY}
    endings = {phrase: bit for name, bit in kinds.items() for phrase in lexicon("c4")[name]}
    states = sorted({phrase[:end] for phrase in endings for end in range(len(phrase) + 1)}, key=len)
    assert len(states) < 256
    steps = np.zeros((len(states), 128), np.uint8)
    for number, state in enumerate(states):
        for char in map(chr, range(128)):
            steps[number, ord(char)] = states.index(_longest_suffix(state + char.lower(), states))
    found = [sum({bit for end, bit in endings.items() if state.endswith(end)}) for state in states]
    return Phrases(steps, np.array(found, np.int64), _citations())


def _longest_suffix(text: str, states: list[str]) -> str:
    return next(text[start:] for start in range(len(text) + 1) if text[start:] in states)


def _citations() -> np.ndarray:
    notes = [f"{note}]".encode() for note in lexicon("c4")["citation"]]
    table = np.zeros((len(notes), max(map(len, notes)) + 1), np.uint8)
    for row, note in zip(table, notes, strict=True):
        row[: len(note)] = np.frombuffer(note, np.uint8)
    return table


@njit(cache=True, nogil=True)
def count_c4(data, offsets, table, marks, steps, finds, citations, counts):
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    for doc in range(len(offsets) - 1):
        i, end, row = offsets[doc], offsets[doc + 1], counts[doc]
        while i < end:
            i, chars, words, longest, marked, sentences, found = read_line(
                data, i, end, table, marks, steps, finds, citations
            )
            if words:
                end_line(row, chars, words, longest, marked, sentences, found)


@njit(cache=True, nogil=True)
def read_line(data, i, end, table, marks, steps, finds, citations):
    """Read to the next line break. Words and characters are of the line as it is, the rest without citations.

    Returns:
        where the next line starts; characters; words; characters of the longest word; whether the line ends
        with a mark; its sentences; and the bits LOREM, JAVASCRIPT, BRACKET and POLICY.
    """
    chars = words = word_chars = longest = found = state = dots = np.int64(0)
    sentences, last, skip = np.int64(1), np.int64(_NEWLINE), i
    ended = gap = False
    while i < end:
        at = i
        code, i = next_char(data, i)
        if code == _NEWLINE:
            break
        chars += 1
        white = table[code] & CLASS_BITS == WHITESPACE
        if white:
            word_chars = np.int64(0)
        else:
            words += word_chars == 0
            word_chars += 1
            longest = max(longest, word_chars)
        if code == _OPEN and at >= skip:
            skip = citation_end(data, i, end, citations)
        if at < skip:
            continue
        state = np.int64(steps[state, code]) if code < 128 else np.int64(0)
        found |= finds[state] | (code == _CURLY) << BRACKET
        if white:
            gap = True
            continue
        if gap:
            # A small letter goes on: "at 3 p.m. on Monday". "Dr. Kim" is taken for two sentences.
            sentences += ended and not _SMALL_A <= code <= _SMALL_Z
            ended = gap = False
            dots = np.int64(0)
        dots = dots + 1 if code == _DOT else np.int64(0)
        if code in (_DOT, _QUESTION, _EXCLAMATION):
            ended = True
        elif code > 0xFFFF or not marks[code] & CLOSER:
            ended = False
        last = code
    return i, chars, words, longest, is_end_mark(last) and dots < 3, sentences, found


@njit(cache=True, nogil=True)
def citation_end(data, i, end, citations):
    """Where the citation ends whose opening bracket stands before byte `i`; 0 if it is none."""
    after = i
    while after < end and _ZERO <= data[after] <= _NINE:
        after += 1
    if after < end and data[after] == _CLOSE:
        return after + 1
    for note in citations:
        size = 0
        while i + size < end and note[size] and data[i + size] == note[size]:
            size += 1
        if not note[size]:
            return i + size
    return np.int64(0)


@njit(cache=True, nogil=True)
def is_end_mark(code):
    """Whether C4 calls it the end of a sentence."""
    return code in (_DOT, _QUESTION, _EXCLAMATION, _QUOTE, _APOSTROPHE)


@njit(cache=True, nogil=True)
def end_line(row, chars, words, longest, marked, sentences, found):
    """Count one line that is not blank."""
    row[LINES] += 1
    row[LINE_CHARS] += chars
    fate = fate_of_line(words, longest, marked, found)
    row[fate] += 1
    if fate == KEPT:
        row[KEPT_CHARS] += chars
        row[SENTENCES] += sentences
    fate = fate_of_line(words, longest, True, found)
    row[FINEWEB_SENTENCES] += sentences if fate == KEPT else 0
    row[FINEWEB_LOREM] += fate == LOREM
    row[FINEWEB_BRACKET] += fate == BRACKET


@njit(cache=True, nogil=True)
def fate_of_line(words, longest, marked, found):
    """The counter of the first rule that takes the line, or KEPT."""
    if longest > MAX_WORD_CHARS:
        return LONG_WORD
    if not marked:
        return UNMARKED
    if words < MIN_WORDS:
        return FEW_WORDS
    for rule in range(LOREM, POLICY + 1):
        if found >> rule & 1:
            return rule
    return KEPT
