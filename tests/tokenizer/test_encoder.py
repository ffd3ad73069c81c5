"""The encoder gives the ids of `tokenizers`, for any tokenizer and any text, and does not stall."""

import json
import time
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from chejil.errors import ChejilError
from chejil.tokenizer import corpus as documents
from chejil.tokenizer.encoding import word_cache
from chejil.tokenizer.encoding.encoder import Encoder
from chejil.tokenizer.encoding.merge_table import merge_table, ranks_of
from chejil.tokenizer.encoding.word_merging import SCAN_BYTES, merge_long, merge_short
from chejil.tokenizer.files import byte_alphabet
from chejil.tokenizer.files.byte_alphabet import CHARS

from . import small_tokenizers as small

PATTERNS = ("gpt2", "gpt4", "o200k", "koen", "qwen2")

# Pieces of running text beside any characters at all: a word alone finds few of the ways through a pattern.
PIECES = st.sampled_from(
    [" ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "<|endoftext|>", "항구", "여객선은", "각", "ᄒ", "圖書館", "12345",
     "٣", "🐟", "👩‍👧", "　", "a", "é", "e\u0301", "Harbour", "x" * 40, "ㅋ" * 60, "﻿", "\x00", "...", "//"]
)  # fmt: skip
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=20).map("".join)


