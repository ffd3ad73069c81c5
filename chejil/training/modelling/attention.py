"""Attention that stays inside a document: how the model is called, and the proof at start that nothing leaks.

transformers builds the block-diagonal mask of packed rows only when position ids restart AND `attention_mask` is None
AND no cache is made; any other call leaks silently, in train mode too (packed beside another document the logits of a
document moved by 0.45; called rightly, by 1e-7). So everything calls the model through `hidden_states`, and
`refuse_leaks` tries it out with the model, device and precision that will train.

Place for faster kernels: SDPA with a mask computes all T·T scores and holds a mask of B·T·T bools. On GPUs attention
by documents (flex, or variable-length flash with cu_seq_lens from positions_BT == 0) skips the blocks between
documents. Such a kernel is another IMPLEMENTATION and other arguments in `hidden_states`, and nowhere else;
`refuse_leaks` says whether it is right. FlexAttention has no backward on CPU.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from transformers import LlamaForCausalLM

from chejil.errors import ChejilError

IMPLEMENTATION = "sdpa"
"""Of transformers' attentions, the one that runs on CPU and GPU, forward and backward."""

States = Callable[[LlamaForCausalLM, torch.Tensor, torch.Tensor], torch.Tensor]
"""(model, ids_BT, positions_BT) -> hidden_BTD, before the output head."""


def hidden_states(model: LlamaForCausalLM, ids_BT: torch.Tensor, positions_BT: torch.Tensor) -> torch.Tensor:
    """(B, T, D): what the output head reads; documents of a row do not see one another.

    Args:
        positions_BT: from 0 in each document; a place where they do not go up by one begins a document.
    """
    return model.model(
        input_ids=ids_BT, position_ids=positions_BT, attention_mask=None, use_cache=False
    ).last_hidden_state


def refuse_leaks(model: LlamaForCausalLM, states: States = hidden_states, half: int = 8) -> None:
    """Try out that documents of a row do not see one another, that the future is hidden and the past is seen.

    Two documents in a row, then the same with a token changed: what must not see the change stays bit-identical. Four
    forward passes over 16 tokens; all ranks of a sharded model have to call it. Call it with the precision (autocast,
    compiled layers) that trains.

    Args:
        states: how the model is called.
        half: tokens of each document, at least 3.

    Raises:
        ChejilError: it leaks, or sees nothing.
    """
    seen = _reach(model, states, half)
    first = seen["first token of the first document"]
    faults = {
        "a document sees the one before it": first[half:].any(),
        "a document does not see its own beginning": not first[:half].all(),
        "a token sees those behind it": seen["last token of the first document"][: half - 1].any(),
        "a document sees the one behind it": seen["first token of the second document"][:half].any(),
    }
    wrong = [what for what, found in faults.items() if found]
    if wrong:
        raise ChejilError(
            f"attention over packed documents is wrong: {'; '.join(wrong)}",
            mend=f"use attention '{IMPLEMENTATION}' with position ids that restart, attention_mask None and "
            "use_cache False; and a transformers release that this version of chejil allows",
        )


@torch.no_grad()
def _reach(model: LlamaForCausalLM, states: States, half: int) -> dict[str, torch.Tensor]:
    """Of each token that is changed: (2·half) bools, the places whose state is then another."""
    device = next(model.parameters()).device
    vocab = model.config.vocab_size
    ids_BT = (torch.arange(2 * half, device=device) % max(1, vocab - 1))[None]
    positions_BT = torch.arange(half, device=device).repeat(2)[None]
    before = states(model, ids_BT, positions_BT)
    reach = {}
    places = {
        "first token of the first document": 0,
        "last token of the first document": half - 1,
        "first token of the second document": half,
    }
    for name, place in places.items():
        other = ids_BT.clone()
        other[0, place] = vocab - 1
        reach[name] = (states(model, other, positions_BT) != before)[0].any(-1).cpu()
    return reach
