"""The presets judge as datatrove's filters do: the same documents, for the same first reason, or for a listed cause.

The peer splits at white space as we do, so what is compared are the rules. Every way in which ours are read otherwise
is a cause of `peer_rules.py` and stands in docs/peers.md; a document that differs must differ through causes alone.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given

from chejil.filters import c4  # noqa: F401  (enters the family)
from chejil.filters.bounds import Policy, judge
from chejil.filters.engine import score
from chejil.filters.preset_bounds import preset

from .strategies import texts

pytest.importorskip("datatrove", reason="the peer is a development dependency")

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters.gopher_repetition_filter import find_top_duplicate, get_n_grams

from . import peer_rules

WHITE_SPACE = peer_rules.WhiteSpace("en")
PEERS = {
    "quality": GopherQualityFilter(language=WHITE_SPACE),
    "repetition": GopherRepetitionFilter(language=WHITE_SPACE),
    "c4": C4QualityFilter(language=WHITE_SPACE),
    "fineweb_c4": C4QualityFilter(language=WHITE_SPACE, filter_no_terminal_punct=False),
    "fineweb": FineWebQualityFilter(language=WHITE_SPACE),
}
PRESETS = {
    "quality": ("gopher", "fineweb"),
    "repetition": ("gopher", "fineweb"),
    "c4": ("c4",),
    "fineweb_c4": ("fineweb",),
    "fineweb": ("fineweb",),
}
QUALITY = {
    "num_non_symbol_words:low": "gopher_short_doc",
    "num_non_symbol_words:high": "gopher_long_doc",
    "mean_non_symbol_word_chars:low": "gopher_below_avg_threshold",
    "mean_non_symbol_word_chars:high": "gopher_above_avg_threshold",
    "hash_word_ratio:high": "gopher_too_many_hashes",
    "ellipsis_word_ratio:high": "gopher_too_many_ellipsis",
    "bullet_line_share:high": "gopher_too_many_bullets",
    "ellipsis_line_share:high": "gopher_too_many_end_ellipsis",
    "alpha_word_share:low": "gopher_below_alpha_threshold",
    "num_stop_words:low": "gopher_enough_stop_words",
}
REPETITION = {
    "dup_paragraph_share:high": "dup_para_frac",
    "dup_paragraph_char_share:high": "dup_para_char_frac",
    "dup_line_share:high": "dup_line_frac",
    "dup_line_char_share:high": "dup_line_char_frac",
    **{f"top_{n}_gram_char_share:high": f"top_{n}_gram" for n in (2, 3, 4)},
    **{f"dup_{n}_gram_char_share:high": f"duplicated_{n}_n_grams" for n in range(5, 11)},
}
RULES = {
    "quality": QUALITY,
    "repetition": REPETITION,
    "c4": {
        "c4_lorem_lines:high": "lorem_ipsum",
        "c4_bracket_lines:high": "curly_bracket",
        "c4_sentences:low": "too_few_sentences",
    },
    "fineweb_c4": {
        "fineweb_lorem_lines:high": "lorem_ipsum",
        "fineweb_bracket_lines:high": "curly_bracket",
        "fineweb_sentences:low": "too_few_sentences",
    },
    "fineweb": {
        "punct_line_share:undefined": "empty",
        "punct_line_share:low": "line_punct_ratio",
        "short_line_share:high": "short_line_ratio",
        "char_dup_ratio:high": "char_dup_ratio",
        "newline_word_ratio:high": "list_ratio",
    },
}
"""Our reasons by filter, in the peer's order, and its names for them."""


def peer_reason(name: str, text: str) -> str | None:
    """The reason for which the peer drops the text, None if it keeps it."""
    verdict = PEERS[name].filter(Document(text=text, id="0"))
    return None if verdict is True else verdict[1]


def our_reasons(name: str, documents: list[str]) -> list[list[str]]:
    """All reasons by document, in the peer's order and names, from the first preset that holds the rules."""
    signals = {reason.split(":")[0] for reason in RULES[name]}
    limits = preset(PRESETS[name][0]).languages["en"]
    policy = Policy({"en": {signal: limits[signal] for signal in limits if signal in signals}})
    rows = pl.DataFrame(pl.from_arrow(score(documents, [*dict.fromkeys(["num_chars", *sorted(signals)])])))
    found = judge(rows.with_columns(lang=pl.lit("en")), policy).to_list()
    empty = {"empty": "empty"}
    return [[peer for our, peer in (empty | RULES[name]).items() if our in reasons] for reasons in found]


