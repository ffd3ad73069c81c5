"""A model's folder for tests: a small Llama that was taught one answer, token by token of single bytes."""

import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))
import chat_tokenizer

from chejil.training.conversations.chat_encoding import ChatEncoder

ANSWER = "네, 반갑습니다 🙂"  # yes, nice to meet you
QUESTIONS = ("안녕", "hello", "이름이 뭐야?", "더 말해 줘")  # hello; what is your name?; tell me more
CONTEXT = 160


def conversation(number):
    """A turn or two that end in the answer."""
    turns = [QUESTIONS[(number + turn) % len(QUESTIONS)] for turn in range(1 + number % 2)]
    return [
        message
        for text in turns
        for message in ({"role": "user", "content": text}, {"role": "assistant", "content": ANSWER})
    ]


def write(folder, steps=70):
    """Teach, and save as any Hugging Face folder."""
    chat_tokenizer.write(folder, merges=0)
    encoder = ChatEncoder(folder)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=384, hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=CONTEXT, bos_token_id=None, eos_token_id=0, pad_token_id=1, tie_word_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    rows = encoder.encode([conversation(number) for number in range(8)])
    longest = max(len(row.ids) for row in rows)
    ids = torch.tensor([[*row.ids, *[1] * (longest - len(row.ids))] for row in rows])
    learnt = torch.tensor([[*row.learnt, *[False] * (longest - len(row.ids))] for row in rows])
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = model(ids, labels=ids.where(learnt, -100)).loss
        loss.backward()
        optimiser.step()
    assert loss < 0.02, f"the answer was not learnt: {loss}"
    model.eval().save_pretrained(folder)
    return str(folder)