def ids_of(tokenizer, texts):
    return [one.ids for one in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def split(tokens):
    return [tokens.ids[a:b].tolist() for a, b in zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Ours and theirs, by name of the pattern."""

    @cache
    def pair(pattern):
        theirs = small.trained(pattern)
        return Encoder(small.saved(theirs, tmp_path_factory.mktemp(pattern))), theirs

    return pair


@pytest.mark.parametrize("pattern", PATTERNS)
@given(texts=st.lists(TEXTS, max_size=6))
def test_ids_equal_those_of_tokenizers(made, pattern, texts):
    """On the fast path, for every pattern that has a matcher."""
    ours, theirs = made(pattern)

    assert ours.slow is None
    assert split(ours.encode(texts)) == ids_of(theirs, texts)


@given(texts=st.lists(TEXTS, min_size=2, max_size=6))
def test_a_cache_of_one_set_changes_nothing(made, texts):
    """Words that drive one another out of the cache have the same ids each time."""
    ours, theirs = made("gpt4")
    before, ours._cache = ours._cache, word_cache.empty(1)

    found = split(ours.encode(texts * 3))

    ours._cache = before
    assert found == ids_of(theirs, texts * 3)


@st.composite
def random_merges(draw):
    """Merges in any order, pairs that stand twice, and several that make the same token."""
    tokens = ["a", "b", "c", "Ġ"]
    pairs = []
    for _ in range(draw(st.integers(0, 25))):
        pair = (draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens)))
        if len("".join(pair)) <= 40:
            pairs.append(pair)
            tokens.append("".join(pair))
    return pairs


@given(pairs=random_merges(), words=st.lists(st.text("abc ", min_size=1, max_size=220), max_size=8))
def test_any_merges_are_followed_as_tokenizers_does(pairs, words):
    """Scan and heap, for words below and above the length where one takes over from the other."""
    vocab = {char: byte for byte, char in CHARS.items()}
    for pair in pairs:
        vocab.setdefault("".join(pair), len(vocab))
    theirs = Tokenizer(models.BPE(vocab, pairs))
    table = merge_table([vocab[CHARS[byte]] for byte in range(256)], *ranks_of(pairs, vocab))

    for word in words:
        data = np.frombuffer(word.encode(), np.uint8)
        expected = theirs.encode(word.replace(" ", "Ġ")).ids
        assert merged(merge_long, data, table) == expected
        if len(data) <= SCAN_BYTES:
            assert merged(merge_short, data, table) == expected


def merged(kernel, data, table):
    out = np.empty(len(data) + 1, np.int32)
    scratch = (np.empty(SCAN_BYTES, np.int32),) if kernel is merge_short else ()
    return out[: kernel(data, 0, len(data), table, *scratch, out, 0)].tolist()


SLOW = {
    "normaliser": small.with_normaliser,
    "not special": small.with_added_token,
    "matcher": small.with_own_pattern,
    "ignore_merges": small.with_ignored_merges,
}


@pytest.mark.parametrize("why", SLOW)
def test_a_tokenizer_that_we_do_not_know_is_left_to_tokenizers(tmp_path, why):
    """With a reason that names what we do not know, the same interface and the same ids."""
    theirs = SLOW[why]()
    ours = Encoder(small.saved(theirs, tmp_path))
    texts = ["항구에서 고등어 3kg", "", "e\u0301 <|pad|>"]

    assert why in str(ours.slow)
    assert split(ours.encode(texts)) == ids_of(theirs, texts)
    assert split(ours.encode(pa.array(["a", None], pa.large_string()), 0))[1] == [0]


def test_tokenizers_of_gpt_2_and_of_tiktoken_are_known(tmp_path):
    """ByteLevel with its own regex, merges written with a space, and a Split that removes what is no word."""
    theirs = small.trained("gpt2")
    file = small.saved(theirs, tmp_path)
    content = json.loads(Path(file).read_text())
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    spaced = {
        **content,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
    }
    steps = content["pre_tokenizer"]["pretokenizers"]
    removing = {**steps[0], "behavior": "Removed", "invert": True}
    kept = {**content, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [removing, steps[1]]}}
    texts = list(small.SENTENCES)

    for one in (spaced, kept):
        Path(file).write_text(json.dumps(one))
        ours = Encoder(file)
        assert ours.slow is None
        assert split(ours.encode(texts)) == ids_of(theirs, texts) == ids_of(Tokenizer.from_file(file), texts)


def test_special_tokens_in_a_text_are_text(made):
    """A page that says `<|endoftext|>` does not end its document."""
    ours, theirs = made("gpt4")
    (found,) = split(ours.encode(["끝<|endoftext|>"]))  # "the end"

    assert 0 not in found
    assert theirs.decode(found, skip_special_tokens=False) == "끝<|endoftext|>"


def test_any_arrow_strings_are_read(made):
    """Chunks, slices, nulls, `string` and `large_string`, and no documents at all."""
    ours, theirs = made("koen")
    texts = ["a", None, "항구", "", "the ferry"]
    expected = ids_of(theirs, [text or "" for text in texts])
    chunked = pa.chunked_array([texts[:2], texts[2:]], pa.string())

    assert split(ours.encode(chunked)) == expected
    assert split(ours.encode(pa.array(texts, pa.large_string()).slice(2, 3))) == expected[2:]
    assert split(ours.encode(texts, 1)) == [[*ids, 1] for ids in expected]
    assert ours.encode([]).offsets.tolist() == [0]


LONG = {"letter": "a", "blanks": " ", "Hangul": "항구에서여객선은떠났다", "marks": "-=-=~"}


@pytest.mark.parametrize("kind", LONG)
def test_a_long_pre_token_has_the_ids_of_tokenizers(made, kind):
    """200,000 bytes without a cut."""
    ours, theirs = made("gpt4")
    text = (LONG[kind] * 200_000).encode()[:200_000].decode(errors="ignore")

    assert split(ours.encode([text])) == ids_of(theirs, [text])


@pytest.mark.slow
@pytest.mark.parametrize("kind", LONG)
def test_a_document_of_one_pre_token_does_not_stall(made, kind):
    """Sixteen times the bytes take less than forty times the time, and nothing is lost."""
    ours, theirs = made("gpt4")
    whole = (LONG[kind] * (16 << 20)).encode()[: 16 << 20].decode(errors="ignore")

    def seconds(text):
        started = time.process_time()
        tokens = ours.encode([text])
        return time.process_time() - started, tokens

    short = min(seconds(whole[: len(whole) // 16])[0] for _ in range(3))
    long, tokens = seconds(whole)
    assert long < 40 * short + 1
    written = {number: byte_alphabet.read(token) for token, number in theirs.get_vocab().items()}
    assert b"".join(written[number] for number in tokens.ids.tolist()) == whole.encode()


@pytest.mark.corpus
@pytest.mark.parametrize("pattern", ["gpt4", "koen"])
def test_ids_on_real_shards_equal_those_of_tokenizers(corpus, made, pattern):
    """Web pages, articles and bills, Korean and English."""
    ours, theirs = made(pattern)
    paths = [f"mc4:{corpus}/mc4-ko/*00001*.gz", f"c4:{corpus}/c4-en/*00008*.gz", f"{corpus}/wiki-ko"]
    for piece in documents.pieces(paths):
        texts = next(iter(documents.batches(piece)))["text"].slice(0, 150)
        assert split(ours.encode(texts)) == ids_of(theirs, texts.to_pylist())


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "no such tokenizer"),
        ("{", "not JSON"),
        ("[1]", "no tokenizer"),
        ('{"model": {"type": "BPE"}}', "no model with a vocabulary"),
    ],
)
def test_what_is_no_tokenizer_is_refused(tmp_path, content, what):
    """With the file, and how to get one."""
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ChejilError, match=what) as error:
        Encoder(str(file))
    assert error.value.where == str(file)
    assert error.value.mend


@pytest.mark.parametrize(
    ("texts", "said"),
    [("a ferry", "one text where a list"), (["a", "\ud800"], "no Unicode: surrogates"), ([1], "no text")],
)
def test_what_is_no_list_of_texts_is_refused(made, texts, said):
    """A str alone, half a surrogate, a number."""
    with pytest.raises(ChejilError, match=said) as error:
        made("gpt4")[0].encode(texts)
    assert error.value.mend


def test_the_hash_is_that_of_what_ids_follow_from(tmp_path):
    """Another layout of the JSON, truncation or padding change nothing; another merge does."""
    theirs = small.trained()
    one = Encoder(small.saved(theirs, tmp_path)).file
    theirs.enable_truncation(5)
    Path(tmp_path / "tokenizer.json").write_text(theirs.to_str(pretty=True))

    assert Encoder(str(tmp_path)).file.hash == one.hash
    assert Encoder(small.saved(small.trained(size=400), tmp_path)).file.hash != one.hash
