"""Tokens that copies share: kernel against plain Python, and what is alike whatever the spacing, case and form."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.decontamination.match_tokens import (
    WORD,
    match_characters,
    plain_tokens,
    tokenise,
    tokens_of,
)
from chejil.filters.buffers import TextBuffers

TEXTS = st.text(
    st.one_of(
        st.sampled_from(list("가나다ㅋᄀ漢あｱａＡaZ09 .,'’\n\t-_①½ßİ\u0301\u200b😀é\u3000")),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


def tokens(text):
    return tokens_of(TextBuffers.of([unicodedata.normalize("NFC", text)])).tokens.tolist()


@given(st.lists(TEXTS, max_size=4))
def test_the_kernel_cuts_as_plain_python_does(texts):
    """The same tokens in the same texts: syllables are code points, equal words are equal hashes."""
    found = tokens_of(TextBuffers.of(texts))
    names = {}
    for number, text in enumerate(texts):
        here = found.tokens[found.starts[number] : found.starts[number + 1]].tolist()
        plain = plain_tokens(text)
        assert len(here) == len(plain)
        for token, name in zip(here, plain, strict=True):
            assert names.setdefault(token, name) == name
            if not token & int(WORD):
                assert chr(token) == name


@given(TEXTS)
def test_places_are_those_of_the_text(text):
    """Begin and end of a token are bytes at character boundaries, and what stands between gives the token again."""
    buffers = TextBuffers.of([text])
    room = len(text.encode()) // 2 + 2
    out, begins, ends = np.zeros(room, np.uint32), np.zeros(room, np.int32), np.zeros(room, np.int32)
    num = tokenise(buffers.data, 0, len(buffers.data), match_characters(), out, begins, ends, 0)
    data = text.encode()
    for token, begin, end in zip(out[:num].tolist(), begins[:num].tolist(), ends[:num].tolist(), strict=True):
        assert tokens_of(TextBuffers.of([data[begin:end].decode()])).tokens.tolist() == [token]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("등대가 보인다.", "등 대가보 인다"),  # "the lighthouse is seen", spaced otherwise
        ("등대가 보인다", unicodedata.normalize("NFD", "등대가 보인다")),
        ("The Light-house, SEEN!", "the light house seen"),
        ("don't", "DON’T"),
        ("don't", "dont"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ １２", "full width 12"),
        ("燈臺 [등대]", "燈臺등대"),
    ],
)
def test_spacing_case_punctuation_and_form_make_no_difference(one, other):
    """Both have the same tokens."""
    assert tokens(one) == tokens(other)


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), ("등대", "대등"), ("cat", "car"), ("가", "갸")])
def test_other_words_are_other_tokens(one, other):
    """English spacing counts, and so does order."""
    assert tokens(one) != tokens(other)


def test_weights_are_one_a_syllable_or_function_word_and_two_a_word():
    """`the` and a syllable weigh 1, a word that says something 2."""
    found = tokens_of(TextBuffers.of(["the lighthouse 등대 don't ２０"]))

    assert found.weights.tolist() == [1, 2, 1, 1, 1, 2]


@pytest.mark.parametrize("text", ["", " \n", "!?…", "😀😀", "'’'", "가" * 5_000_000, "a" * 16_000_000])
def test_extreme_texts(text):
    """Nothing, nothing but punctuation or emoji, one line of 16 MB."""
    assert len(tokens(text)) == {"가": len(text), "a": 1}.get(text[:1], 0)
