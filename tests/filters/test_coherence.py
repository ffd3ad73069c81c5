"""Recurrence, marks without partners and the spread of sentences agree with a plain count; a word chain is told."""

from __future__ import annotations

import random
import re
import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters.buffers import TextBuffers
from chejil.filters.coherence_counts import COUNTERS
from chejil.filters.engine import measure, score
from chejil.filters.lexicons import lexicon
from chejil.filters.prose import ENGLISH, KOREAN

from .strategies import texts
from .test_stuffing import letters_of, sentences_of, spelled

COMMON = {stem for lang in ("ko", "en") for stem in lexicon("common_stems")[lang].split()}
PAIRS = dict(lexicon("paired_marks")["pairs"])
FACES = lexicon("paired_marks")["faces"]


def value(name, text):
    return score([text], [name]).column(0)[0].as_py()


def stems_of(text):
    words = [letters for word in text.split() if len(letters := letters_of(word)) > 1]
    stems = [word[:2] if "가" <= word[0] <= "힣" else word[:6] for word in words]
    return [stem for stem in stems if stem not in COMMON]


def paragraphs_of(text):
    """Parted where a line holds only white space."""
    parts, part = [], ""
    for line in re.findall("[^\n]*\n|[^\n]+", text):
        if line.endswith("\n") and not line.strip():
            parts, part = [*parts, part + line], ""
        else:
            part += line
    return [*parts, part]


def marks_of(paragraph):
    """Marks, and those without a partner."""
    marks, unpaired, is_open, label = 0, 0, dict.fromkeys(PAIRS.values(), 0), 0
    for before, char in pairwise(" " + paragraph):
        if char in PAIRS and before not in FACES:
            marks += 1
            is_open[PAIRS[char]] += 1
        elif is_open.get(char):
            marks += 1
            is_open[char] -= 1
        elif char in is_open and before not in FACES and not 0 < label < 4:
            marks += 1
            unpaired += 1
        label = label + 1 if char.strip() else 0
    straight = paragraph.count('"')
    return marks + straight, unpaired + straight % 2 + sum(is_open.values())


def reference(text):
    stems, sentences = stems_of(text), [len(sentence) for sentence in sentences_of(text)]
    marks = [marks_of(paragraph) for paragraph in paragraphs_of(text)]
    return {
        "topic_words": len(stems),
        "recurring_topic_words": sum(stem in stems[max(at - 50, 0) : at] for at, stem in enumerate(stems)),
        "paired_marks": sum(num for num, _ in marks),
        "unpaired_marks": sum(num for _, num in marks),
        "sentences": len(sentences),
        "sentence_words": sum(sentences),
        "sentence_words_squared": sum(num**2 for num in sentences),
    }


marked = st.lists(
    st.sampled_from(
        ['"', "(", ")", "[", "]", "“", "”", "《", "》", "가", "1", ":", "-", " ", "\n", "\n\n", "\n \n"]
    ),
    max_size=30,
).map("".join)
topics = st.lists(
    st.integers(0, 70).map("topic{}".format) | st.sampled_from(["한다.", "the", "x"]), max_size=130
).map(" ".join)


@given(st.lists(marked | topics | spelled | texts, max_size=4))
def test_kernel_agrees_with_the_reference(batch):
    """Every counter of every document equals the plain count."""
    counts = measure(TextBuffers.of(batch), ["coherence"])
    expected = [reference(text) for text in batch]
    for name in COUNTERS:
        assert counts[name].tolist() == [row[name] for row in expected], name


@pytest.mark.parametrize(
    "text", ["1) 하나 2) 둘", "가) 나) iv) b)", "good :) bad ;( ^(", "(안 [밖] 《책》) “말”", KOREAN, ENGLISH]
)
def test_labels_faces_and_pairs_lack_no_partner(text):
    """One, two; in, out, a book, a word."""
    assert not value("unpaired_mark_share", text)


@pytest.mark.parametrize(
    ("text", "share"),
    [("(a", 1), ("word) b", 1), ("(a) [b", 1 / 3), ('"a', 1), ("(a\n\nb)", 1), ("(a\nb)", 0)],
)
def test_marks_without_a_partner(text, share):
    """A pair may cross lines, not paragraphs; b) begins like a label."""
    assert value("unpaired_mark_share", text) == pytest.approx(share)


def test_sentence_length_spread():
    """Standard deviation over the mean; null where there is one sentence."""
    assert value("sentence_length_spread", "a. b c d.") == statistics.pstdev([1, 3]) / 2
    assert value("sentence_length_spread", "a b c.") is None


def test_recurrence_is_local_and_null_in_a_short_text():
    """A word returns within 50 topic words or is new."""
    words = [f"{chr(0xAC00 + 28 * number)}{chr(0xB000 + number)}" for number in range(60)]
    assert value("topic_recurrence", " ".join(words)) == 0
    assert value("topic_recurrence", " ".join(words * 2)) == 0
    assert value("topic_recurrence", " ".join(words[:40] * 2)) == 0.5
    assert value("topic_recurrence", " ".join(words[:59])) is None


def chain(pages, seed, num_words=300):
    """A chain of words over some pages: each pair of neighbours stands in one of them."""
    rng, follows = random.Random(seed), {}
    for page in pages:
        for word, following in pairwise(page.split()):
            follows.setdefault(word, []).append(following)
    words = [rng.choice(sorted(follows))]
    while len(words) < num_words:
        words.append(rng.choice(follows.get(words[-1]) or sorted(follows)))
    return " ".join(words)


@pytest.mark.corpus
def test_chains_are_told_from_the_pages_that_they_are_made_of(corpus):
    """Half of the chains and none of the pages of an encyclopaedia are above the bound."""
    import polars as pl

    pages = pl.concat([pl.read_parquet(path) for path in (corpus / "wiki-ko").glob("*.parquet")])[
        "text"
    ].to_list()
    assert max(score(pages, ["babble_score"])["babble_score"].to_pylist()) <= 0.3
    chains = [chain(pages, seed) for seed in range(20)]
    recurrence = score([*chains, *pages], ["topic_recurrence"])["topic_recurrence"].to_pylist()
    assert statistics.median(recurrence[:20]) < 0.06 < min(filter(None, recurrence[20:]))


def test_babble_needs_both():
    """No seams, or a topic that returns, and it is none."""
    words = [f"{chr(0xAC00 + 28 * number)}{chr(0xB000 + number)}" for number in range(100)]
    assert value("babble_score", " ".join(words)) == 0
    assert value("babble_score", " ".join(word + " (" for word in words)) > 0.9
    assert value("babble_score", " ".join(word + " (" for word in words[:20] * 5)) == 0
