"""The table of words agrees with a plain reading: places, letters, marks and line breaks, and what is equal to what."""

from __future__ import annotations

import re
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import measure
from chejil.filters.lexicons import lexicon
from chejil.filters.unicode_classes import CLASS_NAMES
from chejil.filters.word_letters import APART, BLANK_LINE, BREAK, ENDS, LETTERS, PAIRED, hash_of

from .reference import char_class, is_letter
from .strategies import PIECES, SPACES, batches

TERMINAL = set(lexicon("korean_marks")["terminal"])
QUOTES = lexicon("korean_marks")["open_quote"] + lexicon("korean_marks")["close_quote"]
PAIRS = {*QUOTES, *"".join(lexicon("paired_marks")["pairs"])}

# Words of 16 characters and of 64 are where the kernels change their way.
long_words = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "(", "“"]),
    st.sampled_from(["a", "A", "가", "a-"]).flatmap(lambda few: st.integers(6, 70).map(few.__mul__)),
    st.sampled_from(["", ".", ").", "”"]),
)
texts = st.lists(st.tuples(long_words | st.sampled_from(PIECES), st.sampled_from(SPACES)), max_size=12).map(
    lambda pairs: "".join(map("".join, pairs))
)


def is_shown(char):
    return is_letter(char) or char_class(char) == "digits"


def letters_of(word):
    shown = filter(is_shown, word)
    return "".join(chr(ord(char) + 32) if "A" <= char <= "Z" else char for char in shown)


def words_of(text):
    """Each word, where its letters begin and end in the text, its note, and the bits of its classes."""
    for found in re.finditer(r"\S+", text):
        word, at = found.group(), found.start()
        places = [place for place, char in enumerate(word) if is_shown(char)]
        begin, end = (places[0], places[-1] + 1) if places else (0, 0)
        blank = re.match(r"\s*", text[found.end() :]).group()
        note = ENDS * bool(TERMINAL & set(word[end:])) | PAIRED * bool(PAIRS & set(word[:begin] + word[end:]))
        note |= APART * (len(places) < end - begin)
        note |= BREAK * ("\n" in blank) | BLANK_LINE * (blank.count("\n") > 1)
        kinds = {1 << CLASS_NAMES.index(char_class(char)) for char in word} | {
            LETTERS * any(map(is_letter, word))
        }
        yield word, at + begin, at + end, note, sum(kinds)


@given(st.lists(texts, max_size=4) | batches)
def test_words_agree_with_a_plain_reading(texts):
    table = measure(TextBuffers.of(texts), ["word_table"])
    expected = [list(words_of(text)) for text in texts]
    assert np.diff(table["word_starts"]).tolist() == list(map(len, expected))
    before = np.repeat(table["char_starts"][:-1], np.diff(table["word_starts"]))
    columns = "letter_begins", "letter_ends", "word_notes", "word_kinds"
    found = list(zip(*(table[name].tolist() for name in columns), strict=True))
    assert found == [
        (begin + start, end + start, note, kinds)
        for (_, begin, end, note, kinds), start in zip(chain(*expected), before.tolist(), strict=True)
    ]


@given(st.lists(texts, max_size=4) | batches)
def test_hashes_are_equal_where_words_are(texts):
    """`word_hashes` tell words apart, `word_keys` their letters; the latter are what a list of words is hashed to."""
    table = measure(TextBuffers.of(texts), ["word_table"])
    words = " ".join(texts).split()
    letters = list(map(letters_of, words))
    for name, column in (("word_hashes", words), ("word_keys", letters)):
        hashes = table[name].tolist()
        assert len(set(hashes)) == len(set(column)) == len(set(zip(hashes, column, strict=True)))
    spelled = [hash_of(np.array(list(map(ord, word)), np.uint32)) for word in letters]
    assert table["word_keys"].tolist() == spelled


def test_a_word_of_letters_has_one_hash():
    """학교에서: at school."""
    table = measure(TextBuffers.of(["학교에서 school School school."]), ["word_table"])
    hashes, keys = table["word_hashes"], table["word_keys"]
    assert (hashes == keys).tolist() == [True, True, False, False]
    assert keys[1] == keys[2] == keys[3]


@pytest.mark.parametrize("text", ["가" * 70_000, "a-" * 70_000, "(" * 70_000, " \n" * 70_000 + "a.\n\n"])
def test_long_words_and_gaps(text):
    table = measure(TextBuffers.of([text]), ["word_table"])
    columns = "letter_begins", "letter_ends", "word_notes", "word_kinds"
    found = [tuple(table[name].tolist()) for name in columns]
    assert found == list(zip(*(rest for _, *rest in words_of(text)), strict=True))
