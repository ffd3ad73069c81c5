"""The words that tell what a number is, read from `lexicons/pii.yaml`.

Labels are found from the left, the longest at each place, so 사업자등록번호 is a firm's and 등록번호 alone may be
anyone's. Any other noun before 번호 (자산번호, 고객번호) names a number that is none of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from chejil.filters.lexicons import lexicon

OTHERS, WEAK_OTHERS, GENERIC_OTHERS = "others", "weak_others", "generic_others"
MAX_OTHER_GAP = 14  # "a lot of people call 010-…": "lot" is too far away to name the number
_NAMED_NUMBER = "[가-힣]{2,6}번호(?!로)"  # 번호로: "to this number"


@dataclass(frozen=True)
class Labels:
    """The kinds that the words before a number name, and which list of the lexicon refuses it, or None."""

    kinds: frozenset[str]
    other: str | None

    @classmethod
    @lru_cache(maxsize=4096)
    def of(cls, gap: str) -> Labels:
        """Read them; the nearest word refuses or allows, a general one (번호, no.) only where no label stands."""
        kinds: set[str] = set()
        other, other_end = None, 0
        for match in _pattern().finditer(gap):
            for kind in _kinds(match.group()):
                if kind not in (OTHERS, WEAK_OTHERS, GENERIC_OTHERS):
                    kinds.add(kind)
                    other = None
                elif kind != GENERIC_OTHERS or not (kinds or other):
                    other, other_end = kind, match.end()
        is_far = len(gap) - other_end > MAX_OTHER_GAP
        return cls(frozenset(kinds), None if is_far else other)


def _kinds(words: str) -> list[str]:
    word = _bare(words)
    known = _table().get(word) or _table().get(word.removesuffix("s"))
    if known:
        return known
    within = [
        kind for match in _listed().finditer(words[:-2]) for kind in _table().get(_bare(match.group()), ())
    ]
    return within or [OTHERS]


@cache
def _table() -> dict[str, list[str]]:
    lists = lexicon("pii")
    named = [*lists["labels"].items(), *((OTHERS, words) for words in lists[OTHERS])]
    table: dict[str, list[str]] = {}
    for kind, words in (*named, *((name, lists[name]) for name in (WEAK_OTHERS, GENERIC_OTHERS))):
        for word in words:
            table.setdefault(_bare(word), []).append(kind)
    return table


@cache
def _listed() -> re.Pattern[str]:
    lists = lexicon("pii")
    groups = [*lists["labels"].values(), *lists[OTHERS], lists[WEAK_OTHERS], lists[GENERIC_OTHERS]]
    return alternation(word for group in groups for word in group)


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(f"{_listed().pattern}|{_NAMED_NUMBER}", re.IGNORECASE)


def _bare(word: str) -> str:
    return re.sub(r"\s+", "", word).lower()


def alternation(words: Iterable[str]) -> re.Pattern[str]:
    """One of the words, the longest first; Latin ones stand alone, a space is any white space or none."""
    by_first: dict[str, list[str]] = {}
    for word in sorted({word.lower() for word in words}, key=lambda word: (-len(word), word)):
        by_first.setdefault(word[0], []).append(_rest(word))
    branches = (
        _before(first) + re.escape(first) + f"(?:{'|'.join(rests)})" for first, rests in by_first.items()
    )
    # The set of first characters turns most places down in one step: 5 times the speed of the bare alternation.
    return re.compile(f"(?=[{''.join(map(re.escape, by_first))}])(?:{'|'.join(branches)})", re.IGNORECASE)


def _before(first: str) -> str:
    return "(?<![A-Za-z])" if first.isascii() and first.isalpha() else ""


def _rest(word: str) -> str:
    ends = word[-1].isascii() and word[-1].isalpha()
    plural = "s?" if ends and len(word) > 3 else ""
    escaped = re.escape(word[1:]).replace(r"\ ", r"\s*")
    return escaped + (f"{plural}(?![A-Za-z])" if ends else "")


@cache
def units() -> re.Pattern[str]:
    """A unit right after a number; behind a space it is a word of its own ("12 주" is weeks, "12 주민증" is not)."""
    words = alternation(lexicon("pii")["units"]).pattern
    return re.compile(rf"(?:{words})|\s(?:{words})(?:[을를은는이가의에도로과와]?(?![가-힣]))", re.IGNORECASE)


@cache
def banks_before() -> re.Pattern[str]:
    """The name of a bank before the number, with at most 계좌 and its like or a holder in brackets between."""
    names = "|".join(sorted(map(re.escape, lexicon("pii")["banks"]), key=len, reverse=True))
    words = r"(?:은행|계좌|번호|예금주|입금|송금|account|no\.?|[\s:：;,.)(\]\[/|·=-])*"
    return re.compile(rf"(?:{names}){words}(?:\([가-힣A-Za-z :：]{{2,16}}\)[\s:：]*)?\Z", re.IGNORECASE)


@cache
def banks_after() -> re.Pattern[str]:
    """The name of a bank that stands right after the number."""
    names = sorted((name for name in lexicon("pii")["banks"] if len(name) > 2), key=len, reverse=True)
    return re.compile(rf"[\s,(/\[]{{0,3}}(?:{'|'.join(map(re.escape, names))})", re.IGNORECASE)