# A ferry and its islands: plain prose that no filter drops.
PROSE = """\
The ferry to the outer islands leaves from the old harbour every morning at seven.
It carries bread and letters, and on most days a few teachers who live in the town.
In winter the crossing takes twice as long, because the captain keeps close to the shore.
Nobody complains about that, since the waves beyond the lighthouse have broken larger boats.

My neighbour has made the journey for thirty years and still looks forward to it.
She says that the best moment comes when the engine stops and only gulls can be heard.
Last spring she wrote down what she saw on each trip and gave the notebook to the school.
The children now draw maps with her notes: seals on one rock, a wreck near another.

When the new pier opened, the mayor asked her to be the first to step on board.
"""
LINES = [line for line in PROSE.split("\n") if line]
WORDS = PROSE.split()


def unlike(number: int, first: int = 0) -> list[str]:
    """So many different words of five letters."""
    letters = itertools.product("bcdfgklmnp", "aeiou", "lmnrst", "aeiou", "klmnrst")
    return ["".join(word) for word in itertools.islice(letters, first, first + number)]


def again(n: int, share: float, times: int = 10, respaced: bool = False) -> str:
    """Different words, but for `times` n-grams that come twice; the second ones are `share` of the characters."""
    grams = [unlike(n, n * number) for number in range(times)]
    other = unlike(round(times * n * 5 / 6 / share) - 2 * times * n, n * times)
    moved = [[a[:-1], a[-1] + b, *rest] for a, b, *rest in grams]
    twice = [*grams, *(moved if respaced else grams)]
    heads = [word for gram, next_one in zip(twice, other, strict=False) for word in (*gram, next_one)]
    return " ".join([*heads, *other[len(twice) :]])


def around(n: int, share: float) -> str:
    """One n-gram, each time before another word, that covers `share` of the characters."""
    gram = ["wharf", "crane", "barge", "ropes"][:n]
    filler = round(len(" ".join(gram)) / 6 / share - n)
    words = iter(unlike(1000))
    return " ".join(word for _ in range(8) for word in (*gram, *itertools.islice(words, filler)))


def every(step: int, change, words=WORDS) -> str:
    """The prose with each such word changed."""
    return " ".join(change(word) if place % step == 0 else word for place, word in enumerate(words))


