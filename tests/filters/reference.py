"""Slow, plain references of the kernels: what each counter means, in Python that can be read at a glance.

They share nothing with the kernels but the tables of the lexicons: characters are told apart by `unicodedata`
and `str` methods, words by `str.split()`, lines by `str.split("\\n")`, n-grams by tuples and `Counter`.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from functools import cache

from chejil.filters.lexicons import lexicon

BLOCK_CLASSES = ("hangul", "conjoining", "jamo", "hanja", "kana", "half_kana", "latin")


BLANKS = ("\u2800", "\u3164", "\uffa0")
"""Blank Braille pattern and Hangul fillers: spaces to a reader, but not to `str.split`."""


def is_letter(char: str) -> bool:
    return char.isalpha() and char not in BLANKS


@cache
def char_class(char: str) -> str:
    category = unicodedata.category(char)
    if not char.split():
        return "whitespace"
    if char in BLANKS:
        return "controls"
    for name in BLOCK_CLASSES:
        blocks = lexicon("unicode_blocks")[name]
        if char.isalpha() and any(first <= ord(char) <= last for first, last in blocks):
            return name
    if category[0] == "L":
        return "other_letters"
    if category[0] == "N":
        return "digits"
    if category[0] in "PS" and char != "\ufffd":
        return "punct"
    if category[0] == "M":
        return "marks"
    noncharacter = ord(char) & 0xFFFE == 0xFFFE or "\ufdd0" <= char <= "\ufdef"
    control_of_latin1 = "\x80" <= char <= "\x9f"
    if category == "Co" or control_of_latin1 or noncharacter or char == "\ufffd":
        return "broken"
    return "controls"


def lost_chars(text: str) -> int:
    """Question marks in place of letters, and U+FFFD that was read as CP949."""
    questions = sum(
        len(run.group())
        for run in re.finditer(r"\?{2,}", text)
        if not (is_letter(text[: run.start()][-1:]) or text[: run.start()].endswith("!"))
    )
    torn = re.finditer("占[쎄-쏙]옙?", text)
    return questions + sum(len(run.group()) for run in torn)


def characters(text: str) -> dict[str, int]:
    counts = Counter(map(char_class, text))
    lost = lost_chars(text)
    soup = counts["half_kana"] if counts["half_kana"] > counts["kana"] else 0
    return dict(counts) | {
        "lost": lost,
        "chars": len(text),
        "visible_chars": sum(len(word) for word in text.split()),
        "broken_chars": counts["broken"] + lost + soup,
    }


def words(text: str) -> dict[str, int]:
    split = text.split()
    english = [word for word in split if function_word(word) in lexicon("function_words")["en"]]
    found = {function_word(word) for word in split} - {None}
    with_hangul = [word for word in split if {"hangul", "conjoining"} & set(map(char_class, word))]
    with_latin = [word for word in split if "latin" in set(map(char_class, word))]
    symbols = [word for word in split if not any(is_letter(c) or char_class(c) == "digits" for c in word)]
    return {
        "words": len(split),
        "word_chars": sum(map(len, split)),
        "longest_word": max(map(len, split), default=0),
        "alpha_words": sum(any(map(is_letter, word)) for word in split),
        "hangul_words": len(with_hangul),
        "latin_words": len([word for word in with_latin if word not in with_hangul]),
        "hashes": text.count("#"),
        "ellipses": text.count("...") + text.count("…"),
        "symbol_words": len(symbols),
        "symbol_word_chars": sum(map(len, symbols)),
        "english_function_words": len(english),
        "korean_function_words": len([word for word in split if function_word(word)]) - len(english),
        "distinct_function_words": len(found),
    }


def function_word(word: str) -> str | None:
    """The lexicon's entry that this word is (English) or ends in (Korean), the longest."""
    letters = "".join(char for char in word if is_letter(char) or char_class(char) == "digits")
    if letters in lexicon("function_words")["en"]:
        return letters
    endings = [end for end in lexicon("function_words")["ko"] if letters.endswith(end) and letters != end]
    return max(endings, key=len, default=None)


def _is_bullet(line, bullets):
    return line.startswith("* ") if line.startswith("*") else line.startswith(tuple(bullets))


