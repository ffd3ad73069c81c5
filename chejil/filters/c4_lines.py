"""The pass over a text that says of each line whether C4 keeps it, else which rule takes it, and counts sentences.

A line meets the rules in the order of the code that was published with C4: a word too long, no mark at its end,
too few words, "lorem ipsum", "javascript", a curly bracket, a policy phrase. So each line that is not blank has
one fate, and the fates add up to the lines. The same line is judged a second time as FineWeb did, without the
rule of the end mark. What the counts mean stands in `c4.py`.

Of most lines the words say all (`c4_sentences.py`). What could make them lie is looked for in the bytes of the
document, by loops that compile to vector instructions: brackets, and the beginnings of five words, one of which every
phrase holds. Only lines with a citation or such a word are read character by character, by an automaton that looks
for all phrases at once (Aho and Corasick 1975). 650 MB/s on English, 850 on Korean;
to read every line so took three times as long.

Raffel et al. 2020, section 2.2, and its code: citations such as [3] are taken out of a line before it is judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from chejil.filters.c4_sentences import count_sentences, is_closer, is_end_mark, is_marked, is_small, is_stop
from chejil.filters.lexicons import lexicon
from chejil.filters.line_counts import line_end, line_start
from chejil.filters.unicode_classes import CLASS_BITS, WHITESPACE

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
ANCHOR_CHARS = 5
_SMALL = np.uint8(0x20)  # the bit that a small letter has and a capital has not; "[" becomes "{"
_NEWLINE, _OPEN, _CLOSE, _CURLY = ord("\n"), ord("["), ord("]"), ord("{")
_DOT, _ZERO, _NINE = ord("."), ord("0"), ord("9")


class Phrases(NamedTuple):
    """The phrases as a kernel reads them.

    `steps` (num_states, 128) uint8: the next state by ASCII character; any other character leads to state 0.
    `found` (num_states) int64: bit LOREM, JAVASCRIPT or POLICY of the phrases that end here. `citations`
    (num_citations, longest) uint8: what may stand between square brackets, closing one included, then zeros. `anchors`
    (num_anchors, ANCHOR_CHARS) uint8: beginnings of words, one of which every phrase holds.
    """

    steps: np.ndarray
    found: np.ndarray
    citations: np.ndarray
    anchors: np.ndarray


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
    return Phrases(steps, np.array(found, np.int64), _citations(), _anchors(endings))


def _anchors(phrases: Iterable[str]) -> np.ndarray:
    """The longest word of each phrase, cut to ANCHOR_CHARS."""
    words = {max(phrase.split(), key=len)[:ANCHOR_CHARS].encode() for phrase in phrases}
    assert {len(word) for word in words} == {ANCHOR_CHARS}
    return np.array([list(word) for word in sorted(words)], np.uint8)


def _longest_suffix(text: str, states: list[str]) -> str:
    return next(text[start:] for start in range(len(text) + 1) if text[start:] in states)


def _citations() -> np.ndarray:
    notes = [f"{note}]".encode() for note in lexicon("c4")["citation"]]
    table = np.zeros((len(notes), max(map(len, notes)) + 1), np.uint8)
    for row, note in zip(table, notes, strict=True):
        row[: len(note)] = np.frombuffer(note, np.uint8)
    return table


@njit(cache=True, nogil=True)
def count_c4(
    data, offsets, codes, flags, char_starts, begins, ends, line_words, line_starts,
    marks, steps, finds, citations, anchors, counts,
):  # fmt: skip
    """Fill `counts` (num_docs, len(COUNTERS)) int64, zeros before."""
    for doc in range(len(offsets) - 1):
        text = data[offsets[doc] : offsets[doc + 1]]
        anchored, bracketed = find_anchors(text, anchors, -1), holds_bracket(text)
        for line in range(line_starts[doc], line_starts[doc + 1]):
            first, last = np.int64(line_words[line]), np.int64(line_words[line + 1]) - 1
            start = line_start(codes, np.int64(begins[first]), char_starts[doc])
            end = line_end(codes, np.int64(ends[last]), char_starts[doc + 1])
            found, cited = np.int64(0), False
            if bracketed and holds_bracket(codes[start:end]):
                found, cited = read_brackets(codes, start, end, citations)
            if cited or (anchored and find_anchors(codes[start:end], anchors, anchored)):
                marked, sentences, found = read_line(codes, flags, start, end, marks, steps, finds, citations)
            else:
                marked = is_marked(codes, np.int64(begins[last]), np.int64(ends[last]))
                sentences = count_sentences(codes, begins, ends, first, last, marks)
            longest = longest_word(begins, ends, first, last) if end - start > MAX_WORD_CHARS else 0
            end_line(counts[doc], end - start, last + 1 - first, longest, marked, sentences, found)


@njit(cache=True, nogil=True)
def find_anchors(chars, anchors, asked):
    """Bit `k` for each anchor `k` that may stand in these bytes or characters: four letters of its five do.

    Only the anchors in `asked` are looked for. No branch and no early end, so that the loop compiles to vector
    instructions: 30 GB/s an anchor.
    """
    bits = np.int64(0)
    first, third, fourth, fifth = chars[:-4], chars[2:-2], chars[3:-1], chars[4:]
    for number in range(len(anchors)):
        if asked >> number & 1:
            anchor, found = anchors[number], False
            a, c, d, e = anchor[0], anchor[2], anchor[3], anchor[4]
            for at in range(len(fifth)):
                same = (first[at] | _SMALL == a) & (third[at] | _SMALL == c)
                found |= same & (fourth[at] | _SMALL == d) & (fifth[at] | _SMALL == e)
            bits |= found << number
    return bits


@njit(cache=True, nogil=True)
def holds_bracket(chars):
    """Whether these bytes or characters hold an opening curly or square bracket."""
    found = False
    for at in range(len(chars)):
        found |= chars[at] | _SMALL == _CURLY
    return found


@njit(cache=True, nogil=True)
def read_brackets(codes, at, end, citations):
    """The bit BRACKET where a curly bracket stands in the line, and whether a citation does."""
    found, cited = np.int64(0), False
    while at < end:
        code = codes[at]
        at += 1
        found |= (code == _CURLY) << BRACKET
        cited |= code == _OPEN and citation_end(codes, at, end, citations) != 0
    return found, cited


@njit(cache=True, nogil=True)
def longest_word(begins, ends, first, last):
    """Characters of the longest of these words."""
    longest = np.int32(0)
    for word in range(first, last + 1):
        longest = max(longest, ends[word] - begins[word])
    return longest


@njit(cache=True, nogil=True)
def read_line(codes, flags, start, end, marks, steps, finds, citations):
    """Read a line character by character, its citations left out.

    Returns:
        whether it ends with a mark; its sentences; and the bits LOREM, JAVASCRIPT, BRACKET and POLICY.
    """
    found = state = dots = np.int64(0)
    sentences, last, at = np.int64(1), np.int64(_NEWLINE), start
    ended = gap = False
    while at < end:
        code = np.int64(codes[at])
        at += 1
        after = citation_end(codes, at, end, citations) if code == _OPEN else np.int64(0)
        if after:
            at = after
            continue
        state = np.int64(steps[state, code]) if code < 128 else np.int64(0)
        found |= finds[state] | (code == _CURLY) << BRACKET
        if flags[at - 1] & CLASS_BITS == WHITESPACE:
            gap = True
            continue
        if gap:
            # A small letter goes on: "at 3 p.m. on Monday". "Dr. Kim" is taken for two sentences.
            sentences += ended and not is_small(code)
            ended = gap = False
            dots = np.int64(0)
        dots = dots + 1 if code == _DOT else np.int64(0)
        ended = is_stop(code) or (ended and is_closer(code, marks))
        last = code
    return is_end_mark(last) and dots < 3, sentences, found


@njit(cache=True, nogil=True)
def citation_end(codes, i, end, citations):
    """Where the citation ends whose opening bracket stands before `i`; 0 if it is none."""
    after = i
    while after < end and _ZERO <= codes[after] <= _NINE:
        after += 1
    if after < end and codes[after] == _CLOSE:
        return after + 1
    for note in citations:
        size = 0
        while i + size < end and note[size] and codes[i + size] == note[size]:
            size += 1
        if not note[size]:
            return i + size
    return np.int64(0)


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
