"""Merges equal those of Hugging Face's trainer and of a slow reference, also above 32 bits."""

import collections
import itertools
import json

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.tokenizer.counting.word_counts import WordCounts
from chejil.tokenizer.files import byte_alphabet
from chejil.tokenizer.merging.merging import FORBIDDEN, merge_symbols, merges

# "the sky is blue, the sea is blue", Hangul in NFC and NFD, jamo, Hanja, an emoji with a joiner, runs of one letter
TEXTS = (
    "하늘은 푸르고 바다도 푸르다 하늘은",
    "하늘",
    "ㅋㅋㅋㅋ ㅎㅎ",
    "大韓民國 大韓 民國",
    "👩‍🚀👩‍🚀 aaaa aaaaaaa aaa",
    "the sky, the sea; 3월 2024년 AI는",
)


def words_of(counts):
    """What the trainer takes: words sorted by their bytes."""
    return WordCounts.from_words(
        {word.encode() if isinstance(word, str) else word: count for word, count in counts.items()}
    )


def written(found, num_special=0):
    """Merges as pairs of written tokens."""
    tokens = {num_special + n: byte_alphabet.CHARS[byte] for n, byte in enumerate(byte_alphabet.ORDER)}
    pairs = []
    for (left, right), new in zip(found.pairs.tolist(), found.ids.tolist(), strict=True):
        pairs.append((tokens[left], tokens[right]))
        tokens[new] = tokens[left] + tokens[right]
    return pairs


def reference(counts, num_merges, min_count=1, wrap=lambda number: number):
    """BPE as one would write it down: count all pairs, merge the first one, begin again."""
    order = {byte: n for n, byte in enumerate(byte_alphabet.ORDER)}
    words = [([order[byte] for byte in word.encode()], n) for word, n in counts.items()]
    found = []
    for new in range(256, 256 + num_merges):
        pairs = collections.Counter()
        for word, n in words:
            for pair in itertools.pairwise(word):
                pairs[pair] = wrap(pairs[pair] + n)
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < max(min_count, 1):
            break
        found.append((*best, pairs[best]))
        words = [(merged(word, best, new), n) for word, n in words]
    return found


def merged(word, pair, new):
    out, at = [], 0
    while at < len(word):
        if tuple(word[at : at + 2]) == pair:
            out.append(new)
            at += 2
        else:
            out.append(word[at])
            at += 1
    return out


def ours(counts, num_merges, min_count=1):
    found = merges(words_of(counts), num_merges, min_count=min_count)
    return [(*pair, n) for pair, n in zip(found.pairs.tolist(), found.counts.tolist(), strict=True)]


def hugging_face(texts, pattern, num_merges, min_count=0, special_tokens=()):
    """The merges of BpeTrainer, over the same words."""
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    model.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, byte_level])
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=len(special_tokens) + 256 + num_merges, min_frequency=min_count, show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), special_tokens=list(special_tokens),
    )  # fmt: skip
    model.train_from_iterator(texts, trainer)
    saved = json.loads(model.to_str())["model"]
    return [tuple(pair) for pair in saved["merges"]], saved["vocab"]


def split_counts(texts, pattern):
    """Words as `tokenizers` cuts them, whose Unicode tables are not those of any Python package."""
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    return collections.Counter(word for text in texts for word, _ in split.pre_tokenize_str(text))


words = st.text(st.sampled_from("ab가각 👍"), min_size=1, max_size=12)


@settings(max_examples=60)
@given(st.dictionaries(words, st.integers(1, 9), max_size=9), st.integers(0, 40), st.integers(1, 4))
def test_merges_equal_the_reference(counts, num_merges, min_count):
    """Count all pairs, merge the most frequent, begin again: the same pairs with the same counts."""
    assert ours(counts, num_merges, min_count) == reference(counts, num_merges, min_count)


@given(st.dictionaries(st.text("a", min_size=1, max_size=40), st.integers(1, 99), max_size=8))
def test_pairs_that_overlap_count_as_often_as_they_stand(counts):
    """'aaaa' holds three pairs and becomes two symbols."""
    assert ours(counts, 40) == reference(counts, 40)


@settings(max_examples=60)
@given(st.lists(st.text(max_size=30), max_size=6), st.integers(0, 3))
def test_merges_equal_those_of_hugging_face(texts, min_count):
    """Any Unicode; their trainer reads the texts, ours the counts."""
    texts = [*texts, *TEXTS]
    pattern = r" ?\p{L}+| ?[^\s\p{L}]+|\s+"

    theirs, _ = hugging_face(texts, pattern, 150, min_count)

    assert written(merges(words_of(split_counts(texts, pattern)), 150, min_count=min_count)) == theirs


