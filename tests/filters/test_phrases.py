"""The automaton finds what a plain search finds, at every character."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from chejil.filters.buffers import TextBuffers
from chejil.filters.phrases import advance, compile_phrases, fold
from chejil.filters.unicode_classes import next_char

from .strategies import texts


@njit(nogil=True)
def scan(data, phrases, ends, matches):
    """(character number behind it, phrase) of each match, in the order in which they are found."""
    state, i, chars, num = np.int64(0), 0, 0, 0
    while i < len(data):
        code, i = next_char(data, i)
        chars += 1
        state = advance(phrases, state, code)
        match = state
        while phrases.found[match]:
            ends[num], matches[num] = chars, phrases.found[match] - 1
            num += 1
            match = phrases.shorter[match]
    return num


def found(phrases: list[str], text: str) -> list[tuple[int, str]]:
    compiled = compile_phrases(phrases)
    ends, matches = np.zeros((2, 1 + len(text) * len(phrases)), np.int64)
    num = scan(TextBuffers.of([text]).data, compiled, ends, matches)
    pairs = zip(ends[:num].tolist(), matches[:num].tolist(), strict=True)
    return [(end, phrases[number]) for end, number in pairs]


def reference(phrases: list[str], text: str) -> list[tuple[int, str]]:
    """At each character the phrases that end there, longest first."""
    shown = fold(text)
    longest_first = sorted(phrases, key=len, reverse=True)
    return [
        (end, phrase)
        for end in range(1, len(shown) + 1)
        for phrase in longest_first
        if shown[:end].endswith(fold(phrase))
    ]


# Few letters, so that phrases overlap, contain one another and meet in the text.
few_letters = st.text(st.sampled_from("aAbＢ가나 1１"), min_size=1, max_size=5)
phrase_lists = st.lists(few_letters, max_size=12, unique_by=fold)


@given(phrase_lists, st.text(st.sampled_from("aAbＢ가나다 　1１\U00020062"), max_size=40))
def test_every_match_is_found(phrases, text):
    """All occurrences, overlapping ones too, longest first where several end at one character."""
    assert found(phrases, text) == reference(phrases, text)


@given(phrase_lists, texts)
def test_any_text_is_read(phrases, text):
    """Text of all scripts, characters beyond the basic plane among them, is searched like any other."""
    assert found(phrases, text) == reference(phrases, text)


def test_thousands_of_phrases():
    """Rows that are laid over one another stay apart: each of 4,000 phrases is found, in less than 1 MB."""
    phrases = [f"{number:x}번" if number % 2 else f"{number}쪽" for number in range(4000)]  # number, page
    compiled = compile_phrases(phrases)
    assert sum(array.nbytes for array in compiled) < 1 << 20
    ends, matches = np.zeros((2, 1 << 16), np.int64)
    num = scan(TextBuffers.of([" ".join(phrases)]).data, compiled, ends, matches)
    assert set(matches[:num].tolist()) == set(range(4000))


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("rss", "RSS"),
        ("RSS", "ｒｓｓ"),
        ("010", "０１０"),
        ("a b", "a\u00a0b"),
        ("a b", "A\u3000B"),
        ("[광고]", "［광고］"),  # advertisement
    ],
)
def test_forms_that_look_alike_are_the_same(phrase, text):
    """Case and width make no difference, nor does which single space it is."""
    assert found([phrase], text) == [(len(text), phrase)]


def test_no_phrases_find_nothing():
    """An empty list is a valid one."""
    assert found([], "가나다 abc") == []


@pytest.mark.parametrize("phrases", [["", "a"], ["a", "Ａ"], ["\U0001f600"]])
def test_a_bad_list_is_refused(phrases):
    """Empty phrases, two that fold to one, and characters that the table cannot hold are bugs of a lexicon."""
    with pytest.raises(AssertionError):
        compile_phrases(phrases)
