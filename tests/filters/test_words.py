"""Word counters agree with `str.split()` and the lexicon."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import measure, score
from chejil.filters.lexicons import lexicon
from chejil.filters.words import COUNTERS

from . import reference
from .strategies import batches


def value(name: str, text: str) -> float:
    return score([text], [name]).column(0)[0].as_py()


@given(batches)
def test_kernel_agrees_with_the_reference(texts):
    """Every counter of every document equals the plain count."""
    counts = measure(TextBuffers.of(texts), ["words"])
    expected = [reference.words(text) for text in texts]
    for name in COUNTERS[:-1]:
        assert counts[name].tolist() == [counted[name] for counted in expected], name
    distinct = np.bitwise_count(counts["function_word_set"].view(np.uint64))
    assert distinct.tolist() == [counted["distinct_function_words"] for counted in expected]


@pytest.mark.parametrize("word", lexicon("function_words")["en"])
def test_english_function_words_are_whole_words(word):
    """Gopher's words count with punctuation around them, not as a part of a longer word or in capitals."""
    assert value("num_stop_words", f"“{word}, {word}") == 1
    assert value("num_stop_words", f"x{word} {word}x {word.upper()}") == 0


@pytest.mark.parametrize("ending", lexicon("function_words")["ko"])
def test_korean_endings_end_an_eojeol(ending):
    """Each ending counts at the end of a longer eojeol, whatever follows; a bare particle does not."""
    assert value("function_word_share", f"값{ending}.” {ending[-1]}") == 0.5


def test_an_eojeol_counts_once():
    """Where two endings fit, the longer one counts."""
    assert value("num_stop_words", "갑니다") == 1  # goes (polite): 니다
    assert value("num_stop_words", "갑니다 간다") == 2  # and goes (plain): 다


def test_letters_beyond_the_basic_plane_are_no_others():
    """Characters are packed in 16 bits each, and U+20062 (an ideograph) is still not the "b" of "be"."""
    assert value("num_stop_words", "\U00020062e") == 0


@pytest.mark.parametrize(
    ("text", "ratio"),
    [("# a b c", 0.25), ("wait.... a", 0.5), ("...... ", 2), ("그래…… 응", 1), ("a . . .", 0)],
)
def test_symbol_ratio_is_the_greater_of_hashes_and_ellipses(text, ratio):
    """Hashes and ellipses are counted as Python counts substrings. 그래…… 응: well…… yes."""
    assert value("symbol_word_ratio", text) == ratio


def test_a_longer_word_in_the_next_document_does_not_leak():
    """Documents that share a buffer share nothing else."""
    together = score(["가나다", "", "라"], ["num_words", "longest_word_chars"]).to_pydict()
    assert together == {"num_words": [1, None, 1], "longest_word_chars": [3, None, 1]}


@given(batches)
def test_lines_of_the_word_table(texts):
    """Words stand by the line as they do in the text; blank lines have none."""
    table = measure(TextBuffers.of(texts), ["word_table"])
    words = np.split(table["word_ends"] - table["word_begins"], table["line_words"][1:-1])
    expected = [
        [len(word) for word in line.split()] for text in texts for line in text.split("\n") if line.split()
    ]
    assert [line.tolist() for line in words if len(line)] == expected
    shown = [sum(bool(line.split()) for line in text.split("\n")) for text in texts]
    assert np.diff(table["line_starts"]).tolist() == shown
