"""Training writes tokenizers that encode as those of Hugging Face's trainer; sizes nest; what cannot be is told."""

import collections
import json

import pytest
import tokenizers

from chejil.errors import ChejilError
from chejil.tokenizer import vocabulary_sizes
from chejil.tokenizer.counting.word_counts import WordCounts
from chejil.tokenizer.files import byte_level, tokenizer_file
from chejil.tokenizer.measuring import sizes
from chejil.tokenizer.merging import training
from chejil.tokenizer.merging.training import TrainingSettings
from chejil.tokenizer.pretokens import patterns

# "the sky is blue and the sea is blue, too; 3 March 2024; the AI reads Hanja: people of Korea"
TEXTS = [
    "하늘은 푸르고 바다도 푸르다. 2024년 3월, AI는 大韓民國을 읽는다. the sky and the sea, the sea"
] * 3 + ["ㅋㅋㅋㅋ 하늘"]
SMALL = {"vocab_sizes": (300,), "pattern": "gpt4", "min_count": 1}


def words_of(texts, pattern="gpt4"):
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(patterns.pattern(pattern).regex), "isolated")
    counts = collections.Counter(word.encode() for text in texts for word, _ in split.pre_tokenize_str(text))
    return WordCounts.from_words(counts)


def hugging_face(texts, pattern, size, special):
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(patterns.pattern(pattern).regex), "isolated")
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    model.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, byte_level])
    model.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=alphabet, special_tokens=list(special)
    )
    model.train_from_iterator(texts, trainer)
    return model


def test_the_file_encodes_as_that_of_hugging_face(tmp_path):
    """Same ids for seen and unseen text."""
    settings = TrainingSettings(**SMALL)
    theirs = hugging_face(TEXTS, "gpt4", 300, settings.special_tokens)

    training.train(words_of(TEXTS), str(tmp_path), settings)
    ours = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))

    for text in (*TEXTS, "푸른 하늘 the seas 2025년\n\n", "<|im_start|>하늘<|im_end|>"):
        assert ours.encode(text).ids == theirs.encode(text).ids
    assert {token: n for token, n in ours.get_vocab().items() if n < 300} == theirs.get_vocab()


def test_sizes_nest(tmp_path):
    """The smaller is the beginning of the larger, and what a training of its own would give."""
    several = training.train(
        words_of(TEXTS), str(tmp_path / "all"), TrainingSettings(**{**SMALL, "vocab_sizes": (320, 280)})
    )
    alone = training.train(
        words_of(TEXTS), str(tmp_path / "one"), TrainingSettings(**{**SMALL, "vocab_sizes": (280,)})
    )

    small, large = (tokenizer_file.read(row.folder) for row in several)

    assert [row.folder.split("/")[-1] for row in several] == ["280", "320"]
    assert several[0].hash == alone[0].hash
    assert small.merges == large.merges[: len(small.merges)]
    assert [several[0].size, several[1].size, several[1].tokens] == [384, 384, 320]


def test_the_manifest_says_what_it_was_made_of(tmp_path):
    """Pattern, words and their hash, asked and met sizes; equal for two trainings of the same words."""
    for name in ("a", "b"):
        training.train(words_of(TEXTS), str(tmp_path / name), TrainingSettings(**SMALL), {"sample": "s"})
    found = json.loads((tmp_path / "a" / "tokenizer_manifest.json").read_bytes())

    assert found["pattern"] == "gpt4"
    assert found["sample"] == "s"
    assert found["words"]["types"] == len(words_of(TEXTS).counts)
    assert found["vocabulary"] == {"asked": 300, "tokens": 300, "size": 384, "merges": 40, "last_count": 3}
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_too_few_words_stop_early_and_say_so(tmp_path):
    """What could be trained is written."""
    (row,) = training.train(
        words_of(["가나"]), str(tmp_path), TrainingSettings(**{**SMALL, "vocab_sizes": (1000,)})
    )

    assert row.tokens == 265
    assert row.merges == 5
    assert "265 tokens, not 1,000" in row.warning
    assert tokenizer_file.read(tmp_path).size == 384


def test_rare_pairs_are_not_merged(tmp_path):
    """`min_count` is of pairs."""
    (row,) = training.train(words_of(TEXTS), str(tmp_path), TrainingSettings(**{**SMALL, "min_count": 4}))

    assert row.last_count >= 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocab_sizes": (259,)}, "a vocabulary of 259 has no room for 4 special tokens and 256 bytes"),
        ({"pattern": "gpt5"}, "no pattern 'gpt5'"),
        ({"special_tokens": ("<s>",)}, "the eos token"),
    ],
)
def test_settings_that_cannot_be(tmp_path, settings, message):
    """Told before anything is counted."""
    with pytest.raises(ChejilError, match=message):
        training.train(words_of(TEXTS), str(tmp_path), TrainingSettings(**{**SMALL, **settings}))


def test_no_words(tmp_path):
    """An empty sample."""
    with pytest.raises(ChejilError, match="no words to train on"):
        training.train(words_of([]), str(tmp_path), TrainingSettings(**SMALL))


@pytest.mark.parametrize("text", ["", "k", "-5", "5.5", "many", "0", "1.0005k"])
def test_a_size_that_is_no_number(text):
    """Told with an example."""
    with pytest.raises(ChejilError, match="no number of tokens"):
        vocabulary_sizes.size_of(text)


@pytest.mark.parametrize("multiple", [1, 64, 128])
def test_a_size_of_a_tokenizer_is_what_training_writes_for_it(tmp_path, multiple):
    """Merge for merge, however many reserved tokens fill the larger one up."""
    large = TrainingSettings(**{**SMALL, "vocab_sizes": (310,)}, multiple=multiple)
    training.train(words_of(TEXTS), str(tmp_path / "large"), large)
    several = TrainingSettings(**{**SMALL, "vocab_sizes": (261, 290, 300, 310)})
    rows = training.train(words_of(TEXTS), str(tmp_path / "sizes"), several)
    file = byte_level.read(str(tmp_path / "large"))

    for row in rows:
        small, written = sizes.shrunk(file, row.asked).content, byte_level.read(row.folder).content
        assert small["model"]["merges"] == written["model"]["merges"]
        assert len(small["model"]["merges"]) == row.merges == row.asked - 260
    with pytest.raises(ChejilError, match="311 tokens of 310"):
        sizes.shrunk(file, 311)


def test_a_size_beyond_what_the_words_can_give(tmp_path):
    """Takes the memory of the words, not of the number."""
    settings = TrainingSettings(**{**SMALL, "vocab_sizes": (3_000_000_000,)})
    (huge,) = training.train(words_of(TEXTS), str(tmp_path / "huge"), settings)

    assert 300 < huge.tokens < 500
    assert "not 3,000,000,000" in huge.warning
