"""A model goes on under a tokenizer that was extended: of each new token the old ones that spelt it."""

import json
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

sys.path.insert(0, str(Path(__file__).parents[1] / "tokenizer"))
from bases_to_extend import BASES, ENGLISH, KOREAN, extended  # noqa: E402

from chejil.errors import ChejilError  # noqa: E402
from chejil.tokenizer.files import byte_alphabet, tokenizer_file  # noqa: E402
from chejil.training.modelling import llama as models  # noqa: E402
from chejil.training.modelling.model_sizes import ModelSize  # noqa: E402
from chejil.training.modelling.new_tokens import new_pieces  # noqa: E402

TINY = {"layers": 1, "hidden": 32, "heads": 2, "ffn": 48, "context_tokens": 256}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Models this small only wait for one another's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(vocab, seed=1, **fields):
    return models.materialise(models.shape_of(ModelSize(**TINY, vocab=vocab, **fields)), seed, "cpu")


def two(tmp_path, name, rows=None, **settings):
    """A model's folder with its tokenizer, and the folder of the tokenizer that extends it."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    before, extension, after = extended(name, old, **settings)
    made(rows or before.get_vocab_size()).save_pretrained(old)
    (new / "tokenizer.json").write_text(json.dumps(extension.content), "utf-8")
    return str(old), str(new), before, after


def expanded(content, old_ids):
    """The reference: a merge's token is spelt by its two parts, and so on down to what the old tokenizer has."""
    ids, parts = content["model"]["vocab"], {}
    for left, right in content["model"]["merges"]:
        parts.setdefault(left + right, (left, right))

    def spelt(token):
        if token in old_ids:
            return [ids[token]]
        if token in parts:
            return [piece for part in parts[token] for piece in spelt(part)]
        return [old_ids[f"<0x{byte:02X}>"] for byte in token.encode()]  # a new character of a base like Llama 2

    special = {row["id"] for row in content["added_tokens"]}
    new = {token: number for token, number in ids.items() if number not in old_ids.values()}
    return {number: spelt(token) for token, number in new.items() if number not in special}


@pytest.mark.parametrize("name", list(BASES))
def test_pieces_are_what_merges_are_made_of(tmp_path, name):
    """Reserved tokens, which spell nothing, have none."""
    old, new, before, _ = two(tmp_path, name)
    content = json.loads((tmp_path / "new" / "tokenizer.json").read_text("utf-8"))
    expected = expanded(content, before.get_vocab())

    assert new_pieces(old, new) == expected
    assert len(expected) == 60


@pytest.mark.parametrize("name", ["gpt2", "llama3"])
def test_tokens_that_are_parts_of_characters_keep_their_bytes(tmp_path, name):
    """Decoding to text would make U+FFFD of them."""
    old, new, _, _ = two(tmp_path, name)
    names = {
        n: byte_alphabet.read(token)
        for token, n in tokenizer_file.read(tmp_path / "new").vocabulary.items()
        if not token.startswith("<|")
    }

    pieces = new_pieces(old, new)

    for number, ids in pieces.items():
        assert b"".join(names[one] for one in ids) == names[number]
    parts = [number for number in pieces if "\ufffd" in names[number].decode("utf-8", "replace")]
    assert parts, "the extension has learnt no part of a character: the test is no test"


def test_the_same_tokenizer_has_no_pieces(tmp_path):
    """However its JSON is laid out, and whatever template stands around its ids."""
    old, _, _, _ = two(tmp_path, "llama3")
    content = json.loads((tmp_path / "old" / "tokenizer.json").read_text("utf-8"))
    processor = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    (tmp_path / "same.json").write_text(json.dumps({**content, "post_processor": processor}, indent=7))

    assert new_pieces(old, str(tmp_path / "same.json")) == {}


