"""The report card in the terminal: a table a question, a row a tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from chejil.curation.report import megabytes
from chejil.terminal import table
from chejil.tokenizer.measuring.report_card import Group, ReportCard
from chejil.tokenizer.measuring.scores import Score

SOURCES = 40
"""Sources that are listed; JSON has all."""

_LENGTH = "8"


def report_card(card: ReportCard) -> Iterator[RenderableType]:
    """Everything, as tables."""
    yield headline(card)
    for group in card.languages():
        yield table((group_title(group), *SCORES), [_row(group, name) for name in card.names])
    sources = [group for group in card.groups if group.source]
    if len(sources) > 1:
        yield by_source(card, sources[:SOURCES])
    if card.parity:
        yield _parity(card.parity)
    yield _morphemes(card.morphemes)
    yield vocabulary(card)
    yield _numbers(card)
    yield _probes(card)
    yield from _speed(card)


SCORES = (
    "tokens a word>",
    "bytes a token>",
    "characters a token>",
    "kept whole>",
    "tokens, by the first>",
    "come back>",
)


def headline(card: ReportCard) -> str:
    """What it was measured on."""
    of = card.sample
    short = f", {of['shortened']:,} of them shortened" if of["shortened"] else ""
    bad = sum(of["rejected"].values())
    short += f"; {bad:,} records are no documents" if bad else ""
    return (
        f"{of['documents']:,} of {of['documents_found']:,} documents "
        f"({of['docs_per_source']:,} a source at most{short}), "
        f"{megabytes(of['bytes'])}; ± is half of the 95 % interval over documents"
    )


def group_title(group: Group) -> str:
    """Its name, and how much it is."""
    return f"{group.name}: {group.num_words:,} {word_of(group)}"


def word_of(group: Group) -> str:
    """What a word is called there."""
    return "eojeol" if group.lang == "ko" else "words"


def _row(group: Group, name: str) -> tuple[Any, ...]:
    found = group.scores[name]
    scores = (found["tokens_per_word"], found["bytes_per_token"], found["chars_per_token"])
    shares = (found["whole_share"], found["against_first"])
    return name, *map(number, scores), *map(percent, shares), f"{found['same_share']:.1%}"


def number(score: Score) -> str:
    """A value and half of its interval.

    >>> number(Score(2.0, 1.9, 2.1)), number(Score(2.0)), number(Score(None))
    ('2.000 ±0.100', '2.000', '–')
    """
    return _said(score, lambda value: f"{value:.3f}")


def percent(score: Score) -> str:
    """The same of a share."""
    return _said(score, lambda value: f"{value:.1%}")


def _said(score: Score, shown: Callable[[float], str]) -> str:
    if score.value is None:
        return "–"
    if score.low is None or score.high is None or score.low == score.high:
        return shown(score.value)
    return f"{shown(score.value)} ±{shown((score.high - score.low) / 2)}"


def by_source(card: ReportCard, groups: Sequence[Group]) -> RenderableType:
    """Tokens a word by source, a column a tokenizer."""
    rows = [
        (group.name, group.documents, *(number(group.scores[name]["tokens_per_word"]) for name in card.names))
        for group in groups
    ]
    return table(("tokens a word", "documents>", *(f"{name}>" for name in card.names)), rows)


def _parity(found: Mapping[str, Any]) -> RenderableType:
    rows = [
        (name, one["ko_tokens"], one["en_tokens"], number(one["ratio"]))
        for name, one in found["tokenizers"].items()
    ]
    return table(
        (f"{found['pairs']:,} parallel sentences", "Korean tokens>", "English tokens>", "ratio>"), rows
    )


def _morphemes(found: Mapping[str, Any]) -> RenderableType:
    if found["left_out"]:
        return f"morphemes: left out, {found['left_out']}"
    rows = [
        (name, *(share(one[key]) for key in ("precision", "recall", "f1")), one["inside_syllables"])
        for name, one in found["tokenizers"].items()
    ]
    title = f"morphemes by Kiwi: {found['boundaries']:,} boundaries in {found['bytes'] / 1e3:,.0f} kB"
    return table((title, "precision>", "recall>", "F1>", "cuts in syllables>"), rows)


def share(value: float | None) -> str:
    """A share with one digit behind the point; a dash where there is none."""
    return "–" if value is None else f"{value:.1%}"


def vocabulary(card: ReportCard) -> RenderableType:
    """What is in the vocabularies, and how evenly it is used."""
    names = ("tokens", "special", "hangul", "partial", "unreachable", "dead", "dead_share")
    rows = []
    for one in card.tokenizers:
        found, renyi = one["vocabulary"], one["renyi"]
        counts = [share(found[name]) if name == "dead_share" else found[name] for name in names]
        rows.append(
            (one["name"], *counts, *(f"{value:.3f}" if value else "–" for value in list(renyi.values())[:3]))
        )
    langs = list(card.tokenizers[0]["renyi"])[:3]
    heads = (
        "vocabulary",
        "tokens>",
        "special>",
        "Hangul>",
        "partial>",
        "unreachable>",
        "dead>",
        "dead share>",
    )
    return table((*heads, *(f"Rényi, {lang}>" for lang in langs)), rows)


def _numbers(card: ReportCard) -> RenderableType:
    rows = [
        (one["name"], found["cuts"][_LENGTH], share(found["friendly_share"]), found["tokens_per_digit"],
         found["most_digits"])
        for one in card.tokenizers
        for found in [one["numbers"]]
    ]  # fmt: skip
    heads = (
        "numbers",
        "eight digits are cut",
        "cut by their length alone>",
        "tokens a digit>",
        "most digits>",
    )
    return table(heads, rows)


def _probes(card: ReportCard) -> RenderableType:
    rows = [
        (name, *(_probe(one["probes"][name]) for one in card.tokenizers))
        for name in card.tokenizers[0]["probes"]
    ]
    return table(("tokens a character", *(f"{name}>" for name in card.names)), rows)


def _probe(found: Mapping[str, Any]) -> str:
    return f"{found['tokens_per_char']:.2f}" + ("" if found["same"] else " changed")


def _speed(card: ReportCard) -> Iterator[RenderableType]:
    langs = [lang for lang in ("ko", "en") if lang in card.tokenizers[0]["speed"]]
    if langs:
        rows = [
            (one["name"], *(one["speed"][lang] for lang in langs), one["kind"]) for one in card.tokenizers
        ]
        yield table(("MB/s a core", *(f"{lang}>" for lang in langs), "by"), rows)
