"""Activation checkpointing: what a decoder layer keeps for the backward pass, and what is computed again.

    none         all that autograd asks for
    selective    its input, attention's output, and every second matrix product (q, v, gate, down), as torchtitan
    full         its input

Chen et al. 2016 (arXiv:1604.06174) for layers, Korthikanti et al. 2022 (arXiv:2205.05198) for keeping what is costly to
compute and small. Bytes of a token and layer are those of planning/memory.py, to the byte, where layers are eager;
gradients are the same bits (fp32, CPU). Compiled (a layer of width 64, bf16, 64 tokens), selective keeps 880 bytes
where 1,008 are planned, full 207 where 128 are; gradients are bit for bit those of compiled layers without it.

It is hung into transformers' own hook: a layer that is told to (`gradient_checkpointing`) calls its forward through
`_gradient_checkpointing_func`, so no module is wrapped, weights keep their names, and FSDP's hooks stay outside.
transformers' function would compute everything again, so do not call `gradient_checkpointing_enable` beside it.

Order: this, then compiling.compile_layers, then fully_shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts
from transformers import LlamaForCausalLM

KINDS = ("none", "selective", "full")

PRODUCTS = frozenset({torch.ops.aten.mm.default, torch.ops.aten.addmm.default})
"""Matrix products of a layer, without and with bias: q, k, v, o, gate, up, down."""

ATTENTIONS = frozenset(
    {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
        torch.ops.aten._scaled_dot_product_flash_attention.default,
        torch.ops.aten._scaled_dot_product_efficient_attention.default,
        torch.ops.aten._scaled_dot_product_cudnn_attention.default,
        torch.ops.aten._scaled_dot_product_fused_attention_overrideable.default,
        torch.ops.higher_order.flex_attention,
        torch._higher_order_ops.inductor_compiled_code,  # flex, where the layer is not compiled itself
    }
)
"""Attention on CPUs and GPUs; the backward pass would need all of it again for one output."""


def apply(model: LlamaForCausalLM, kind: str) -> None:
    """Set what the layers of a model keep, and set them to train: in eval mode nothing is computed again.

    Args:
        kind: PretrainConfig.activation_checkpointing.
    """
    how = _HOW[kind]
    for layer in model.model.layers:
        layer.train()
        layer.gradient_checkpointing = how is not None
        # One function for all layers: torch.compile asks whether it is the same.
        layer._gradient_checkpointing_func = how


def _selective() -> tuple[Any, Any]:
    """Contexts of one forward pass of one layer, and of its being computed again."""
    products: Counter[bool] = Counter()

    def policy(context: Any, operation: Any, *_: Any, **__: Any) -> CheckpointPolicy:
        if operation in PRODUCTS:
            products[context.is_recompute] += 1
            kept = products[context.is_recompute] % 2 == 1
        else:
            kept = operation in ATTENTIONS
        return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE

    return create_selective_checkpoint_contexts(policy)


# Nothing random is in a layer, so the state of generators need not be kept.
_full = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
_HOW: dict[str, Callable[..., Any] | None] = {
    "none": None,
    "selective": partial(_full, context_fn=_selective),
    "full": _full,
}
