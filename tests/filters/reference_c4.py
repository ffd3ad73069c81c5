"""Slow, plain reference of the C4 counters: each line's fate, in Python that can be read at a glance."""

from __future__ import annotations

import itertools
import re

from chejil.filters.lexicons import lexicon

CITATION = re.compile(r"\[(?:[0-9]*|{})\]".format("|".join(lexicon("c4")["citation"])))
CAPITALS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def c4(text: str) -> dict[str, int]:
    shown = [line for line in text.split("\n") if line.strip()]
    fates = [fate(line) for line in shown]
    open_fates = [fate(line, unmarked_too=True) for line in shown]
    kept = [line for line, why in zip(shown, fates, strict=True) if why == "kept"]
    open_kept = [line for line, why in zip(shown, open_fates, strict=True) if why == "kept"]
    rules = ("kept", "long_word", "unmarked", "few_word", "lorem", "javascript", "bracket", "policy")
    return {f"c4_{rule}_lines": fates.count(rule) for rule in rules} | {
        "c4_lines": len(shown),
        "c4_line_chars": sum(map(len, shown)),
        "c4_kept_chars": sum(map(len, kept)),
        "c4_sentences": sum(map(sentences, kept)),
        "fineweb_sentences": sum(map(sentences, open_kept)),
        "fineweb_lorem_lines": open_fates.count("lorem"),
        "fineweb_bracket_lines": open_fates.count("bracket"),
    }


def fate(line: str, unmarked_too: bool = False) -> str:
    """The first rule of C4 that takes the line."""
    split, bare = line.split(), CITATION.sub("", line).rstrip()
    small = bare.translate(CAPITALS)
    marked = bare.endswith((".", "?", "!", '"', "'")) and not bare.endswith("...")
    rules = {
        "long_word": any(len(word) > 1000 for word in split),
        "unmarked": not (marked or unmarked_too),
        "few_word": len(split) < 3,
        **{name: any(phrase in small for phrase in lexicon("c4")[name]) for name in ("lorem", "javascript")},
        "bracket": "{" in bare,
        "policy": any(phrase in small for phrase in lexicon("c4")["policy"]),
        "kept": True,
    }
    return next(name for name, holds in rules.items() if holds)


def sentences(line: str) -> int:
    """1, and one for each word after a mark that does not begin with a small letter."""
    split = CITATION.sub("", line).split()
    closers = "".join(lexicon("line_marks")["closer"])
    return 1 + sum(
        word.rstrip(closers).endswith((".", "?", "!")) and not "a" <= following[0] <= "z"
        for word, following in itertools.pairwise(split)
    )
