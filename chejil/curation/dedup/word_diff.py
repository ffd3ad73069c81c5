"""What two texts differ in, word by word: words of the one that the other has not, and the reverse, with their places.

Words are what stands between white space. What both texts begin and end with is taken off first, and of what is left
4,000 words each are compared: two nearly equal documents of any length take milliseconds, two different ones of that
size a second.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_WORDS = 4000
_EXACT_WORDS = 1000  # above, words that are more than one in a hundred are only compared beside others

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Change:
    """One difference: characters `start` to `end` of the one text (`removed`), `other_start` to `other_end` of the
    other (`added`); either may be empty. `before` and `after` are the words around it in the one text."""

    start: int
    end: int
    removed: str
    other_start: int
    other_end: int
    added: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Diff:
    """All differences, and how many words they are; `complete` is False where only the first words were compared."""

    changes: list[Change]
    num_removed_words: int
    num_added_words: int
    complete: bool


def word_diff(one: str, other: str, context_words: int = 3) -> Diff:
    """What must be taken from one text, and put in, to make the other.

    >>> [(change.removed, change.added) for change in word_diff("a b c d", "a x c d e").changes]
    [('b', 'x'), ('', 'e')]
    """
    mine, theirs = list(_WORD.finditer(one)), list(_WORD.finditer(other))
    own, own_theirs = [word[0] for word in mine], [word[0] for word in theirs]
    first, tail = _common(own, own_theirs)
    middle, other_middle = own[first : len(own) - tail], own_theirs[first : len(own_theirs) - tail]
    complete = len(middle) <= MAX_WORDS and len(other_middle) <= MAX_WORDS
    matcher = difflib.SequenceMatcher(
        None, middle[:MAX_WORDS], other_middle[:MAX_WORDS], autojunk=len(other_middle) > _EXACT_WORDS
    )
    changes, removed, added = [], 0, 0
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal":
            removed, added = removed + b - a, added + d - c
            a, b, c, d = a + first, b + first, c + first, d + first
            start, end = _span(mine, a, b, len(one))
            other_start, other_end = _span(theirs, c, d, len(other))
            before, after = " ".join(own[max(0, a - context_words) : a]), " ".join(own[b : b + context_words])
            changes.append(
                Change(
                    start, end, one[start:end], other_start, other_end, other[other_start:other_end],
                    before, after,
                )
            )  # fmt: skip
    return Diff(changes, removed, added, complete)


def _common(one: Sequence[str], other: Sequence[str]) -> tuple[int, int]:
    """Words that both begin with, and words that what is left of both ends with."""
    shorter = min(len(one), len(other))
    first = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    rest = shorter - first
    tail = next((at for at in range(rest) if one[-1 - at] != other[-1 - at]), rest)
    return first, tail


def _span(words: Sequence[re.Match[str]], first: int, end: int, length: int) -> tuple[int, int]:
    """Characters of words `first` to `end`; where these are none, the place where they would stand."""
    if first < end:
        return words[first].start(), words[end - 1].end()
    at = words[first].start() if first < len(words) else length
    return at, at
