"""Attention that stays inside a document: how the model is called, and the proof at start that nothing leaks.

Three ways. `sdpa` (torch's scaled_dot_product_attention) runs everywhere, forward and backward; it takes transformers'
block-diagonal mask, computes all T·T scores and holds B·T·T bools. `split` calls it once a document, with no mask and
none of the scores between: a step of the 20m model on rows of 2,048 tokens takes 4.5 instead of 6.0 s of a CPU core;
its shapes change from batch to batch, so it is not for compiled layers. `flex` (FlexAttention, Dong et al. 2024,
arXiv:2412.05496) leaves out what lies between documents: of rows of 4,096 tokens with documents of a median of
400 it computes 19 % of the blocks (document_blocks.py), and holds no mask. It is for GPUs: on CPUs torch has its
forward pass and no backward.
Variable-length flash attention (torch.nn.attention.varlen) would skip the same scores, faster on some GPUs; it has no
CPU kernel, so nothing of it could be tried out before a training, only knows half precision, and gets a list of
document ends whose length differs from batch to batch, where compiled layers want equal shapes.

transformers builds its mask of packed rows only when position ids restart AND `attention_mask` is None AND no cache is
made; any other call leaks silently, in train mode too (packed beside another document the logits of a document moved by
0.45; called rightly, by 1e-7). So everything calls the model through `hidden_states`, and `refuse_leaks` tries it out
with the model, device and precision that will train. `flex` refuses any call without its blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from transformers import AttentionInterface, LlamaForCausalLM

from chejil.errors import ChejilError
from chejil.training.modelling.document_blocks import block_mask, document_lengths

IMPLEMENTATION = SDPA = "sdpa"
"""Of transformers' attentions, the one that runs on CPU and GPU, forward and backward: what models are made with."""

FLEX, SPLIT = "chejil_flex", "chejil_split"
"""The names of ours among transformers' attentions."""

States = Callable[[LlamaForCausalLM, torch.Tensor, torch.Tensor], torch.Tensor]
"""(model, ids_BT, positions_BT) -> hidden_BTD, before the output head."""


def hidden_states(model: LlamaForCausalLM, ids_BT: torch.Tensor, positions_BT: torch.Tensor) -> torch.Tensor:
    """(B, T, D): what the output head reads; documents of a row do not see one another.

    Args:
        positions_BT: from 0 in each document; a place where they do not go up by one begins a document.
    """
    more: dict[str, Any] = {"attention_mask": None}
    if model.config._attn_implementation == FLEX:
        more["attention_mask"] = block_mask(positions_BT)
    if model.config._attn_implementation == SPLIT:
        more["document_lengths"] = document_lengths(positions_BT)
    return model.model(input_ids=ids_BT, position_ids=positions_BT, use_cache=False, **more).last_hidden_state


def use(model: LlamaForCausalLM, kind: str, device: str | torch.device, compiled: bool = False) -> None:
    """Set a model's attention; before its layers are compiled.

    Args:
        kind: PretrainConfig.attention: auto, sdpa, flex or split.
        device: that it will train on.
        compiled: whether layers will be compiled.

    Raises:
        ChejilError: flex on a device without its backward pass, split with compiled layers.
    """
    on_gpu = torch.device(device).type == "cuda"
    if kind == "flex" and not on_gpu:
        what = f"attention 'flex' cannot train on {torch.device(device).type}: there it has no backward pass"
        raise ChejilError(what, mend="leave `attention` at auto, or set sdpa")
    if kind == "split" and compiled:
        what = "attention 'split' would compile the layers again for each batch: it depends on the documents"
        raise ChejilError(what, mend="leave `attention` at auto, or set `compile: false`")
    best = FLEX if on_gpu else SDPA if compiled else SPLIT
    model.set_attn_implementation({"auto": best, "sdpa": SDPA, "flex": FLEX, "split": SPLIT}[kind])


def _flex(
    module: torch.nn.Module,
    query_BHTQ: torch.Tensor,
    key_BKTQ: torch.Tensor,
    value_BKTQ: torch.Tensor,
    attention_mask: BlockMask | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers calls attentions: (B, T, H, Q), and no weights."""
    if not isinstance(attention_mask, BlockMask):
        mend = "call it through attention.hidden_states, or set_attn_implementation('sdpa')"
        raise ChejilError("flex attention without blocks of documents would leak", mend=mend)
    # Within a compiled layer it is compiled with it.
    kernel: Any = flex_attention if torch.compiler.is_compiling() else _compiled_flex()
    out_BHTQ = kernel(
        query_BHTQ,
        key_BKTQ,
        value_BKTQ,
        block_mask=attention_mask,
        scale=scaling,
        enable_gqa=query_BHTQ.shape[1] != key_BKTQ.shape[1],
    )
    return out_BHTQ.transpose(1, 2).contiguous(), None


@cache
def _compiled_flex() -> Callable[..., torch.Tensor]:
    """Not compiled, it would make all scores. Shapes are few, and each gets a kernel of its own."""
    return torch.compile(flex_attention, dynamic=False)


def _split(
    module: torch.nn.Module,
    query_BHTQ: torch.Tensor,
    key_BKTQ: torch.Tensor,
    value_BKTQ: torch.Tensor,
    attention_mask: None,
    scaling: float | None = None,
    document_lengths: list[int] | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers calls attentions; each document by itself, so without a mask."""
    if document_lengths is None:
        mend = "call it through attention.hidden_states, or set_attn_implementation('sdpa')"
        raise ChejilError("split attention without lengths of documents would leak", mend=mend)
    batch, heads, places, width = query_BHTQ.shape
    repeat = heads // key_BKTQ.shape[1]
    # On a CPU the backward pass of torch's kernel takes two to seven times longer in bf16.
    precision = torch.float32 if query_BHTQ.is_cpu else query_BHTQ.dtype
    # Rows behind one another: (1, H, B·T, Q).
    whole = [
        one.transpose(0, 1).reshape(1, -1, batch * places, width).to(precision)
        for one in (query_BHTQ, key_BKTQ, value_BKTQ)
    ]
    if repeat > 1:
        whole[1:] = [one.repeat_interleave(repeat, 1) for one in whole[1:]]
    parts = zip(*(one.split(document_lengths, 2) for one in whole), strict=True)
    out = [
        functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling)
        for query, key, value in parts
    ]
    out_BTHQ = torch.cat(out, 2)[0].transpose(0, 1).reshape(batch, places, heads, width)
    return out_BTHQ.to(query_BHTQ.dtype), None


AttentionInterface.register(FLEX, _flex)
AttentionInterface.register(SPLIT, _split)


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
        "a document does not see its own beginning": first[:half].float().mean()
        < 0.5,  # of a long one, bf16 may round some away
        "a token sees those behind it": seen["last token of the first document"][: half - 1].any(),
        "a document sees the one behind it": seen["first token of the second document"][:half].any(),
    }
    wrong = [what for what, found in faults.items() if found]
    if wrong:
        raise ChejilError(
            f"attention over packed documents is wrong: {'; '.join(wrong)}",
            mend=f"set `attention: {IMPLEMENTATION}`, with position ids that restart, attention_mask None and "
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
