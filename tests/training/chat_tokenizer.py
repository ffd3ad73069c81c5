"""A tokenizer's folder for tests: byte-level BPE of a few hundred merges over Korean and English, with roles."""

import json

import pytest

from chejil.tokenizer.files import byte_alphabet, tokenizer_folder
from chejil.tokenizer.files.byte_level import GPT2
from chejil.tokenizer.files.tokenizer_file import document
from chejil.tokenizer.files.tokenizer_folder import FolderSettings

SPECIAL = ("<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>", "<|bos|>")
TEXTS = [  # merges come from these: greetings, the words of the templates, sums
    "안녕하세요. 무엇을 도와드릴까요?", "### 질문: ### 답변: ### 명령어:\n### 응답:\n### 입력:\n### 맥락:",
    "아래는 작업을 설명하는 명령어입니다. 요청을 적절히 완료하는 응답을 작성하세요.",
    "<human>: hello <bot>: hello there",
    "user\nassistant\nsystem\n", "the answer is three and the question was what is one and two", "\n\n\n\n  ",
]  # fmt: skip


def write(folder, special=SPECIAL, roles=None, template="chatml", merges=300):
    """The folder's path."""
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=256 + merges,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator(TEXTS * 3, trainer)
    learnt = json.loads(model.to_str())["model"]["merges"]
    pairs = [tuple(bytes(byte_alphabet.BYTES[char] for char in part) for part in pair) for pair in learnt]
    content = document(special, pairs, GPT2)
    given = {"eos": "<|endoftext|>", "pad": "<|pad|>"} if roles is None else roles
    settings = FolderSettings(special_tokens=special, roles=given, chat_template=template)
    tokenizer_folder.write(str(folder), content, settings, {})
    return str(folder)
