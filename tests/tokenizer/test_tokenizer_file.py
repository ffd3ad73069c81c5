"""A tokenizer's folder is read by transformers, gives every text back, and a faulty file is told by its faults."""

import json

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chejil.errors import ChejilError
from chejil.tokenizer.files import byte_alphabet, tokenizer_file, tokenizer_folder
from chejil.tokenizer.files.tokenizer_folder import FolderSettings

REGEX = r" ?\p{L}+| ?[^\s\p{L}]+|\s+(?!\S)|\s+"
SPECIAL = FolderSettings().special_tokens
# " the", and the syllable of "han" in three bytes
MERGES = [(b" ", b"t"), (b" t", b"h"), (b" th", b"e"), (b"\xed", b"\x95"), (b"\xed\x95", b"\x9c")]


def content(multiple=16):
    size = len(SPECIAL) + 256 + len(MERGES)
    reserved = tokenizer_folder.reserved_tokens(size, multiple, SPECIAL)
    return tokenizer_file.document(SPECIAL, MERGES, REGEX, reserved)


def theirs(made):
    return tokenizers.Tokenizer.from_str(json.dumps(made))


THEIRS = theirs(content())


@given(st.text())
def test_every_text_comes_back(text):
    """Hangul in any form, broken emoji, control characters, and what is written like a special token."""
    for one in (text, text + "<|im_end|> the 한"):
        assert THEIRS.decode(THEIRS.encode(one).ids, skip_special_tokens=False) == one


def test_every_byte_has_a_token():
    """Bytes that are no valid UTF-8 come back by their ids."""
    for byte in range(256):
        number = THEIRS.token_to_id(byte_alphabet.CHARS[byte])

        assert number == len(SPECIAL) + byte_alphabet.ORDER.index(byte)
        assert byte_alphabet.read(THEIRS.id_to_token(number)) == bytes([byte])


def test_ids_stand_in_the_order_that_is_promised():
    """Special tokens, bytes, merges, reserved tokens up to the multiple."""
    assert THEIRS.encode("<|endoftext|> the한").ids == [0, 262, 264]
    assert THEIRS.get_vocab_size() == 272
    assert THEIRS.id_to_token(265) == "<|reserved_0|>"
    assert THEIRS.id_to_token(271) == "<|reserved_6|>"
    assert sorted(THEIRS.get_vocab().values()) == list(range(272))


def test_a_reserved_name_that_is_taken_is_passed_over():
    """A special token may be called like one of them."""
    assert tokenizer_folder.reserved_tokens(6, 8, ["<|reserved_0|>"]) == ["<|reserved_1|>", "<|reserved_2|>"]


def test_transformers_reads_the_folder(tmp_path):
    """AutoTokenizer finds roles, length and template, and marks what the assistant says."""
    transformers = pytest.importorskip("transformers")
    tokenizer_folder.write(
        str(tmp_path), content(), FolderSettings(model_max_length=2048), {"pattern": "test"}
    )
    chat = [
        {"role": "user", "content": "the 한"},
        {"role": "assistant", "content": "한 the"},
        {"role": "user", "content": "the"},
    ]

    found = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    text = found.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    marked = found.apply_chat_template(chat, return_assistant_tokens_mask=True, return_dict=True)
    said = [
        number for number, mask in zip(marked["input_ids"], marked["assistant_masks"], strict=True) if mask
    ]

    assert (found.eos_token, found.pad_token, found.bos_token) == ("<|endoftext|>", "<|pad|>", None)
    assert found.all_special_tokens[:2] == ["<|endoftext|>", "<|pad|>"]
    assert {"<|im_start|>", "<|im_end|>"} <= set(found.all_special_tokens)
    assert found.model_max_length == 2048
    assert len(found) == 272
    assert found.decode(found("한 the\n 한")["input_ids"]) == "한 the\n 한"
    assert text == (
        "<|im_start|>user\nthe 한<|im_end|>\n<|im_start|>assistant\n한 the<|im_end|>\n"
        "<|im_start|>user\nthe<|im_end|>\n<|im_start|>assistant\n"
    )
    assert found.decode(said) == "한 the<|im_end|>"


def test_the_folder_is_read_by_the_class_of_older_versions(tmp_path):
    """PreTrainedTokenizerFast by name."""
    transformers = pytest.importorskip("transformers")
    tokenizer_folder.write(str(tmp_path), content(), FolderSettings(chat_template=None), {})

    found = transformers.PreTrainedTokenizerFast.from_pretrained(str(tmp_path))

    assert found("the")["input_ids"]
    assert found.chat_template is None


