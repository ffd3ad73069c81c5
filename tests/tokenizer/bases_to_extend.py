"""Small tokenizers as GPT-2, Llama 3 and Llama 2 have them; and one that was extended."""

import collections
import json

import tokenizers

from chejil.tokenizer.counting.word_counts import WordCounts
from chejil.tokenizer.files import tokenizer_file
from chejil.tokenizer.merging import base_words, extending
from chejil.tokenizer.merging.extending import ExtensionSettings

ENGLISH = ["the council met in the old hall, and the members talked for two hours about the ferry"] * 4
# "the council met in the hall by the harbour; members talked about the ferry", a rare syllable, Hanja
KOREAN = ["시의회는 항구 옆 회관에서 회의를 열었다. 의원들은 여객선을 두고 이야기했다."] * 4 + ["뷁 大韓"]
GPT4 = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def byte_level_base(split):
    """As GPT-2 (split=False) or Llama 3: special tokens stand above the vocabulary, unknown to the model."""
    model = tokenizers.Tokenizer(tokenizers.models.BPE(ignore_merges=split))
    level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not split)
    steps = [tokenizers.pre_tokenizers.Split(tokenizers.Regex(GPT4), "isolated")] if split else []
    model.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([*steps, level]) if split else level
    model.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=300, show_progress=False, initial_alphabet=alphabet)
    model.train_from_iterator(ENGLISH, trainer)
    model.add_special_tokens(["<|begin|>", "<|end|>"])
    return model


def fallback_base():
    """As Llama 2: three special tokens, 256 stand-in bytes, characters, merges; spaces are U+2581, nothing is cut."""
    learnt = tokenizers.Tokenizer(tokenizers.models.BPE())
    learnt.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="always")
    learnt.train_from_iterator(ENGLISH, tokenizers.trainers.BpeTrainer(vocab_size=60, show_progress=False))
    model = json.loads(learnt.to_str())["model"]
    names = ["<unk>", "<s>", "</s>", *tokenizer_file.BYTE_TOKENS, *model["vocab"]]
    made = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            {name: number for number, name in enumerate(names)}, [tuple(pair) for pair in model["merges"]],
            unk_token="<unk>", fuse_unk=True, byte_fallback=True,
        )
    )  # fmt: skip
    normal, decode = tokenizers.normalizers, tokenizers.decoders
    made.normalizer = normal.Sequence([normal.Prepend("▁"), normal.Replace(" ", "▁")])
    made.decoder = decode.Sequence(
        [decode.Replace("▁", " "), decode.ByteFallback(), decode.Fuse(), decode.Strip(" ", 1, 0)]
    )
    made.add_special_tokens(["<unk>", "<s>", "</s>"])
    return made


BASES = {
    "gpt2": lambda: byte_level_base(False),
    "llama3": lambda: byte_level_base(True),
    "llama2": fallback_base,
}


def words_of(base, texts):
    pattern = tokenizers.Regex(base_words.pattern_of(base, "gpt4").regex)
    split = tokenizers.pre_tokenizers.Split(pattern, "isolated")
    counts = collections.Counter(word.encode() for text in texts for word, _ in split.pre_tokenize_str(text))
    return WordCounts.from_words(counts)


def extended(name, folder, add=60, texts=KOREAN, **settings):
    """The base, what was made of it, and both as `tokenizers` reads them."""
    before = BASES[name]()
    before.save(str(folder / "tokenizer.json"))
    base = tokenizer_file.read(folder)
    settings = {"min_count": 1, "pattern": "gpt4", "multiple": 16, **settings}
    made = extending.extend(base, words_of(base, texts), ExtensionSettings(add=add, **settings))
    return before, made, tokenizers.Tokenizer.from_str(json.dumps(made.content))