WIDE = f"Total{' ' * 60}nil"
TABLE = "\n".join(f"{name}{' ' * 18}nil" for name in ("oats", "rice", "salt", "malt"))
ONE_RULE = {
    "quality": {
        "gopher_short_doc": " ".join(WORDS[:40]),
        "gopher_long_doc": PROSE * 800,
        "gopher_below_avg_threshold": "If it is to be or to go on we of it. " * 6,
        "gopher_above_avg_threshold": "Organisations considered the internationalisation of representatives. "
        * 9,
        "gopher_too_many_hashes": every(5, lambda word: f"#{word}"),
        "gopher_too_many_ellipsis": every(5, lambda word: f"...{word}"),
        "gopher_too_many_bullets": "\n".join(f"- {line}" for line in LINES),
        "gopher_too_many_end_ellipsis": "\n".join([*LINES[:5], *(f"{line[:-1]}..." for line in LINES[5:])]),
        "gopher_below_alpha_threshold": every(4, lambda word: "1984"),
        "gopher_enough_stop_words": "Gulls circle above nets while fishers mend torn ropes beside boats. "
        * 5,
    },
    "repetition": {
        "empty": "",
        "dup_para_frac": "\n\n".join(["Yes."] * 6 + ["\n".join(unlike(60, 60 * k)) for k in range(9)]),
        "dup_para_char_frac": "\n\n".join([TABLE, " ".join(unlike(36)), "\n".join(unlike(14, 36)), TABLE]),
        "dup_line_frac": "\n".join([*(" ".join(unlike(9, 9 * k)) for k in range(10)), *["Yes."] * 6]),
        "dup_line_char_frac": "\n".join([WIDE, *unlike(15), " ".join(unlike(17, 15)), WIDE]),
        "top_2_gram": around(2, 0.25),
        "top_3_gram": around(3, 0.19),
        "top_4_gram": around(4, 0.17),
        **{f"duplicated_{n}_n_grams": again(n, 0.205 - n / 100) for n in range(5, 11)},
    },
    "c4": {
        "lorem_ipsum": f"{PROSE}Lorem ipsum dolor sit amet.",
        "curly_bracket": f"{PROSE}Then write {{name}} into the letter.",
        "too_few_sentences": "\n".join(LINES[:4]),
    },
    "fineweb_c4": {
        "lorem_ipsum": f"{PROSE}Lorem ipsum dolor sit amet",
        "curly_bracket": f"{PROSE}Then write {{name}} into the letter",
        "too_few_sentences": "\n".join(line.rstrip(".") for line in LINES[:4]),
    },
    "fineweb": {
        "empty": " \n\n ",
        "line_punct_ratio": "\n".join(line.rstrip(".") for line in LINES),
        "short_line_ratio": "\n".join(f"{' '.join(unlike(4, 4 * k))}." for k in range(9)),
        "char_dup_ratio": f"{PROSE}{LINES[0]}",
        "list_ratio": PROSE.replace("\n", "\n" * 8),
    },
}
DIFFERENT = {
    "quality": {
        "symbol words": " ".join(WORDS[:45]) + " •" * 9,
        "blank lines": "\n\n".join(f"- {line}" for line in LINES),
        "line breaks": "- " + "\u2028".join(LINES),
        "bullets": "\n".join(f"* {line}" for line in LINES),
        "closing marks": "\n".join([*LINES[:5], *(f"“{line[:-1]}...”" for line in LINES[5:])]),
        "stop words": "Boats! (the) nets; (with) ropes: gulls, fishers, waves, rocks, seals. " * 6,
        "hangul fillers": every(4, lambda word: "\u3164"),
    },
    "repetition": {
        "single n-grams": "A short note about nothing.",
        "overlaps": f"{' '.join(unlike(56))} {' '.join(['gulls'] * 9)}",
        "blank lines": "\n \n".join(" ".join(unlike(9, 9 * k)) for k in range(9)),
        "paragraphs": "\n \n".join([*["Yes."] * 6, *("\n".join(unlike(60, 60 * k)) for k in range(9))]),
        "joined words": again(5, 0.155, respaced=True),
    },
    "c4": {
        "line breaks": "\u2028".join(LINES[:6]) + "\u2028Home",
        "citations": "\n".join(f"{line} [{k}]" for k, line in enumerate(LINES[:6])),
        "order of lines": f"{PROSE}Write {{name}} here.\nLorem ipsum dolor sit amet.",
    },
    "fineweb_c4": {
        "line breaks": "\u2028".join(LINES[:6]) + " " + "x" * 1001,
        "citations": "It rained.[３] We stayed at home.\n" * 3,
        "order of lines": f"{PROSE}Write {{name}} here\nLorem ipsum dolor sit amet",
    },
    "fineweb": {
        "trailing space": "\n".join(f"{line} " for line in LINES),
        "sentence marks": "\n".join(f"{line.rstrip('.')}\u2024" for line in LINES),
    },
}
"""By filter and cause, a text that the two judge differently through this cause alone (docs/peers.md)."""


@pytest.mark.parametrize(
    ("name", "reason"), [(name, reason) for name, rules in ONE_RULE.items() for reason in rules]
)
def test_each_rule_has_a_text_that_trips_it_alone(name, reason):
    """The peer gives the reason, and ours give it and no other."""
    text = ONE_RULE[name][reason]
    assert peer_reason(name, text) == reason
    assert our_reasons(name, [text]) == [[reason]]


@pytest.mark.parametrize("name", PEERS)
def test_good_prose_passes_both(name):
    """Prose has no reason, and each rule of the filter is tried above."""
    assert peer_reason(name, PROSE) is None
    assert our_reasons(name, [PROSE]) == [[]]
    assert set(ONE_RULE[name]) - {"empty"} == set(RULES[name].values()) - {"empty"}