def test_the_manifest_names_every_file_and_its_hash(tmp_path):
    """Two writings give the same bytes; a template that is left out later is removed."""
    first = tokenizer_folder.write(str(tmp_path / "a"), content(), FolderSettings(), {"words": "x"})
    again = tokenizer_folder.write(str(tmp_path / "b"), content(), FolderSettings(), {"words": "x"})
    tokenizer_folder.write(str(tmp_path / "b"), content(), FolderSettings(chat_template=None), {})

    assert first == again
    assert first["words"] == "x"
    assert set(first["files"]) == {path.name for path in (tmp_path / "a").iterdir()} - {
        "tokenizer_manifest.json"
    }
    assert not (tmp_path / "b" / "chat_template.jinja").exists()


def test_what_was_written_is_read(tmp_path):
    """Reading is the inverse of writing."""
    tokenizer_folder.write(str(tmp_path), content(), FolderSettings(), {})

    found = tokenizer_file.read(tmp_path, required=SPECIAL)

    assert found.merges[0] == ("Ġ", "t")
    assert found.size == 272
    assert found.special_tokens[:4] == list(SPECIAL)
    assert found.kind == "byte_level"
    assert found.warnings == []


def without(token):
    def change(made):
        del made["model"]["vocab"][token]

    return change


def set_id(token, number):
    def change(made):
        made["model"]["vocab"][token] = number

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("Ġth"), "merges whose tokens are not in the vocabulary: Ġt h, Ġth e"),
        (without("a"), "1 of the 256 bytes are no tokens"),
        (set_id("Ġth", 262), "ids that two tokens have: Ġth = Ġthe = 262"),
        (set_id("Ġth", -4), "without a whole number as id"),
        (set_id("Ġth", "4"), "without a whole number as id"),
        (lambda made: made["added_tokens"][0].update(id=262), "added tokens whose id is another token's"),
        (lambda made: made["model"]["merges"].append(["Ġ", "t"]), "merges that stand there twice: Ġ t"),
        (lambda made: made["model"]["merges"].append(["Ġ"]), "merges that are no pair"),
        (lambda made: made["model"].update(type="WordPiece"), "the model is WordPiece, not BPE"),
        (
            lambda made: made["model"].update(type="Unigram", vocab=[["a", -1.0]]),
            "the model is Unigram, not BPE",
        ),
        (lambda made: made.pop("model"), "no model with a vocabulary"),
        (lambda made: made["added_tokens"].pop(0), r"no special token <\|endoftext\|>"),
    ],
)
def test_a_faulty_file_is_told_by_its_fault(tmp_path, change, message):
    """Each names what is wrong, where, and what to do."""
    made = content()
    change(made)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(made), "utf-8")

    with pytest.raises(ChejilError, match=message) as error:
        tokenizer_file.read(path, required=["<|endoftext|>"])

    assert error.value.where == str(path)
    assert error.value.mend


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b'{"model": {"vocab"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"model": {"vocab": {"a": 1, "b": 2, "a": 3}}}', "'a' stands there twice"),
    ],
)
def test_what_is_no_json_is_told(tmp_path, text, message):
    """A torn file, another encoding, a key twice."""
    (tmp_path / "tokenizer.json").write_bytes(text)

    with pytest.raises(ChejilError, match=message):
        tokenizer_file.read(tmp_path)


def test_no_file_at_all(tmp_path):
    """A folder without one."""
    with pytest.raises(ChejilError, match="no tokenizer"):
        tokenizer_file.read(tmp_path)


def test_holes_are_a_warning(tmp_path):
    """Ids that no token has waste rows, and harm nothing."""
    made = content()
    made["model"]["vocab"]["zz"] = 275
    (tmp_path / "tokenizer.json").write_text(json.dumps(made), "utf-8")

    assert tokenizer_file.read(tmp_path).warnings == ["ids without a token: 272, 273, 274"]


def test_merges_of_the_older_form_are_read(tmp_path):
    """One string a merge."""
    made = content()
    made["model"]["merges"] = [" ".join(pair) for pair in made["model"]["merges"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(made), "utf-8")

    assert tokenizer_file.read(tmp_path).merges[1] == ("Ġt", "h")


@pytest.mark.parametrize("tokens", [("<a>", "<b>", "<a>"), ("",), (" ",), ("a",), ("Ġ",)])
def test_special_tokens_must_be_apart(tokens):
    """Twice the same, nothing, or what is written like a byte."""
    with pytest.raises(ValidationError):
        FolderSettings(special_tokens=tokens)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"roles": {"eos": "</s>"}}, "the eos token </s> is no special token"),
        ({"roles": {"pad": "<|pad|>"}}, "no eos token"),
        ({"special_tokens": ("<|endoftext|>", "<|pad|>")}, r"its token <\|im_start\|> is no special token"),
        ({"chat_template": "chatlm"}, "no chat template 'chatlm'"),
    ],
)
def test_roles_and_template_name_special_tokens(settings, message):
    """What would fail in the training fails here."""
    with pytest.raises(ChejilError, match=message):
        tokenizer_folder.require_roles(FolderSettings(**settings))


def test_the_defaults_are_in_order():
    """What is written when nothing is said."""
    tokenizer_folder.require_roles(FolderSettings())