def test_a_word_that_was_added_as_it_stands_has_pieces(tmp_path):
    """As transformers' add_tokens adds it: found in the text, no part of the model; a special one spells nothing."""
    old, _, before, _ = two(tmp_path, "gpt2")
    tokenizer = transformers.AutoTokenizer.from_pretrained(old)
    tokenizer.add_tokens(["회의 ferry"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|new|>"]})
    tokenizer.save_pretrained(tmp_path / "added")

    pieces = new_pieces(old, str(tmp_path / "added"))

    assert list(pieces) == [before.get_vocab_size()]
    spelt = "".join(before.id_to_token(one) for one in pieces[before.get_vocab_size()])
    assert byte_alphabet.read(spelt) == "회의 ferry".encode()


def test_rows_that_padded_the_vocabulary_become_tokens(tmp_path):
    """The model has more rows than its tokenizer ids; new ids take them first, and then new rows."""
    old, new, before, after = two(tmp_path, "gpt2", rows=320)
    pieces = new_pieces(old, new)
    first, size = before.get_vocab_size(), after.get_vocab_size()

    grown = models.load(old, ModelSize(**TINY, vocab=size), pieces)

    model = models.load(old)
    assert first < 320 < max(pieces) < size
    for number, ids in pieces.items():
        for grown_rows, rows in zip(matrices(grown), matrices(model), strict=True):
            torch.testing.assert_close(grown_rows[number], rows[ids].mean(0))
    for grown_rows, rows in zip(matrices(grown), matrices(model), strict=True):
        assert torch.equal(grown_rows[:first], rows[:first])


def matrices(model):
    return model.model.embed_tokens.weight, model.lm_head.weight


def test_all_new_tokens_may_fit_into_the_padding(tmp_path):
    old, new, _, _ = two(tmp_path, "gpt2", rows=512)

    grown, model = models.load(old, None, pieces := new_pieces(old, new)), models.load(old)

    number, ids = next(iter(pieces.items()))
    assert grown.config.vocab_size == 512
    torch.testing.assert_close(matrices(grown)[1][number], matrices(model)[1][ids].mean(0))


def test_a_model_without_rows_for_the_new_tokens_is_refused(tmp_path):
    old, new, _, _ = two(tmp_path, "gpt2")

    with pytest.raises(ChejilError, match=r"the tokenizer has 362 ids, the model 302 rows") as caught:
        models.load(old, None, new_pieces(old, new))
    assert "model.vocab" in str(caught.value)


def test_ids_of_the_tokenizer_that_have_no_row_are_no_pieces(tmp_path):
    """Special tokens were added, the model was not grown: as some folders are published."""
    old, new, before, after = two(tmp_path, "llama3", rows=280)

    pieces = new_pieces(old, new)

    assert before.get_vocab_size() > 280
    assert max(max(ids) for ids in pieces.values()) < 280
    assert models.load(old, ModelSize(**TINY, vocab=after.get_vocab_size()), pieces)


def test_another_tokenizer_is_refused(tmp_path):
    old, _, _, _ = two(tmp_path, "gpt2")
    BASES["llama2"]().save(str(tmp_path / "other.json"))

    with pytest.raises(ChejilError, match="another tokenizer than that of .* tokens differ") as caught:
        new_pieces(old, str(tmp_path / "other.json"))
    assert "chejil tokenizer extend" in str(caught.value)


def test_the_order_of_model_and_tokenizer_matters(tmp_path):
    """Back to the smaller tokenizer there is no way: the model's ids would have no token."""
    old, new, _, _ = two(tmp_path, "gpt2")
    made(500).save_pretrained(new)

    with pytest.raises(ChejilError, match="another tokenizer"):
        new_pieces(new, old)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    made(300).save_pretrained(tmp_path / "bare")

    with pytest.raises(ChejilError, match=r"no tokenizer\.json beside the model") as caught:
        new_pieces(str(tmp_path / "bare"), str(tmp_path))
    assert "AutoTokenizer" in str(caught.value)


def loss_per_byte(model, tokenizer, text):
    ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False).ids])
    with torch.no_grad():
        return model(ids, labels=ids, use_cache=False).loss.item() * (ids.shape[1] - 1) / len(text.encode())


def trained(folder, tokenizer, texts, steps=150):
    """A model that has learnt some lines, saved into the folder."""
    model = made(tokenizer.get_vocab_size())
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    ids = torch.tensor([tokenizer.encode(" ".join(texts), add_special_tokens=False).ids[:250]])
    for _ in range(steps):
        optimiser.zero_grad()
        model(ids, labels=ids, use_cache=False).loss.backward()
        optimiser.step()
    model.save_pretrained(folder)
    return model


def test_a_model_goes_on_where_it_was(tmp_path):
    """Old ids have the logits that they had, bit for bit; new ones begin near what the model knew, not at random."""
    old, new, before, after = two(tmp_path, "gpt2")
    text, size = KOREAN[0], ModelSize(**TINY, vocab=after.get_vocab_size())
    model = trained(old, before, [KOREAN[0], ENGLISH[0]])

    means, mean = models.load(old, size, new_pieces(old, new)), models.load(old, size)
    random = models.load(old, size)
    torch.manual_seed(1)
    with torch.no_grad():
        for rows in matrices(random):
            rows[before.get_vocab_size() :].normal_(0, 0.02)

    ids = torch.tensor([before.encode(text).ids])
    with torch.no_grad():
        same = means(ids, use_cache=False).logits[..., : before.get_vocab_size()]
        assert torch.equal(same, model(ids, use_cache=False).logits)
    known = loss_per_byte(model, before, text)
    losses = {
        name: loss_per_byte(one, after, text)
        for name, one in (("means", means), ("mean", mean), ("random", random))
    }
    print(known, losses)
    assert known < 0.1
    assert losses["means"] < known + 1.5 < losses["random"]
    assert losses["means"] < losses["mean"]
