"""The tree finds what begins at a place, as a plain search does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from chejil.filters.phrase_tree import PHRASE, ROOT, compile_tree, descend, fold

from .strategies import texts


@njit(nogil=True)
def walk(codes, i, symbols, nodes, found):
    """Indices of the phrases that begin at character `i`, shortest first; returns how many."""
    cell, node, num = np.int64(ROOT), nodes[ROOT], 0
    while i < len(codes):
        cell, node = descend(symbols, nodes, cell, node, codes[i])
        if node < 0:
            break
        i += 1
        if node & PHRASE:
            found[num] = (node & PHRASE) - 1
            num += 1
    return num


def begins(phrases: list[str], text: str) -> list[list[str]]:
    tree, codes = compile_tree(phrases), np.array([ord(char) for char in text], np.uint32)
    found = np.zeros(len(phrases) + 1, np.int64)
    return [[phrases[number] for number in found[: walk(codes, i, *tree, found)]] for i in range(len(text))]


def reference(phrases: list[str], text: str) -> list[list[str]]:
    shown, shortest_first = fold(text), sorted(phrases, key=len)
    return [
        [phrase for phrase in shortest_first if shown.startswith(fold(phrase), i)] for i in range(len(text))
    ]


# Few letters, so that phrases contain one another and meet in the text.
few_letters = st.text(st.sampled_from("aAbＢ가나 1１"), min_size=1, max_size=5)
phrase_lists = st.lists(few_letters, max_size=12, unique_by=fold)


@given(phrase_lists, st.text(st.sampled_from("aAbＢ가나다 　1１\U00020062"), max_size=40) | texts)
def test_every_phrase_is_found_where_it_begins(phrases, text):
    """At each character all phrases that begin there, whatever their case and width, and no other."""
    assert begins(phrases, text) == reference(phrases, text)


def test_thousands_of_phrases():
    """Children that lie among one another stay apart: each of 4,000 phrases is found, in less than 400 KB."""
    phrases = [f"{number:x}번" if number % 2 else f"{number}쪽" for number in range(4000)]  # number, page
    assert compile_tree(phrases).nodes.nbytes < 400_000
    assert [found[-1] for found in begins(phrases[:40], "\n".join(phrases[:40])) if found][:2] == [
        "0쪽",
        "1번",
    ]


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
    assert begins([phrase], text)[0] == [phrase]


def test_no_phrases_find_nothing():
    """An empty list is a valid one."""
    assert not any(begins([], "가나다 abc"))


@pytest.mark.parametrize("phrases", [["", "a"], ["a", "Ａ"], ["\U0001f600"]])
def test_a_bad_list_is_refused(phrases):
    """Empty phrases, two that fold to one, and characters that the table cannot hold are bugs of a lexicon."""
    with pytest.raises(AssertionError):
        compile_tree(phrases)
