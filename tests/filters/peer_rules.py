"""The rules of datatrove's four heuristic filters, said again so that each can be read in our way instead.

Every function gives the reasons for which a text fails, in the peer's order. With nothing in `ours` they are the
peer's; with all of CAUSES they are ours. So where the two judge a document differently, the smallest set of causes
that turns the peer's reason into ours is why. The test checks both ends against the programs themselves.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator

from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION
from datatrove.utils.word_tokenizers import WordTokenizer

from chejil.filters.lexicons import lexicon

from . import reference, reference_c4

Ours = frozenset[str]
Rules = Iterator[tuple[str, bool]]
"""Reason, and whether the text fails for it, in the peer's order."""
STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}


class WhiteSpace(WordTokenizer):
    """Words as `str.split` gives them, and our sentences: with these the peer needs no model."""

    def word_tokenize(self, text: str) -> list[str]:
        """Words."""
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        """Sentences."""
        return [text[start:end] for start, end in self.span_tokenize(text)]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Where the sentences stand."""
        words = [match.span() for match in re.finditer(r"\S+", text)]
        pairs = itertools.pairwise(words)
        ends = [a[1] for a, b in pairs if reference_c4.sentences(text[a[0] : b[1]]) > 1]
        return list(itertools.pairwise([0, *ends, len(text)]))


def quality(text: str, ours: Ours = frozenset()) -> Rules:
    """Gopher's quality rules."""
    words, lines = text.split(), broken(text, ours)
    spoken = [word for word in words if is_spoken(word, ours)]
    mean = sum(map(len, spoken)) / len(spoken) if spoken else float("nan")
    letter = reference.is_letter if "hangul fillers" in ours else str.isalpha
    yield from {
        "gopher_short_doc": len(spoken) < 50,
        "gopher_long_doc": len(spoken) > 100_000,
        "gopher_below_avg_threshold": mean < 3,
        "gopher_above_avg_threshold": mean > 10,
        "gopher_too_many_hashes": text.count("#") / len(words) > 0.1,
        "gopher_too_many_ellipsis": (text.count("...") + text.count("…")) / len(words) > 0.1,
        "gopher_too_many_bullets": share(is_bullet(line, ours) for line in lines) > 0.9,
        "gopher_too_many_end_ellipsis": share(trails_off(line, ours) for line in lines) > 0.3,
        "gopher_below_alpha_threshold": share(any(map(letter, word)) for word in words) < 0.8,
        "gopher_enough_stop_words": len(stop_words(words, ours)) < 2,
    }.items()


def repetition(text: str, ours: Ours = frozenset()) -> Rules:
    """Gopher's repetition rules, Table A1."""
    words = text.split()
    blocks, lines = paragraphs(text, ours), re.split(r"\n+", text)
    if "blank lines" in ours:
        lines = [line for line in text.split("\n") if line.strip()]
    dup_blocks, dup_lines = reference.duplicates(blocks), reference.duplicates(lines)
    yield "dup_para_frac", dup_blocks[0] / max(len(blocks), 1) > 0.3
    yield "dup_para_char_frac", dup_blocks[1] / len(text) > 0.2
    yield "dup_line_frac", dup_lines[0] / max(len(lines), 1) > 0.3
    yield "dup_line_char_frac", dup_lines[1] / len(text) > 0.2
    for n, most in ((2, 0.2), (3, 0.18), (4, 0.16)):
        yield f"top_{n}_gram", top_chars(words, n, ours) / len(text) > most
    for n, most in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)):
        yield f"duplicated_{n}_n_grams", dup_chars(words, n, ours) / len(text) > most


def c4(text: str, ours: Ours = frozenset(), asks_for_mark: bool = True) -> Rules:
    """C4's rules for a page."""
    fates = [c4_fate(line.strip(), ours, asks_for_mark) for line in broken(text, ours - {"blank lines"})]
    rules = [fate for fate, _ in fates if fate in ("lorem_ipsum", "curly_bracket")]
    if "order of lines" in ours:
        rules.sort(key=["lorem_ipsum", "curly_bracket"].index)
    yield from dict.fromkeys(rules, True).items()
    yield "too_few_sentences", sum(sentences for _, sentences in fates) < 5


def fineweb_c4(text: str, ours: Ours = frozenset()) -> Rules:
    """C4's rules as FineWeb used them."""
    return c4(text, ours, asks_for_mark=False)


def fineweb(text: str, ours: Ours = frozenset()) -> Rules:
    """FineWeb's own rules."""
    lines = [line for line in text.split("\n") if line.strip()]
    yield "empty", not lines
    chars = max(len(text) - text.count("\n"), 1)
    yield "line_punct_ratio", bool(lines) and share(ends_sentence(line, ours) for line in lines) < 0.12
    yield "short_line_ratio", bool(lines) and share(len(line) <= 30 for line in lines) > 0.67
    yield "char_dup_ratio", reference.duplicates(lines)[1] / chars > 0.01
    yield "list_ratio", bool(lines) and text.count("\n") / len(text.split()) > 0.3