def test_every_bound_of_the_presets_is_compared():
    """No preset has a bound that no filter of the peer stands for, and shared rules have shared numbers."""
    for wanted in ("gopher", "c4", "fineweb"):
        limits = preset(wanted).languages["en"]
        compared = {r.split(":")[0] for name, of in PRESETS.items() if wanted in of for r in RULES[name]}
        assert set(limits) == compared, wanted
    gopher, fineweb = preset("gopher").languages["en"], preset("fineweb").languages["en"]
    assert all(fineweb[signal] == bound for signal, bound in gopher.items())


@pytest.mark.parametrize(
    ("name", "cause"), [(name, cause) for name, shown in DIFFERENT.items() for cause in shown]
)
def test_each_difference_has_a_text_that_shows_it(name, cause):
    """Only this cause explains it, and it is written down; no cause is without a text."""
    assert tuple(DIFFERENT[name]) == peer_rules.CAUSES[name]
    page = (Path(__file__).parents[2] / "docs" / "peers.md").read_text("utf-8")
    assert f"**{cause}**" in page
    text = DIFFERENT[name][cause]
    ours = (our_reasons(name, [text])[0] or [None])[0]
    assert peer_reason(name, text) != ours
    assert peer_rules.causes(name, text, ours) == {cause}


@given(texts)
def test_the_rules_said_again_are_those_of_both(text):
    """With no cause they are the peer's, with every cause ours, on any text with a word."""
    if text.split():
        for name, every_cause in peer_rules.CAUSES.items():
            assert peer_rules.first_reason(name, text) == peer_reason(name, text), name
            ours = [
                reason for reason, fails in peer_rules.FILTERS[name](text, frozenset(every_cause)) if fails
            ]
            assert ours == our_reasons(name, [text])[0], name


def test_a_share_of_characters_is_at_most_1_with_us_and_not_with_the_peer():
    """Occurrences that overlap are counted again there: three 2-grams of five characters in eleven."""
    text = "하하 하하 하하 하하"  # laughter
    assert find_top_duplicate(get_n_grams(text.split(), 2)) / len(text) == pytest.approx(15 / 11)
    assert score([text], ["top_2_gram_char_share"]).to_pylist() == [{"top_2_gram_char_share": 1.0}]


SHARDS = (
    "c4-en/c4-train.00000-of-00010.json.gz",
    "c4-en/c4-train.00002-of-00010.json.gz",
    "c4-en/c4-train.00004-of-00010.json.gz",
    "c4-en/c4-train.00006-of-00010.json.gz",
    "c4-en/c4-train.00009-of-00010.json.gz",
    "pile/00.jsonl.zst",
    "pile/01.jsonl.zst",
    "redpajama/github/github-00000.jsonl.zst",
    "redpajama/wikipedia/wikipedia-00000.jsonl.zst",
)
EACH = 320


def documents(path: Path) -> list[str]:
    """Documents of a shard, taken evenly."""
    open_shard = gzip.open if path.suffix == ".gz" else zstandard.open
    with open_shard(path, "rb") as stream:
        lines = list(io.BufferedReader(stream))
    return [json.loads(line)["text"] for line in lines[:: max(len(lines) // EACH, 1)][:EACH]]


@pytest.mark.corpus
@pytest.mark.parametrize("name", PEERS)
def test_real_documents_are_judged_alike_or_for_a_listed_cause(name, corpus):
    """At least two thousand English documents: kept or not, and the first reason, one by one."""
    found = [text for shard in SHARDS for text in documents(corpus / shard)]
    assert len(found) >= 2000
    why: Counter[str] = Counter()
    for text, reasons in zip(found, our_reasons(name, found), strict=True):
        ours, theirs = (reasons or [None])[0], peer_reason(name, text)
        if ours != theirs:
            assert peer_rules.first_reason(name, text) == theirs
            explained = peer_rules.causes(name, text, ours)
            assert explained is not None, (theirs, ours, text[:200])
            why[" and ".join(sorted(explained))] += 1
    print(f"\n{name}: {len(found)} documents, {sum(why.values())} differ {dict(why.most_common())}")
    assert sum(why.values()) <= 0.1 * len(found)