def test_ids_equal_those_of_hugging_face():
    """Special tokens, then bytes in the order of their characters, then merges."""
    special = ("<|endoftext|>", "<|pad|>")
    pattern = r"\S+|\s+"
    theirs, vocabulary = hugging_face(TEXTS, pattern, 80, special_tokens=special)

    found = merges(words_of(split_counts(TEXTS, pattern)), 80, special)

    assert written(found, 2) == theirs
    assert [vocabulary["".join(pair)] for pair in theirs] == found.ids.tolist()
    assert vocabulary["!"] == 2


def test_the_order_of_words_does_not_matter():
    """Words may come in any order, and one word in several rows."""
    counts = split_counts(TEXTS, r"\S+|\s+")
    one = words_of(counts)
    rows = [*reversed(counts.items()), ("aaaa", 3)]
    data = np.frombuffer("".join(word for word, _ in rows).encode(), np.uint8)
    offsets = np.cumsum([0, *(len(word.encode()) for word, _ in rows)])
    other = WordCounts(data=data, offsets=offsets, counts=np.array([n for _, n in rows]))

    assert written(merges(words_of(counts + collections.Counter(aaaa=3)), 90)) == written(merges(other, 90))
    assert written(merges(one, 90))


@pytest.mark.parametrize("big", [2**31, 2**32, 2**32 + 5, 2**40])
def test_counts_above_32_bits_are_right(big):
    """The most frequent pair is merged first. A trainer with 32-bit counts takes another one."""
    counts = {"the": big, "cat": 7, "at": 1000}

    assert ours(counts, 4) == reference(counts, 4)
    assert ours(counts, 4)[0][2] == big
    assert reference(counts, 4, wrap=int32)[0] != ours(counts, 4)[0]


def int32(number):
    """As a signed 32-bit sum wraps."""
    return (number + 2**31) % 2**32 - 2**31


def test_counts_beyond_64_bits_are_refused():
    """A sum that would wrap is an error, not a wrong merge."""
    with pytest.raises(ChejilError, match="64 bits"):
        merges(words_of({"ab": 2**61, "abab": 2**61}), 3)


def test_a_special_token_is_never_made_of_bytes():
    """What is written like a special token stays apart from it; the merges around it go on."""
    counts = {"abab": 9, "cd": 2}

    assert written(merges(words_of(counts), 3, ["ab"]), 1) == [("b", "a"), ("a", "ba"), ("aba", "b")]
    assert len(merges(words_of({"ab": 5}), 3, ["ab"])) == 0


def test_a_token_that_exists_keeps_its_id():
    """A merge that gives the bytes of a token that is there already gives that token."""
    tokens = {0: b"a", 1: b"b", 2: b"c"}
    symbols, offsets = np.array([0, 1, 2, 0, 1, 0, 1], np.int32), np.array([0, 3, 5, 7])

    found = merge_symbols(symbols, offsets, np.array([3, 2, 2]), tokens, 5, taken={b"ab": 9}, next_id=10)

    assert found.pairs.tolist() == [[0, 1], [9, 2]]
    assert found.ids.tolist() == [9, 10]
    assert found.counts.tolist() == [7, 3]


def test_a_reused_symbol_may_stand_in_words_already():
    """Its pairs gain occurrences in a merge that is not their first, so everything is counted anew."""
    tokens = {0: b"a", 1: b"b", 2: b"c", 9: b"ab"}
    symbols, offsets = np.array([0, 1, 2, 9, 2, 2, 2], np.int32), np.array([0, 3, 5, 7])

    found = merge_symbols(symbols, offsets, np.array([3, 2, 4]), tokens, 5, taken={b"ab": 9}, next_id=10)

    assert found.pairs.tolist() == [[2, 2], [0, 1], [9, 2]]
    assert found.counts.tolist() == [4, 3, 5]


def test_a_forbidden_token_is_not_made():
    """FORBIDDEN stands for no id."""
    symbols, offsets = np.array([0, 1], np.int32), np.array([0, 2])

    assert (
        len(merge_symbols(symbols, offsets, np.array([3]), {0: b"a", 1: b"b"}, 5, taken={b"ab": FORBIDDEN}))
        == 0
    )


@pytest.mark.parametrize("counts", [{}, {"a": 5}, {"ab": 0}])
def test_nothing_to_merge(counts):
    """No words, words of one byte, words that do not occur."""
    assert len(merges(words_of(counts), 10)) == 0


def test_progress_is_told():
    """The caller hears how many merges are done, and may interrupt."""
    rng = np.random.default_rng(1)
    data = rng.integers(97, 123, 2_000_000).astype(np.uint8)
    many = WordCounts(data=data, offsets=np.arange(0, 2_000_001, 10), counts=np.ones(200_000, np.int64))

    def interrupt(done):
        told.append(done)
        raise KeyboardInterrupt

    told = []
    with pytest.raises(KeyboardInterrupt):
        merges(many, 100_000, progress=interrupt)

    assert 0 <= told[0] < 100_000
