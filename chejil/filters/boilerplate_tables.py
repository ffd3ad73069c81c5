"""The lexicon of boilerplate as the judge of a line reads it: bits of characters, a tree of phrases, their worth.

A phrase is worth four numbers of 16 bits in one (letters covered, points, letters explained by notices and by
labels), so that a chain of phrases adds them in one instruction and comparing two chains is another.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from chejil.filters.lexicons import lexicon
from chejil.filters.line_counts import CLOSER as MARK_CLOSER
from chejil.filters.line_counts import TERMINAL as MARK_TERMINAL
from chejil.filters.line_counts import mark_table
from chejil.filters.phrase_tree import Tree, compile_tree, fold
from chejil.filters.unicode_classes import (
    ALPHABETIC,
    CLASS_BITS,
    CONJOINING,
    DIGIT,
    HANGUL,
    JAMO,
    LATIN,
    WHITESPACE,
    class_table,
)

KINDS = ("news", "copyright", "footer", "widget", "menu")
"""Kinds of boilerplate lines."""

NUMBER, LATIN_WORD, HANGUL_WORD, OTHER_WORD, WORD_CLASS = 1, 2, 3, 4, 7
SEPARATOR, CODE, TERMINAL, CLOSER, SPACE, OPENER, LOWER, BEGINS, MARK, WHOLE = (8 << bit for bit in range(10))
COVERED, POINTS, NOTICE, FIELD = 48, 32, 16, 0xFFFF
MAX_PHRASE_CHARS = 63
_PLACES, _SPREAD = 1 << 16, 89  # so that pairs of 700 symbols fill the table
_LAST = 0xFFFF


class Tables(NamedTuple):
    """What the judge reads: `chars` (65536) uint16 bits of a character; `phrases`; `begins` (65536)
    uint8, for `may_begin`; and of each phrase its `value`
    (int64, four packed numbers: COVERED, POINTS, NOTICE and, lowest, labels) and `kind` (int8, index into KINDS or -1).
    """

    chars: np.ndarray
    phrases: Tree
    begins: np.ndarray
    value: np.ndarray
    kind: np.ndarray


def entries() -> dict[str, tuple[str, str]]:
    """(kind, what it is worth) of each phrase of the lexicon, folded; "\\n" stands for the beginning of the line."""
    table = lexicon("boilerplate")
    found = dict.fromkeys(_phrases(table["filler"]), ("filler", "filler"))
    for kind in KINDS:
        for worth, listed in table[kind].items():
            for phrase in _phrases(listed):
                assert phrase not in found, f"{phrase!r} stands twice in boilerplate.yaml"
                found[phrase] = (kind, worth)
    for phrase in list(found):
        found.setdefault(_unspaced(phrase), found[phrase])
        found.setdefault(phrase.replace(" :", ":"), found[phrase])
        found.setdefault(phrase.replace(" :", ":").replace(":", " :"), found[phrase])
    return found


def _phrases(listed: str) -> list[str]:
    return [fold(phrase.strip()).replace("^", "\n") for phrase in listed.split(",") if phrase.strip()]


def _unspaced(phrase: str) -> str:
    """A Korean phrase without its spaces; writers leave them out."""
    return phrase.replace(" ", "") if is_korean(phrase) else phrase


def is_korean(phrase: str) -> bool:
    """Whether it holds a Hangul syllable."""
    return any("가" <= char <= "힣" for char in phrase)


@cache
def tables() -> Tables:
    """Read the lexicon, once a process (0.07 s)."""
    found, worth_of, chars = entries(), lexicon("boilerplate"), char_table().copy()
    assert max(map(len, found)) <= MAX_PHRASE_CHARS
    letters = letters_of(np.arange(WORD_CLASS + 1))[chars & WORD_CLASS].tolist()
    value = []
    for phrase, (_, worth) in found.items():
        explained = worth_of["explains"].get(worth, 0)
        notice = explained if worth == "notice" else 0
        covered = sum(letters[ord(char)] for char in phrase)
        value.append(
            covered << COVERED | worth_of["points"][worth] << POINTS | notice << NOTICE | explained - notice
        )
    kinds = [KINDS.index(kind) if kind in KINDS else -1 for kind, _ in found.values()]
    phrases = compile_tree(list(found))
    firsts = {phrases.symbols[ord(phrase[0])] for phrase in found}
    wholes = {phrases.symbols[ord(phrase)] for phrase in found if len(phrase) == 1}
    chars[np.isin(phrases.symbols, list(firsts))] |= BEGINS
    chars[np.isin(phrases.symbols, list(wholes))] |= WHOLE
    chars.flags.writeable = False
    return Tables(
        chars, phrases, _begins(list(found), phrases.symbols), np.array(value), np.array(kinds, np.int8)
    )


def _begins(phrases: list[str], symbols: np.ndarray) -> np.ndarray:
    """At the place of the first four characters of a phrase, or of all two or three, the bit for so many."""
    begins = np.zeros(_PLACES, np.uint8)
    for phrase in phrases:
        place, *others = symbols[list(map(ord, phrase[:4]))].tolist()
        for symbol in others:
            place = place_of(place, symbol)
        begins[place] |= 1 << len(others)
    return begins


@register_jitable
def place_of(place, symbol):
    """Place of some characters and this next one, where theirs is `place` (of one, its symbol)."""
    return (place * _SPREAD + symbol) & (_PLACES - 1)


@register_jitable
def may_begin(begins, symbols, codes, at, end):
    """Whether a phrase of two characters or more may begin at `at`, by four; behind the last one stands itself."""
    first = np.int64(symbols[min(codes[at], _LAST)])
    two = place_of(first, np.int64(symbols[min(codes[min(at + 1, end - 1)], _LAST)]))
    three = place_of(two, np.int64(symbols[min(codes[min(at + 2, end - 1)], _LAST)]))
    four = place_of(three, np.int64(symbols[min(codes[min(at + 3, end - 1)], _LAST)]))
    return begins[two] & 2 | begins[three] & 4 | begins[four] & 8 != 0


@register_jitable
def letters_of(word):
    """What a character of that class counts: a Latin letter 1, a letter of another script 2, any other 0.

    A Korean syllable says about as much as two letters of English, so that one set of numbers does for both.
    """
    return 1 * (word > NUMBER) + (word > LATIN_WORD)


@cache
def char_table() -> np.ndarray:
    """Bits of each code point below U+10000, (65536) uint16: class of word character (0 none, NUMBER, letters by
    script), SEPARATOR, CODE, TERMINAL, CLOSER, SPACE, OPENER, LOWER,
    MARK (of code, beside some others). `tables` adds BEGINS and WHOLE (the first character of a phrase, or all)."""
    classes = class_table()[: 1 << 16]
    kinds, alphabetic = classes & CLASS_BITS, classes & ALPHABETIC != 0
    chars = np.zeros(1 << 16, np.uint16)
    chars[alphabetic] = OTHER_WORD
    chars[alphabetic & (kinds == LATIN)] = LATIN_WORD
    chars[alphabetic & ((kinds == HANGUL) | (kinds == CONJOINING) | (kinds == JAMO))] = HANGUL_WORD
    chars[kinds == DIGIT] = NUMBER
    chars[kinds == WHITESPACE] = SPACE
    marks = mark_table()
    chars[marks & MARK_TERMINAL != 0] |= TERMINAL
    chars[marks & MARK_CLOSER != 0] |= CLOSER
    chars[ord("a") : ord("z") + 1] |= LOWER
    chars[[ord("("), ord("]"), ord(":")]] |= MARK
    marked = {"separators": SEPARATOR, "code": CODE, "openers": OPENER, "unfinished": TERMINAL}
    for name, bit in marked.items():
        for char in lexicon("boilerplate")[name]:
            chars[ord(char)] |= bit
    chars.flags.writeable = False
    return chars
