"""A tokenizer is extended: its ids stay, its own text is encoded as before, the new language takes fewer tokens."""

import json
import sys
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.tokenizer.files import tokenizer_file
from chejil.tokenizer.merging import base_words, extending
from chejil.tokenizer.merging.extending import ExtensionSettings

sys.path.insert(0, str(Path(__file__).parent))
from bases_to_extend import BASES, ENGLISH, KOREAN, byte_level_base, extended, words_of


@pytest.fixture(scope="module", params=list(BASES))
def three(request, tmp_path_factory):
    return extended(request.param, tmp_path_factory.mktemp("base"))


def test_every_id_of_the_base_stays(three):
    """Also those of special tokens above its vocabulary."""
    before, made, after = three
    size = before.get_vocab_size()

    assert {token: n for token, n in after.get_vocab().items() if n < size} == before.get_vocab()
    assert sorted(after.get_vocab().values()) == list(range(made.size))
    assert made.base_size == size
    assert made.characters + made.merges == 60
    assert made.size % 16 == 0
    assert made.as_dict()["new_ids"] == made.size - size


def test_text_of_the_base_is_encoded_as_before(three):
    """No new pair occurs in it."""
    before, _, after = three

    for text in (*ENGLISH[:1], "  two  spaces\n", "unseen words: Zygote!", ""):
        assert after.encode(text).ids == before.encode(text).ids


def test_the_new_language_takes_fewer_tokens(three):
    """And comes back."""
    before, _, after = three

    assert len(after.encode(KOREAN[0]).ids) < len(before.encode(KOREAN[0]).ids) / 2
    for text in (*KOREAN, "항구의 the hall 뷁뷁"):
        assert after.decode(after.encode(text).ids) == text


def test_special_tokens_are_still_matched(three):
    """In the middle of new text."""
    before, _, after = three
    token = "</s>" if before.token_to_id("</s>") else "<|end|>"

    assert before.token_to_id(token) in after.encode(f"회의{token}회의").ids


@given(st.text())
def test_every_text_comes_back_from_a_byte_level_base(text):
    """Whatever was merged."""
    assert LLAMA3.decode(LLAMA3.encode(text).ids, skip_special_tokens=False) == text


@pytest.fixture(scope="module", autouse=True)
def _llama3(tmp_path_factory):
    global LLAMA3
    LLAMA3 = extended("llama3", tmp_path_factory.mktemp("llama3"))[2]


def test_what_was_made_is_a_faultless_file(three, tmp_path):
    """Read again, with nothing to be said; and it can be extended once more."""
    _, made, _ = three
    (tmp_path / "tokenizer.json").write_text(json.dumps(made.content), "utf-8")

    base = tokenizer_file.read(tmp_path)
    more = extending.extend(base, words_of(base, ["ㅋㅋㅋㅋㅋㅋ"] * 9), ExtensionSettings(add=4, min_count=1))

    assert base.warnings == []
    assert more.base_size == made.size


def test_frequent_characters_come_first(tmp_path):
    """A base with stand-in bytes gets characters by their frequency until they cover enough; the rare stay bytes."""
    _, made, after = extended("llama2", tmp_path, add=200, character_coverage=0.98)
    first = [
        token
        for token, n in after.get_vocab().items()
        if made.base_size <= n < made.base_size + made.characters
    ]

    assert all(len(token) == 1 for token in first)
    assert "의" in first
    assert after.encode("뷁").tokens == ["▁", "<0xEB>", "<0xB7>", "<0x81>"]
    assert not any("<0x" in left + right for left, right in made.content["model"]["merges"])


def test_merges_go_on_as_a_longer_training_would(tmp_path):
    """A byte-level base extended on its own text gets the merges that its trainer would have found next."""
    before, made, _ = extended("gpt2", tmp_path, add=20, texts=ENGLISH, multiple=1)
    longer = tokenizers.Tokenizer(tokenizers.models.BPE())
    longer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=320, show_progress=False, initial_alphabet=alphabet)
    longer.train_from_iterator(ENGLISH, trainer)

    assert before.get_vocab_size() == 302
    assert made.content["model"]["merges"] == json.loads(longer.to_str())["model"]["merges"]


def test_nothing_to_learn(tmp_path):
    """Text that the base knows in whole tokens, or none."""
    with pytest.raises(ChejilError, match="nothing to learn"):
        extended("gpt2", tmp_path, texts=["a"])
    with pytest.raises(ChejilError, match="nothing to learn"):
        extended("gpt2", tmp_path, texts=[])


def test_a_base_that_cuts_in_another_way_is_refused(tmp_path):
    """With the ways that can be extended."""
    model = byte_level_base(True)
    steps = [tokenizers.pre_tokenizers.Digits(), tokenizers.pre_tokenizers.ByteLevel(use_regex=False)]
    model.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(steps)
    model.save(str(tmp_path / "tokenizer.json"))

    with pytest.raises(ChejilError, match="Digits and ByteLevel"):
        base_words.pattern_of(tokenizer_file.read(tmp_path))
