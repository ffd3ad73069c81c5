"""Small tokenizers for the tests of encoding, trained by `tokenizers` on texts of ours."""

import random

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from chejil.tokenizer.pretokens import patterns

# "The ferry leaves at 7:30 from the old harbour", "in the market 3 kg of mackerel cost 12,000 won", "we'll wait"
SENTENCES = (
    "여객선은 오전 7시 30분에 낡은 항구에서 떠난다.",
    "시장에서 고등어 3kg은 12,000원입니다. 그래서 우리는 기다렸다…",
    "학교 지붕이 새서 아이들이 도서관(圖書館)으로 옮겼다.\n\n  비가 왔다.",
    "The ferry leaves at 7:30 from the old harbour; we'll wait there.\r\n",
    "They're mending the roof of the school, and it'S DONE.\tdef f(x):\n        return x ** 2\n",
    "A kilo of mackerel costs 12000 won at the market — isn't that dear? 🐟🐟",
)
SPECIAL = ("<|endoftext|>", "<|pad|>")


def training_texts():
    rng = random.Random(5)
    words = [word for sentence in SENTENCES for word in sentence.split(" ")]
    return [*SENTENCES, *(" ".join(rng.choices(words, k=40)) for _ in range(60))]


def trained(pattern="gpt4", size=900, **model):
    """A tokenizer of `tokenizers` with one of our patterns, in the layout that `chejil tokenizer train` writes."""
    made = Tokenizer(models.BPE(**model))
    split = pre_tokenizers.Split(Regex(patterns.pattern(pattern).regex), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level()])
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(training_texts(), trainer)
    return made


def byte_level():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def saved(tokenizer, folder):
    """Its file; texts are never read as special tokens from here on."""
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    tokenizer.encode_special_tokens = True
    return str(path)


def with_normaliser():
    made = trained()
    made.normalizer = normalizers.NFC()
    return made


def with_added_token():
    made = trained()
    made.add_tokens(["항구"])  # harbour
    return made


def with_own_pattern():
    made = trained()
    split = pre_tokenizers.Split(Regex(r"\w+|\W"), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level()])
    return made


def with_ignored_merges():
    made = trained()
    made.model.ignore_merges = True
    return made
