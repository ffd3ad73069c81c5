"""Repetition agrees with the reference, never exceeds 1, and differs from datatrove only where stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters.buffers import TextBuffers
from chejil.filters.catalogue import SIGNALS
from chejil.filters.engine import measure, score
from chejil.filters.repetition import COUNTERS, DUP_N, TOP_N, count_repetition

from . import reference
from .strategies import batches

NAMES = [name for name, signal in SIGNALS.items() if signal.family == "repetition"]
few_words = st.lists(st.sampled_from(["가", "나나", "b"]), max_size=80).map(" ".join)


def value(name: str, text: str) -> float:
    return score([text], [name]).column(0)[0].as_py()


@given(batches | st.lists(few_words, max_size=4))
def test_kernel_agrees_with_the_reference(texts):
    """Every counter of every document equals the plain count."""
    counts = measure(TextBuffers.of(texts), ["repetition"])
    expected = [reference.repetition(text) for text in texts]
    for name in COUNTERS:
        assert counts[name].tolist() == [counted[name] for counted in expected], name


@given(few_words)
def test_shares_never_exceed_1(text):
    """However often n-grams overlap, no share is above 1."""
    assert all(share is None or 0 <= share <= 1 for share in score([text], NAMES).to_pylist()[0].values())


def test_different_words_are_no_repetition():
    """A text in which no n-gram occurs twice has 0 everywhere; peers give its first n-gram's share."""
    text = " ".join(f"낱말{number}" for number in range(40))  # word N
    assert set(score([text], NAMES).to_pylist()[0].values()) == {0}


def test_overlapping_occurrences_count_their_characters_once():
    """Four equal words are wholly covered by their 2-gram; counting each occurrence would give 1.5."""
    assert value("top_2_gram_char_share", "하하 하하 하하 하하") == 1  # laughing


@pytest.mark.parametrize("n", TOP_N)
def test_top_grams_are_joined_by_one_space(n):
    """A top n-gram has its words and one space between them, however the text spaces them."""
    gram = [f"w{place}" for place in range(n)]
    text = "  ".join([*gram, "x", *gram])
    assert value(f"top_{n}_gram_char_share", text) == 2 * len(" ".join(gram)) / len(text)


@pytest.mark.parametrize("n", DUP_N)
def test_duplicated_grams_are_counted_without_spaces(n):
    """The second occurrence of an n-gram counts, its words without spaces; a shorter repeat does not."""
    gram = [f"w{place}" for place in range(n)]
    text = " ".join([*gram, "x", *gram])
    assert value(f"dup_{n}_gram_char_share", text) == len("".join(gram)) / len(text)
    assert value(f"dup_{n}_gram_char_share", " ".join([*gram, "x", *gram[1:]])) == 0


def test_of_equally_frequent_grams_the_first_counts():
    """Ties go to the n-gram that came first, as `Counter.most_common` gives it."""
    text = "aa bb x ccc ddd y aa bb z ccc ddd"
    assert value("top_2_gram_char_share", text) == 2 * len("aa bb") / len(text)


def test_words_beyond_the_limit_are_not_looked_at():
    """A document of more words than the tables hold is measured on its beginning alone."""
    buffers = TextBuffers.of(["a b c d " * 4 + "x " * 1000])
    counts = np.zeros((1, len(COUNTERS)), np.int64)
    table = measure(buffers, ["word_table"])
    words = [table[f"word_{name}"] for name in ("hashes", "begins", "ends", "starts")]
    count_repetition(*words, table["char_starts"], 16, counts)
    begun = reference.repetition("a b c d " * 4)
    assert counts[0].tolist() == [begun[name] for name in COUNTERS]


def test_growing_tables_keep_documents_apart():
    """A short document measures the same before and after one that makes the tables grow."""
    short, long = "가 나 가 나 다", " ".join(str(number) for number in range(5000))
    rows = score([short, long, short], NAMES).to_pylist()
    assert rows[0] == rows[2] == score([short], NAMES).to_pylist()[0]