FILTERS: dict[str, Callable[[str, Ours], Rules]] = {
    function.__name__: function for function in (quality, repetition, c4, fineweb_c4, fineweb)
}
CAUSES = {
    "quality": (
        "symbol words", "blank lines", "line breaks", "bullets", "closing marks", "stop words", "hangul fillers",
    ),
    "repetition": ("single n-grams", "overlaps", "blank lines", "paragraphs", "joined words"),
    "c4": ("line breaks", "citations", "order of lines"),
    "fineweb_c4": ("line breaks", "citations", "order of lines"),
    "fineweb": ("trailing space", "sentence marks"),
}  # fmt: skip
"""By filter, the ways in which we read a rule otherwise; each stands in docs/peers.md with its reason."""


def first_reason(name: str, text: str, ours: Ours = frozenset()) -> str | None:
    """The first reason for which the text fails, None if it passes."""
    return next((reason for reason, fails in FILTERS[name](text, ours) if fails), None)


def causes(name: str, text: str, wanted: str | None) -> Ours | None:
    """The smallest set of causes that makes `wanted` the first reason; None if there is none."""
    sizes = range(len(CAUSES[name]) + 1)
    sets = (frozenset(few) for size in sizes for few in itertools.combinations(CAUSES[name], size))
    return next((few for few in sets if first_reason(name, text, few) == wanted), None)


def share(found: Iterator[bool]) -> float:
    values = list(found)
    return sum(values) / len(values) if values else float("nan")


def broken(text: str, ours: Ours) -> list[str]:
    lines = text.removesuffix("\n").split("\n") if "line breaks" in ours else text.splitlines()
    return [line for line in lines if line.strip()] if "blank lines" in ours else lines


def is_spoken(word: str, ours: Ours) -> bool:
    if "symbol words" in ours:
        return any(reference.is_letter(c) or reference.char_class(c) == "digits" for c in word)
    return not PUNCTUATION_SET.issuperset(word)


def is_bullet(line: str, ours: Ours) -> bool:
    bare, bullets = line.lstrip(), lexicon("line_marks")["bullet"]
    if "bullets" in ours:
        return bare.startswith("* ") if bare.startswith("*") else bare.startswith(tuple(bullets))
    return bare.startswith(("•", "-"))


def trails_off(line: str, ours: Ours) -> bool:
    closers = "".join(lexicon("line_marks")["closer"]) if "closing marks" in ours else ""
    return line.rstrip(closers + reference.whitespace()).endswith(("...", "…"))


def stop_words(words: list[str], ours: Ours) -> set[str | None]:
    if "stop words" in ours:
        return {reference.function_word(word) for word in words} - {None}
    return STOP_WORDS.intersection(words)


def paragraphs(text: str, ours: Ours) -> list[str]:
    if "paragraphs" not in ours:
        return re.split(r"\n{2,}", text.strip())
    blocks = itertools.groupby(text.split("\n"), key=lambda line: bool(line.strip()))
    return ["\n".join(block) for is_shown, block in blocks if is_shown]


def top_chars(words: list[str], n: int, ours: Ours) -> int:
    grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
    if not grams:
        return 0
    best, times = Counter(grams).most_common(1)[0]
    if times == 1:
        return 0 if "single n-grams" in ours else len(" ".join(best))
    return reference.top_gram_chars(words, n) if "overlaps" in ours else times * len(" ".join(best))


def dup_chars(words: list[str], n: int, ours: Ours) -> int:
    seen, chars, at = set(), 0, 0
    while at + n <= len(words):
        gram = tuple(words[at : at + n])
        key = gram if "joined words" in ours else "".join(gram)
        found = key in seen
        seen.add(key)
        chars += len("".join(gram)) if found else 0
        at += n if found else 1
    return chars


def c4_fate(line: str, ours: Ours, asks_for_mark: bool) -> tuple[str, int]:
    """The rule that ends it for the line, and its sentences if none does."""
    bare = re.sub(r"\[\d*\]|\[edit\]|\[citation needed\]", "", line)
    if "citations" in ours:
        bare = reference_c4.CITATION.sub("", line).rstrip()
    marked = bare.endswith((".", "?", "!", '"', "'")) and not bare.endswith("...")
    if any(len(word) > 1000 for word in line.split()) or len(line.split()) < 3:
        return "removed", 0
    if asks_for_mark and not marked:
        return "removed", 0
    if "lorem ipsum" in bare.lower():
        return "lorem_ipsum", 0
    if "javascript" in bare.lower():
        return "removed", 0
    if "{" in bare:
        return "curly_bracket", 0
    if any(phrase in bare.lower() for phrase in lexicon("c4")["policy"]):
        return "removed", 0
    return "kept", reference_c4.sentences(bare)


def ends_sentence(line: str, ours: Ours) -> bool:
    bare = line.rstrip() if "trailing space" in ours else line
    if "sentence marks" in ours:
        blocks = lexicon("sentence_terminals")["sentence_terminal"]
        return bool(bare) and any(first <= ord(bare[-1]) <= last for first, last in blocks)
    return bare.endswith(tuple(TERMINAL_PUNCTUATION))
