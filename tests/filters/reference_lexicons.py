"""The slow, plain reference of the lexicons' pass: every phrase by `str.find`, then the rules of overlap."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import NamedTuple

from chejil.filters.lexicon_tables import CATEGORIES, LEXICONS, spelled, spellings
from chejil.filters.lexicons import lexicon

from .reference import char_class, is_letter

GAP_CHARS = 3
_FOLD = {code: chr(code - 0xFEE0).lower() for code in range(0xFF01, 0xFF5F)}
_FOLD |= {code: chr(code).lower() for code in range(0x41, 0x5B)}
_FOLD |= dict.fromkeys(map(ord, "\t\u00a0\u3000\r\n"), " ") | dict.fromkeys(map(ord, "’‘"), "'")
_FOLD |= dict.fromkeys([*range(0x31, 0x3A), *range(0xFF10, 0xFF1A)], "0")


class Entry(NamedTuple):
    """What a spelling means: its list, the mark before it (^ or +), whether $ closes it, whether it is a disguise."""

    lexicon: str
    category: str
    mark: str
    closed: bool
    disguised: bool


class Match(NamedTuple):
    """`start` and `end` are places in the text, `end` behind the last character."""

    end: int
    apart: bool
    start: int
    entry: Entry
    tricks: bool


@cache
def entries() -> dict[str, Entry]:
    """By spelling; the first of a lexicon keeps it."""
    found: dict[str, Entry] = {}
    for name in LEXICONS:
        for category, listed in lexicon(name).items():
            for entry in listed:
                if category == "letter_by_letter":
                    found[spelled(entry)] = Entry(name, CATEGORIES[name][0], "", False, True)
                    continue
                for spelling in spellings(entry):
                    mark = entry[0] if entry[0] in "^+" else ""
                    found.setdefault(spelling, Entry(name, category, mark, entry[-1] == "$", False))
    return found


def is_latin(char: str) -> bool:
    return char_class(char) in ("latin", "digits")


def is_word(char: str) -> bool:
    return is_letter(char) or char_class(char) == "digits"


def has_edges(spelling: str, entry: Entry, before: str, after: str) -> bool:
    left = {"^": not is_word(before), "+": is_letter(before)}.get(entry.mark, True)
    left = left and not ("a" <= spelling[0] <= "z" and is_latin(before))
    right = not (entry.closed and is_word(after))
    return left and right and not ("a" <= spelling[-1] <= "z" and is_latin(after))


def whole_matches(text: str) -> list[Match]:
    """Phrases in the text without its invisible characters; of one lexicon, the longest at each end."""
    places = [place for place, char in enumerate(text) if char_class(char) != "controls"]
    seen = "".join(text[place] for place in places).translate(_FOLD)
    best: dict[tuple[int, str], Match] = {}
    for spelling, entry in entries().items():
        at = seen.find(spelling)
        while at >= 0:
            start, end = places[at], places[at + len(spelling) - 1] + 1
            if has_edges(spelling, entry, text[start - 1] if start else " ", (text[end:] or " ")[0]):
                span = text[start:end]
                tricks = len(span) > len(spelling) or any("０" <= char <= "ｚ" for char in span)
                known = best.get((end, entry.lexicon))
                if known is None or start < known.start:
                    best[end, entry.lexicon] = Match(end, False, start, entry, tricks or entry.disguised)
            at = seen.find(spelling, at + 1)
    return list(best.values())


def apart_matches(text: str) -> list[Match]:
    """Phrases of which every letter stands alone."""
    places = [place for place, char in enumerate(text) if char_class(char) != "controls"]
    chars = [text[place] for place in places]
    alone = [
        i
        for i, char in enumerate(chars)
        if is_letter(char)
        and not (i and is_letter(chars[i - 1]))
        and not (i + 1 < len(chars) and is_letter(chars[i + 1]))
    ]
    phrases = {p: name for name in LEXICONS for p in lexicon(name).get("letter_by_letter", ())}
    found, run = [], []
    for i in alone:
        gap = chars[run[-1] + 1 : i] if run else []
        if len(gap) > GAP_CHARS or "\n" in gap or any(map(is_letter, gap)):
            run = []
        run.append(i)
        word = "".join(chars[at] for at in run).translate(_FOLD)
        ends = [phrase for phrase in phrases if word.endswith(phrase)]
        if ends:
            phrase = max(ends, key=len)
            name = phrases[phrase]
            entry = Entry(name, CATEGORIES[name][0], "", False, True)
            found.append(Match(places[i] + 1, True, places[run[-len(phrase)]], entry, True))
            run = []
    return found


def chosen(matches: list[Match]) -> list[Match]:
    """Of matches of one lexicon: a later one replaces the last if it holds it, and must not meet it else."""
    kept: list[Match] = []
    last, taken = None, 0
    for match in sorted(matches):
        if last is None or match.start >= last.end:
            if last and last.entry.category != "safe":
                kept.append(last)
                taken = last.end
            last = match
        elif taken <= match.start <= last.start:
            last = match
    return [match for match in (*kept, last) if match and match.entry.category != "safe"]


def lexicon_hits(text: str) -> Counter[str]:
    """The counters of the pass."""
    counts: Counter[str] = Counter()
    matches = whole_matches(text) + apart_matches(text)
    for name in LEXICONS:
        end = None
        for match in chosen([match for match in matches if match.entry.lexicon == name]):
            counts[f"{name}_{match.entry.category}"] += 1
            counts[f"{name}_hits"] += 1
            counts[f"{name}_chars"] += sum(len(part) for part in text[match.start : match.end].split())
            between = text[end : match.start]
            counts[f"{name}_eojeol"] += end is None or any(not char.split() for char in between)
            counts[f"{name}_disguised"] += match.tricks
            end = match.end
    return counts
