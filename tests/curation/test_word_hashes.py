"""Words that are cut out of blocks have the hashes of words that are read letter by letter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.dedup.word_hashes import hash_words, word_characters

PARTS = [
    "가",
    "힘",
    "漢",
    "가나다라마바사아",
    "a",
    "ABCDEFGH",
    "ß",
    "é",
    "İ",
    "ㅋㅋ",
    "한",
    "7",
    " ",
    "  ",
    "\n",
    "\x1c",
]
PARTS += [
    ".",
    ",",
    "—",
    "…",
    "\x00",
    "\xa0",
    "\u3000",
    "\u200b",
    "😀",
    "x" * 23,
    "x" * 24,
    "나" * 9,
    "y" * 70,
]
TEXTS = st.lists(st.sampled_from(PARTS), min_size=20, max_size=80).map("".join) | st.text()
BEHIND = "다 x7 ".encode() * 12  # other documents lie there


def hashes(text, others=b""):
    """Of the words of a text, before and behind which others lie: near the end of all there are no blocks."""
    data = np.frombuffer(others + text.encode() + others, np.uint8)
    words = np.zeros(len(data) + 1, np.uint64)
    num = hash_words(data, len(others), len(data) - len(others), word_characters(), words)
    return words[:num].tolist()


def plain_words(text):
    """What the kernel hashes, in plain Python."""
    table = word_characters()
    folded = ("".join(chr(table[ord(c)]) for c in word if table[ord(c)]) for word in text.split())
    return [word for word in folded if word]


@given(TEXTS)
def test_a_text_has_the_hashes_of_its_words_one_by_one(text):
    """In blocks or by letters, before, across or at the end of a block: a word is hashed for itself."""
    alone = [own for word in plain_words(text) for own in hashes(word)]

    assert hashes(text, BEHIND) == alone
    assert hashes(text) == alone


@given(st.lists(st.text(st.sampled_from("가나힘漢ab09xé"), min_size=1, max_size=20), min_size=2, unique=True))
def test_other_words_have_other_hashes(words):
    """Of any length, and with zeros behind them."""
    found = hashes(" ".join(words), BEHIND)

    assert len(set(found)) == len(words)


@pytest.mark.parametrize("places", [(7, 15), (7, 23), (15, 23), (0, 8), (23, 31)])
def test_two_changes_in_one_word_do_not_cancel_out(places):
    """A chain of plain products carries nothing downwards: a last letter of one block would undo that of another."""
    words = []
    for one in "abcdefghijklmnopqrstuvwxyz0123456789":
        for other in "abcdefghijklmnopqrstuvwxyz0123456789":
            letters = ["m"] * 40
            letters[places[0]], letters[places[1]] = one, other
            words.append("".join(letters[: max(24, places[1] + 1)]))

    assert len(set(hashes(" ".join(words), BEHIND))) == 36 * 36


def test_the_letters_that_need_no_table_are_what_it_says_of_them():
    """Blocks take them as they are: letters without case, and marks that belong into no word."""
    table = word_characters()

    for first, last in ((0x4E00, 0x9FFF), (0xAC00, 0xD7A3)):
        assert (table[first : last + 1] == np.arange(first, last + 1)).all()
    assert not table[0x2010:0x2028].any()
