"""A tokenizer for tests: a small byte-level BPE with the pattern of GPT-2, or one whose tokens are words."""

import pytest


def write_word_tokenizer(folder):
    """A tokenizer.json whose tokens are what white space parts; its path."""
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return saved(model, folder)


def write_byte_tokenizer(folder, texts, size=400):
    """The tokenizer.json of a byte-level BPE that was trained on some texts; its path."""
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator(texts, trainer)
    return saved(model, folder)


def saved(model, folder):
    """The path of a tokenizer that was written into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    model.save(str(path))
    return str(path)
