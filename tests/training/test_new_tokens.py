"""A model goes on under a tokenizer that was extended: of each new token the old ones that spelt it."""

import json
import random
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

tokenizers = pytest.importorskip("tokenizers")

sys.path[:0] = [str(Path(__file__).parents[1] / "tokenizer"), str(Path(__file__).parents[1])]
from bases_to_extend import BASES, extended, words_of  # noqa: E402
from conftest import prose  # noqa: E402

from chejil.errors import ChejilError  # noqa: E402
from chejil.tokenizer.files import byte_alphabet, tokenizer_file  # noqa: E402
from chejil.tokenizer.merging import extending  # noqa: E402
from chejil.tokenizer.merging.extending import ExtensionSettings  # noqa: E402
from chejil.training.modelling import llama as models  # noqa: E402
from chejil.training.modelling import model_sizes  # noqa: E402
from chejil.training.modelling.model_sizes import ModelSize  # noqa: E402
from chejil.training.modelling.new_tokens import new_pieces  # noqa: E402

TINY = {"layers": 1, "hidden": 32, "heads": 2, "ffn": 48, "context_tokens": 256}


pytestmark = pytest.mark.usefixtures("one_thread")


def made(vocab, seed=1, **fields):
    size = ModelSize(**{**TINY, **fields}, vocab=vocab)
    return models.materialise(models.shape_of(size), seed, "cpu")


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
        return [
            old_ids[f"<0x{byte:02X}>"] for byte in token.encode()
        ]  # a new character of a base like Llama 2

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

    with pytest.raises(ChejilError, match=r"another tokenizer than that of .* tokens differ") as caught:
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


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """The folder of a model that has learnt some prose; its tokenizer, one of 64 tokens more, and more prose."""
    folder, rng = tmp_path_factory.mktemp("learnt"), random.Random(1)
    documents = [prose(rng, language) for _ in range(100) for language in ("ko", "en")]
    level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    before = tokenizers.Tokenizer(tokenizers.models.BPE())
    before.pre_tokenizer = level
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=900, show_progress=False, initial_alphabet=level.alphabet()
    )
    before.train_from_iterator(documents, trainer)
    before.save(str(folder / "tokenizer.json"))
    base = tokenizer_file.read(folder)
    settings = ExtensionSettings(add=64, min_count=1, multiple=1)
    more = extending.extend(base, words_of(base, documents), settings)
    after = folder / "after.json"
    after.write_text(json.dumps(more.content), "utf-8")
    trained(made(900, hidden=64, context_tokens=512), before, documents).save_pretrained(folder)
    return str(folder), before, str(after), prose(rng, "ko")


def trained(model, tokenizer, documents, steps=200):
    ids = torch.tensor([number for text in documents for number in tokenizer.encode(text).ids])
    rows = ids[: len(ids) // 128 * 128].view(-1, 128)
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        batch = rows[torch.randint(0, len(rows), (8,), generator=generator)]
        optimiser.zero_grad()
        model(batch, labels=batch, use_cache=False).loss.backward()
        optimiser.step()
    return model


def nats_per_byte(model, tokenizer, text):
    ids = torch.tensor([tokenizer.encode(text).ids])
    with torch.no_grad():
        return model(ids, labels=ids, use_cache=False).loss.item() * (ids.shape[1] - 1) / len(text.encode())


def test_old_ids_have_the_logits_that_they_had(learnt):
    """Bit for bit; what is new stands behind them."""
    folder, before, after, text = learnt
    model, ids = models.load(folder), torch.tensor([before.encode(text).ids])

    grown = models.load(folder, grown_size(folder), new_pieces(folder, after))

    with torch.no_grad():
        assert torch.equal(grown(ids, use_cache=False).logits[..., :900], model(ids, use_cache=False).logits)


def grown_size(folder):
    return model_sizes.size_of_folder(folder).model_copy(update={"vocab": 964})


def test_the_first_loss_is_near_the_last_one(learnt):
    """Rows that are random, or the mean of all rows, lose more than twice as much; a new model has learnt nothing."""
    folder, before, after, text = learnt
    size, longer = grown_size(folder), tokenizers.Tokenizer.from_file(after)
    anew = models.load(folder, size)
    with torch.no_grad():
        for rows in matrices(anew):
            rows[900:].normal_(0, 0.02, generator=torch.Generator().manual_seed(1))

    known = nats_per_byte(models.load(folder), before, text)
    means = nats_per_byte(models.load(folder, size, new_pieces(folder, after)), longer, text)
    mean = nats_per_byte(models.load(folder, size), longer, text)
    random_rows = nats_per_byte(anew, longer, text)
    fresh = nats_per_byte(models.materialise(models.shape_of(size), 2, "cpu"), longer, text)

    assert known < means < fresh
    assert means - known < 0.5 * min(mean - known, random_rows - known), (known, means, mean, random_rows)
    assert means - known < 0.25 * (fresh - known)
