"""Content hashes and signatures against plain Python, and the Jaccard similarity they estimate."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.dedup.shingles import content_hashes, shingle_set, signatures
from chejil.curation.dedup.sketches import band_keys
from chejil.curation.dedup.word_hashes import word_characters
from chejil.filters.buffers import TextBuffers

MIXED = st.text(st.sampled_from("가나다라ㅋ漢字abcXYZ019 .,!\n\t\u3000\xa0😀é한"), max_size=60)


def signed(*texts, words=3, lanes=24, unit="eojeol"):
    return signatures(TextBuffers.of(list(texts)), words, lanes, unit)


@pytest.mark.parametrize("unit", ["eojeol", "char"])
@given(st.lists(MIXED, min_size=2, max_size=4))
def test_equal_shingle_sets_have_equal_signatures_and_others_do_not(unit, texts):
    """The kernel cuts the same shingles as the plain Python that explains them."""
    signature = signed(*texts, unit=unit, lanes=64)
    sets = [shingle_set(text, 3, unit) for text in texts]

    for i in range(1, len(texts)):
        assert (sets[0] == sets[i]) == bool((signature[0] == signature[i]).all())


@given(MIXED)
def test_a_signature_ignores_case_punctuation_and_spacing_between_words(text):
    """Two copies that differ in case and punctuation are one document to MinHash."""
    loud = "  ".join(f"«{word.upper()}!»" for word in text.split())

    assert shingle_set(text, 3) == shingle_set(loud, 3)
    assert (signed(text) == signed(loud)).all()


@given(st.lists(st.text(max_size=40), max_size=6))
def test_a_batch_is_signed_and_hashed_row_by_row(texts):
    """A document's hash and signature do not depend on its neighbours."""
    buffers = TextBuffers.of(texts)
    alone = [TextBuffers.of([text]) for text in texts]

    assert content_hashes(buffers).tolist() == [content_hashes(text).tolist()[0] for text in alone]
    assert signatures(buffers, 3, 8).tolist() == [signatures(text, 3, 8).tolist()[0] for text in alone]


@given(st.text(max_size=40), st.text(max_size=40))
def test_content_hashes_are_equal_just_where_the_text_is_equal_but_for_ascii_white_space(one, other):
    """Line breaks and spacing do not make another document."""

    def squashed(text):
        return "".join(c for c in text if c > " ")

    first, second = content_hashes(TextBuffers.of([one, other])).tolist()

    assert (first == second) == (squashed(one) == squashed(other))


@pytest.mark.parametrize("text", ["", " \n\t ", "!?. …", "😀"])
def test_a_text_without_words_has_no_shingles(text):
    """Nothing to compare: the signature stays all ones, which the clustering leaves out."""
    assert (signed(text) == np.iinfo(np.uint64).max).all()
    assert shingle_set(text, 3) == set()


def test_short_texts_meet_only_if_all_their_words_are_the_same():
    """Peers give every text below the shingle's size one signature, and keep one of them all."""
    signature = signed("로그인", "회원가입", "로그인 회원가입", "로그인!", words=5)  # log in, sign up

    assert [bool((signature[0] == other).all()) for other in signature] == [True, False, False, True]


def test_the_estimate_is_as_near_as_its_standard_error_says():
    """Mean error of 200 edited pairs is within twice sqrt(J(1-J)/lanes) of the true Jaccard similarity."""
    rng = random.Random(5)
    errors = []
    for _ in range(200):
        words = [f"{rng.choice('가나다라마')}{rng.randrange(9999)}" for _ in range(150)]
        edited = [word if rng.random() > 0.02 else "바꿈" for word in words]  # "changed"
        one, other = " ".join(words), " ".join(edited)
        true = len(shingle_set(one, 5) & shingle_set(other, 5)) / len(
            shingle_set(one, 5) | shingle_set(other, 5)
        )
        a, b = signed(one, other, words=5, lanes=120)
        errors.append(float((a == b).mean()) - true)

    assert abs(np.mean(errors)) < 0.012
    assert np.std(errors) < 2 * np.sqrt(0.8 * 0.2 / 120)


def test_a_long_document_has_one_signature_whatever_its_length():
    """A 16 MB line is hashed like any other."""
    line = "긴 줄 하나 " * (1 << 20)  # "one long line"

    assert (signed(line) == signed(line[: len(line) // 2])).all()


def test_word_characters_fold_case_and_leave_marks_out():
    """Letters, digits and combining marks are words' characters; punctuation and symbols are not."""
    table = word_characters()

    assert [int(table[ord(c)]) for c in "Aa가ㅋ漢९é"] == [ord(c) for c in "aa가ㅋ漢९é"]
    assert not any(table[ord(c)] for c in ".,!?…「」😀")
    assert {int(table[ord(c)]) for c in " \n\t\u3000\xa0"} == {1}  # white space parts words


def test_band_keys_are_equal_just_where_the_bands_are():
    """A band is the hash of its own lanes and of no others."""
    signature = np.arange(24, dtype=np.uint64).reshape(1, 24).repeat(2, axis=0).copy()
    signature[1, 7] += np.uint64(1)

    one, other = band_keys(signature, 6, 4)

    assert (one == other).tolist() == [True, False, True, True, True, True]
    assert len(set(band_keys(np.zeros((1, 24), np.uint64), 6, 4)[0].tolist())) == 6


WORDS = [
    "a",
    "cat",
    "seventy",
    "eightyyy",
    "ninetyyyy",
    "a1b2c3d4e5f6g7h8",
    "seventeenletters1",
    "GPT4모델은",
    "모델GPT4",
    "Straße",
    "Kelvin",
    "漢字가",
    "naïve",
]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_one_wherever_it_stands_in_the_bytes(word):
    """ASCII is read eight bytes at a time: at the end of a text, beside marks, and cut by them it is the same word."""
    written = [
        word,
        f"{word} ",
        f"({word}), ",
        f" .{word}.\u3000",
        f"{word[0]}-{word[1:]}",
        f"…{word.upper() if word.isascii() else word}!!!!!!!!!",
    ]

    lone = signatures(TextBuffers.of(written), 1, 16)
    among = signatures(TextBuffers.of([f"x {text} y" for text in written]), 1, 16)

    assert (lone == lone[0]).all()
    assert (among == among[0]).all()


def test_words_of_other_letters_are_others():
    """No letter beyond ASCII is taken for the bytes of two that are ASCII, and no cut at eight letters is lost."""
    words = [
        "ab",
        "扡",
        "ba",
        "戢",
        "a b",
        "abcdefgh i",
        "abcdefghi",
        "bcdefgh",
        "abcdefg",
        "abcdefg h",
        "가나",
        "나가",
        "가a",
        "a가",
    ]

    found = signatures(TextBuffers.of(words), 1, 16)

    assert len({row.tobytes() for row in found}) == len(words)
