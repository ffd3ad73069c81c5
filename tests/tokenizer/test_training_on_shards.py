"""On real documents, with every named pattern: count, merge and write give what Hugging Face's own training gives."""

import gzip
import json

import pytest
import tokenizers

from chejil.curation.progress import Silent
from chejil.tokenizer.counting import counting, word_source
from chejil.tokenizer.files import tokenizer_file
from chejil.tokenizer.merging import training
from chejil.tokenizer.merging.training import TrainingSettings
from chejil.tokenizer.pretokens import patterns

MERGES = 2000
CHARS = 150_000


def documents(folder, left):
    """The first documents of the first shard, up to so many characters."""
    with gzip.open(sorted(folder.glob("*.json.gz"))[0], "rt", encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            left -= len(text)
            yield text
            if left < 0:
                return


@pytest.fixture(scope="module")
def texts(corpus):
    return [text for name in ("mc4-ko", "c4-en") for text in documents(corpus / name, CHARS)]


@pytest.mark.corpus
@pytest.mark.parametrize("name", list(patterns.named()))
def test_training_equals_that_of_hugging_face(texts, tmp_path, name):
    """Merge for merge, with the same ids."""
    settings = TrainingSettings(vocab_sizes=(MERGES + 260,), pattern=name, min_count=1)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (tmp_path / "texts.jsonl").write_text(lines, "utf-8")

    paths = [str(tmp_path / "texts.jsonl")]
    words = word_source.count(
        paths, patterns.pattern(name), str(tmp_path), 1, counting.Settings(), Silent()
    ).words
    training.train(words, str(tmp_path / "ours"), settings)
    ours = tokenizer_file.read(tmp_path / "ours")
    theirs = json.loads(hugging_face(texts, name, settings).to_str())["model"]

    assert ours.merges == [tuple(pair) for pair in theirs["merges"]]
    assert theirs["vocab"].items() <= ours.vocabulary.items()


def hugging_face(texts, name, settings):
    pre, model = tokenizers.pre_tokenizers, tokenizers.Tokenizer(tokenizers.models.BPE())
    split = pre.Split(tokenizers.Regex(patterns.pattern(name).regex), "isolated")
    model.pre_tokenizer = pre.Sequence([split, pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=settings.vocab_sizes[0], show_progress=False,
        initial_alphabet=pre.ByteLevel.alphabet(), special_tokens=list(settings.special_tokens),
    )  # fmt: skip
    model.train_from_iterator(texts, trainer)
    return model
