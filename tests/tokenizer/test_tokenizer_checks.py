"""A tokenizer.json with one thing wrong is a clear error wherever one is read: encode, measure, extend."""

import json

import pytest

from chejil.errors import ChejilError
from chejil.tokenizer.encoding.encoder import Encoder
from chejil.tokenizer.files import byte_level, tokenizer_file
from chejil.tokenizer.measuring import opening
from chejil.tokenizer.merging import base_words

from .tiny_tokenizers import content, syllable

READERS = {
    "encode": lambda path: Encoder(path),
    "measure": opening.open_tokenizer,
    "extend": lambda path: base_words.pattern_of(tokenizer_file.read(path)),
}
ADDED = {"id": 300, "content": "<x>", "special": True}


def put(*keys_and_value):
    """Sets what stands at some keys."""
    *keys, last, value = keys_and_value

    def change(made):
        for key in keys:
            made = made[key]
        made[last] = value

    return change


def lose(*keys):
    """Takes out what stands at some keys."""

    def change(made):
        for key in keys[:-1]:
            made = made[key]
        del made[keys[-1]]

    return change


def more(*keys_and_value):
    """Adds to the list at some keys."""
    *keys, value = keys_and_value

    def change(made):
        for key in keys:
            made = made[key]
        made.append(value)

    return change


STEP = ("pre_tokenizer", "pretokenizers", 0)
CORRUPT = {
    "no model": (lose("model"), "no model with a vocabulary"),
    "model a list": (put("model", []), "no model with a vocabulary"),
    "no vocabulary": (lose("model", "vocab"), "no model with a vocabulary"),
    "vocabulary of numbers": (put("model", "vocab", [1]), "no pair of a token and a number: 1"),
    "type a list": (put("model", "type", []), "whose type is no name"),
    "added an object": (put("added_tokens", {"a": 1}), "added_tokens are no list"),
    "added a text": (more("added_tokens", "<x>"), "no objects: <x>"),
    "added without id": (lose("added_tokens", 0, "id"), "without id"),
    "added id a text": (put("added_tokens", 0, "id", "0"), "without id"),
    "added id a list": (put("added_tokens", 0, "id", [0]), "without id"),
    "added without content": (lose("added_tokens", 0, "content"), "without content"),
    "added content a number": (put("added_tokens", 0, "content", 7), "without content"),
    "added without special": (lose("added_tokens", 0, "special"), "without special"),
    "added id taken": (put("added_tokens", 0, "id", 20), "whose id is another token's"),
    "added another id": (put("added_tokens", 0, "id", 300), "another id in the model"),
    "added id twice": (more("added_tokens", {**ADDED, "id": 0}), "whose id stands there twice: 0"),
    "added content twice": (more("added_tokens", {**ADDED, "content": "<|endoftext|>"}), "content stands there twice"),
    "id a text": (put("model", "vocab", "a", "3"), "a without a whole number"),
    "id a fraction": (put("model", "vocab", "a", 3.5), "a without a whole number"),
    "id true": (put("model", "vocab", "a", True), "a without a whole number"),
    "id below 0": (put("model", "vocab", "a", -1), "a without a whole number"),
    "id far out": (put("model", "vocab", "a", 1 << 40), "a without a whole number"),
    "id beyond 64 bits": (put("model", "vocab", "a", 1 << 70), "a without a whole number"),
    "id twice": (put("model", "vocab", "a", 5), "ids that two tokens have"),
    "merges an object": (put("model", "merges", {"a": "b"}), "merges are no list"),
    "merge of one part": (more("model", "merges", ["a"]), "no pair"),
    "merge of one word": (more("model", "merges", "ab"), "no pair"),
    "merge of three words": (more("model", "merges", "a b c"), "no pair"),
    "merge of numbers": (more("model", "merges", [1, 2]), "no pair"),
    "merge a number": (more("model", "merges", 5), "no pair"),
    "merge null": (more("model", "merges", None), "no pair"),
    "merge of unknown parts": (more("model", "merges", ["뷁", "a"]), "not in the vocabulary: 뷁 a"),
    "merge without its token": (more("model", "merges", ["a", "b"]), "not in the vocabulary: a b"),
    "merge twice": (lambda made: made["model"]["merges"].extend(made["model"]["merges"][:1]), "there twice"),
    "cutter a text": (put("pre_tokenizer", "ByteLevel"), "pre_tokenizer is nothing with a type"),
    "cutter without type": (lose("pre_tokenizer", "type"), "pre_tokenizer is nothing with a type"),
    "sequence without steps": (lose("pre_tokenizer", "pretokenizers"), "without a list of pretokenizers"),
    "step a text": (put(*STEP, "Split"), "a step of the pre_tokenizer"),
    "step without type": (lose(*STEP, "type"), "a step of the pre_tokenizer"),
    "split without pattern": (lose(*STEP, "pattern"), "Split without a pattern"),
    "split pattern a text": (put(*STEP, "pattern", "a"), "Split without a pattern"),
    "split pattern null": (put(*STEP, "pattern", {"Regex": None}), "Split without a pattern"),
    "split without behavior": (lose(*STEP, "behavior"), "Split without a behavior"),
    "no regex": (put(*STEP, "pattern", {"Regex": "("}), "(?i)regex|pattern"),
    "normaliser a text": (put("normalizer", "NFC"), "normalizer is nothing with a type"),
    "decoder a list": (put("decoder", []), "decoder is nothing with a type"),
}  # fmt: skip


def written(folder, change=None):
    """The path of a tokenizer.json, whole or with a change."""
    made = content(syllable("항"))  # of "harbour"
    if change is not None:
        change(made)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(made), "utf-8")
    return str(path)


@pytest.mark.parametrize("reader", READERS)
def test_a_whole_file_is_read(reader, tmp_path):
    """Else the other test shows nothing."""
    READERS[reader](written(tmp_path))


@pytest.mark.parametrize("name", CORRUPT)
@pytest.mark.parametrize("reader", READERS)
def test_one_change_is_a_named_error(reader, name, tmp_path):
    """With the file, and what to do."""
    change, said = CORRUPT[name]
    with pytest.raises(ChejilError, match=said) as error:
        READERS[reader](written(tmp_path, change))
    assert error.value.mend


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"model": {"vocab": {"a": 1, "a": 2}}}', "'a' stands there twice"),
        (b"[" * 100_000, "not JSON"),
        (b"[" * 1000 + b"]" * 1000, "not JSON|no tokenizer"),
        (b"\xff\xfe", "not JSON"),
        (b'{"model": {"vocab": {"\\ud800": 1}}}', "not JSON"),
    ],
)
def test_what_is_no_json_is_a_named_error(reader, text, said, tmp_path):
    """A key twice, endless brackets, another encoding, half a surrogate."""
    (tmp_path / "tokenizer.json").write_bytes(text)
    with pytest.raises(ChejilError, match=said):
        READERS[reader](str(tmp_path))


def test_ids_of_a_list_are_counted(tmp_path):
    """Unigram has its tokens as a list; without that ids above 65,535 would be cut to 16 bits."""
    model = {"type": "Unigram", "vocab": [["a", -1.0], ["b", -2.0], ["c", -2.5]]}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}))
    assert byte_level.read(str(tmp_path)).num_ids == 3
