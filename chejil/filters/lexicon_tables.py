"""The lexicons of spam, abuse, law and generated pages as one tree, and the rules of each phrase.

All four are looked for in one pass, so a signal of a fifth lexicon costs a YAML file and no time. In a file each
list is a category; one called `safe` holds harmless words that contain a phrase ("시발점", starting point).

How phrases are written:

- `_` is a space or nothing: Korean compounds are spaced at will ("개인 회생" is "개인회생"). Written out before the
  tree is built, which three of them in a phrase make eight.
- `0` is any digit: "제0조" finds article 7, "시0발" any digit that hides a swear word.
- `^` first and `$` last: only at the edge of a word. A Latin letter at an edge always wants one, so "ass" is not in
  "class"; Hangul does not, because particles and endings follow and compounds precede.
- `+` first: only at the end of a compound ("+견적$" is in "포항이사견적" and neither in "견적을" nor in "견적").
- phrases in `letter_by_letter` are also found with each letter apart ("카.지.노", "토 토") or as single jamo.
"""

from __future__ import annotations

import itertools
import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np

from chejil.filters.lexicons import lexicon
from chejil.filters.phrase_tree import Tree, compile_tree, fold

LEXICONS = ("spam", "toxic", "legal", "generated")
SAFE, LETTER_BY_LETTER = "safe", "letter_by_letter"
CATEGORIES: dict[str, tuple[str, ...]] = {
    "spam": (
        "gambling", "adult", "loans", "investing", "marketing", "beauty", "insurance", "trades", "telecom", "goods",
        "keywords", "come_ons",
    ),
    "toxic": ("profanity", "slurs", "harassment"),
    "legal": ("provisions", "enactment", "drafting", "judgment"),
    "generated": ("machine_translation", "language_model", "template", "error_page", "doorway"),
}  # fmt: skip
"""Lists of each file. Named here too, because reading the files (0.07 s) can wait until a text is measured."""

COLUMNS = tuple(f"{name}_{key}" for name, keys in CATEGORIES.items() for key in keys)
NO_COLUMN = -1  # of a safe phrase
LEFT_LATIN, LEFT_WORD, LEFT_GLUED, RIGHT_LATIN, RIGHT_WORD = 1, 2, 4, 8, 16

_SAME = {"\n": " ", "\r": " ", "’": "'", "‘": "'"} | dict.fromkeys("123456789", "0")
_FOLDED = {ord(char): stand_in for char, stand_in in _SAME.items()}
_JAMO_BASE, _VOWEL_BASE, _FINAL_BASE = 0x1100, 0x1161, 0x11A7
_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"


class Rule(NamedTuple):
    """What a match of a phrase means.

    `lexicon` is an index into LEXICONS, `column` one into COLUMNS or NO_COLUMN, `edges` has the bits above,
    `disguised` is 1 where the phrase itself is a disguise.
    """

    lexicon: int
    column: int
    edges: int
    disguised: int


class Rules(NamedTuple):
    """The fields of Rule for all phrases, arrays (num_phrases) int64; those of letters set apart follow `num_whole`."""

    lexicon: np.ndarray
    column: np.ndarray
    edges: np.ndarray
    disguised: np.ndarray
    num_whole: int


class Tables(NamedTuple):
    """`phrases` over whole text, `apart` over letters that stand alone."""

    phrases: Tree
    apart: Tree
    rules: Rules


@cache
def tables() -> Tables:
    """Read and compile the four lexicons, once a process; 0.11 s, with compiled kernels in the cache."""
    whole, apart = phrase_rules()
    fields = np.array([*whole.values(), *apart.values()], np.int64).T.copy()
    rules = Rules(fields[0], fields[1], fields[2], fields[3], len(whole))
    return Tables(_compiled(list(whole)), _compiled(list(apart)), rules)


@cache
def phrase_rules() -> tuple[dict[str, Rule], dict[str, Rule]]:
    """Rules by spelling: of phrases in whole text, and of those whose letters may stand apart; as `tables` has them."""
    rules: dict[str, Rule] = {}
    apart: dict[str, Rule] = {}
    for number, name in enumerate(LEXICONS):
        assert CATEGORIES[name] == tuple(key for key in lexicon(name) if key not in (SAFE, LETTER_BY_LETTER))
        for category, entries in lexicon(name).items():
            column = NO_COLUMN if category == SAFE else COLUMNS.index(f"{name}_{_home(name, category)}")
            for entry in entries:
                if category == LETTER_BY_LETTER:
                    apart[entry] = rules[spelled(entry)] = Rule(number, column, 0, 1)
                else:
                    _enter(rules, entry, Rule(number, column, edges(entry), 0))
    return rules, apart


def _home(name: str, category: str) -> str:
    """The category that a phrase counts in: letter by letter, that of the file's first list."""
    return CATEGORIES[name][0] if category == LETTER_BY_LETTER else category


def _enter(rules: dict[str, Rule], entry: str, rule: Rule) -> None:
    """All spellings of an entry; where two entries have one, the first keeps it, and must mean the same edges."""
    for spelling in spellings(entry):
        known = rules.setdefault(spelling, rule)
        assert (known.lexicon, known.edges) == (rule.lexicon, rule.edges), f"{spelling!r} has two meanings"


def spellings(entry: str) -> list[str]:
    """An entry as the tree takes it: folded, digits as 0, each `_` a space or nothing.

    >>> spellings("^개인_회생")
    ['개인 회생', '개인회생']
    """
    parts = fold(entry.strip("^+$")).translate(_FOLDED).split("_")
    gaps = (
        itertools.product(" ", repeat=0)
        if len(parts) == 1
        else itertools.product((" ", ""), repeat=len(parts) - 1)
    )
    return ["".join(itertools.chain(*zip(parts, (*gap, ""), strict=True))) for gap in gaps]


def edges(entry: str) -> int:
    """Bits of the edges of a word that the entry wants.

    >>> edges("ass") == LEFT_LATIN | RIGHT_LATIN, edges("^시발") == LEFT_WORD
    (True, True)
    """
    bare = fold(entry.strip("^+$"))
    bits = {"^": LEFT_WORD, "+": LEFT_GLUED}.get(entry[0], 0) | (RIGHT_WORD if entry[-1] == "$" else 0)
    return bits | ("a" <= bare[0] <= "z") * LEFT_LATIN | ("a" <= bare[-1] <= "z") * RIGHT_LATIN


def spelled(syllables: str) -> str:
    """As single jamo.

    >>> spelled("토토")
    'ㅌㅗㅌㅗ'
    """
    jamo = []
    for char in unicodedata.normalize("NFD", syllables):
        code = ord(char)
        if code >= _FINAL_BASE:
            jamo.append(_FINALS[code - _FINAL_BASE])
        else:
            jamo.append(_VOWELS[code - _VOWEL_BASE] if code >= _VOWEL_BASE else _INITIALS[code - _JAMO_BASE])
    return "".join(jamo)


def _compiled(phrases: list[str]) -> Tree:
    """The tree, with digits, line breaks and curly apostrophes read as what they stand for."""
    compiled = compile_tree(phrases)
    symbols = compiled.symbols.copy()
    for char, stand_in in _SAME.items():
        symbols[ord(char)] = symbols[ord(stand_in)]
    for digit in range(0xFF10, 0xFF1A):  # full-width
        symbols[digit] = symbols[ord("0")]
    return compiled._replace(symbols=symbols)