def lines(text: str) -> dict[str, int]:
    every = text.split("\n")
    shown = [line for line in every if line.strip()]
    blocks = itertools.groupby(every, key=lambda line: bool(line.strip()))
    paragraphs = ["\n".join(block) for is_shown, block in blocks if is_shown]
    dup_lines, dup_line_chars = duplicates(shown)
    dup_paragraphs, dup_paragraph_chars = duplicates(paragraphs)
    marks = lexicon("line_marks")
    bare = [line.rstrip("".join(marks["closer"]) + whitespace()) for line in shown]
    terminal = [line.endswith((*marks["terminal"], *marks["korean_final"])) for line in bare]
    return {
        "text_chars": len(text),
        "newlines": text.count("\n"),
        "lines": len(shown),
        "line_chars": sum(map(len, shown)),
        "paragraphs": len(paragraphs),
        "terminal_lines": sum(terminal),
        "short_lines": sum(len(line) <= 30 for line in shown),
        "bullet_lines": sum(_is_bullet(line.lstrip(), marks["bullet"]) for line in shown),
        "ellipsis_lines": sum(line.endswith(("...", "…")) for line in bare),
        "dup_lines": dup_lines,
        "dup_line_chars": dup_line_chars,
        "dup_paragraphs": dup_paragraphs,
        "dup_paragraph_chars": dup_paragraph_chars,
        "punct_lines": sum(map(ends_a_sentence, shown)),
        "sentence_lines": sum(
            ends or holds_a_sentence(line.strip(whitespace()), marks)
            for ends, line in zip(terminal, shown, strict=True)
        ),
        "data_line_chars": sum(len(line) for line in shown if is_data(line.strip(whitespace()), marks)),
    }


def is_data(line: str, marks: dict[str, list[str]]) -> bool:
    """Whether a line is brackets, or begins with a name or an item of JSON."""
    if not line.startswith('"'):
        return all(char in marks["bracket"] for char in line)
    closed = line.find('"', 1)
    return (line.endswith('",') and len(line) > 2) or (closed > 0 and line[closed + 1 : closed + 2] == ":")


def holds_a_sentence(line: str, marks: dict[str, list[str]]) -> bool:
    """Whether a mark stands between a letter and what may follow a sentence."""
    return any(
        mark in marks["terminal"]
        and is_letter(before)
        and (following in marks["closer"] or following in whitespace())
        for before, mark, following in zip(line, line[1:], line[2:], strict=False)
    )


def ends_a_sentence(line: str) -> bool:
    """Whether the last visible character ends a sentence in some script."""
    end = ord(line.rstrip(whitespace())[-1])
    return any(first <= end <= last for first, last in lexicon("sentence_terminals")["sentence_terminal"])


@cache
def whitespace() -> str:
    return "".join(char for char in map(chr, range(0x3001)) if char.isspace())


def duplicates(parts: list[str]) -> tuple[int, int]:
    """How many parts occurred before, and their characters."""
    again = [part for place, part in enumerate(parts) if part in parts[:place]]
    return len(again), sum(map(len, again))


def repetition(text: str) -> dict[str, int]:
    split = text.split()
    tops = {f"top_{n}_gram_chars": top_gram_chars(split, n) for n in (2, 3, 4)}
    dups = {f"dup_{n}_gram_chars": dup_gram_chars(split, n) for n in range(5, 11)}
    return {"repetition_chars": len(text)} | tops | dups


def top_gram_chars(split: list[str], n: int) -> int:
    """Characters of the words joined by single spaces that the most frequent n-gram covers."""
    grams = [tuple(split[at : at + n]) for at in range(len(split) - n + 1)]
    if not grams:
        return 0
    best, times = Counter(grams).most_common(1)[0]
    if times == 1:
        return 0
    covered = set()
    for at, gram in enumerate(grams):
        if gram == best:
            first = len(" ".join([*split[:at], ""]))
            covered |= set(range(first, first + len(" ".join(gram))))
    return len(covered)


def dup_gram_chars(split: list[str], n: int) -> int:
    """Characters, spaces left out, of the n-grams that a walk finds again; it jumps over each."""
    seen, chars, at = set(), 0, 0
    while at + n <= len(split):
        gram = tuple(split[at : at + n])
        if gram in seen:
            chars += len("".join(gram))
            at += n
        else:
            seen.add(gram)
            at += 1
    return chars


def language_switches(text: str) -> dict[str, int]:
    found = [language for language in map(line_language, text.split("\n")) if language]
    return {
        "korean_lines": found.count("ko"),
        "english_lines": found.count("en"),
        "language_switches": sum(one != other for one, other in itertools.pairwise(found)),
    }


def line_language(line: str) -> str | None:
    """Korean by its eojeol, English by its function words, or neither."""
    split = [(word, set(map(char_class, word))) for word in line.split()]
    eojeol = sum(bool(kinds & {"hangul", "conjoining"}) for _, kinds in split)
    english = [word for word, kinds in split if "latin" in kinds and not kinds & {"hangul", "conjoining"}]
    letters = ["".join(c for c in word if char_class(c) in ("latin", "digits")) for word in english]
    function_words = sum(word in lexicon("function_words")["en"] for word in letters)
    prose = min(len(english), 12 * function_words)
    classes = Counter(map(char_class, line))
    if eojeol >= 3 and classes["hangul"] + classes["conjoining"] // 2 >= 6 and 2 * eojeol >= prose:
        return "ko"
    return "en" if len(english) >= 5 and prose >= len(english) > 2 * eojeol else None
