"""Memory of a GPU in training, by part, and what a checkpoint weighs.

Weights, gradients and AdamW's two moments are fp32 and divided over the ranks that share one copy (FSDP2 with
MixedPrecisionPolicy: ZeRO-3, Rajbhandari et al. 2020). Beside them each rank holds, in the precision of the products,
the whole weights of the root (vocabulary matrices, last norm), of the layer it works on and of the next one, which is
fetched meanwhile; and in the backward pass their gradients, before they are added up over the ranks.

Activations are what autograd keeps, in bytes a token and a layer, H the hidden width, K the width of all keys, F the
feed-forward's, A the heads, at 2 bytes an element:

    eager               20·H + 4·K + 8·F + 4·A + 8    inputs of norms are kept in fp32, the product of the gate is kept
    compiled            12·H + 4·K + 6·F + 4·A + 8    norms and rotations are computed again within fused kernels
    selective            8·H + 2·K + 2·F + 4·A        input, attention, every second matrix product (as torchtitan)
    full                 2·H                          the input of each layer; then one layer at a time as above

The first two were measured with autograd's saved_tensors_hooks on transformers 5.23 and torch 2.13 (bf16, sdpa; the
second behind AOTAutograd's partitioner) and are exact to the byte with full heads (within
10 % with fewer key-value heads); a test measures the first again. Korthikanti et al.
2022 (section 4) count 34·H for a GPT layer, dropout included. Logits of a token cost 8 bytes a row of the vocabulary in
bf16: themselves, an fp32 copy that becomes the gradient in its place, and that in bf16 (in fp32 4: all in one place).
They exist for one chunk of places (losses.py), beside a sum of the head's gradients in fp32. They are gone when a
layer is computed again, but its gradients are there then, which are not counted: an upper bound.

Weights, gradients and moments are exact for the fullest rank: FSDP2 divides the rows of each weight, rounded up. The
whole is 0.2 to 1.3 GB above the peak that torch's FSDPMemTracker finds in a simulated rank of 256 (1.3 B, eager), which
a test repeats.

Not counted: the CUDA context and libraries (about 1 GB), buffers of NCCL, fragmentation. So a plan that fills more than
90 % of a device is said not to fit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from chejil.training.config import PretrainConfig
from chejil.training.modelling.model_sizes import ModelSize, loss_places

FITS_SHARE = 0.9
"""Of a device's memory: what is not counted needs the rest."""

WEIGHT_BYTES, MOMENT_BYTES = 4, 8
"""fp32, and AdamW's two moments."""

LOGIT_BYTES = {2: 8, 4: 4}
"""Of one logit at the peak of the loss, by the bytes of an element, see above."""

NODE_GPUS = 8
"""Of a node, where the config does not say how large a group is."""

CHECKPOINTING = ("none", "selective", "full")


@dataclass(frozen=True)
class Memory:
    """Bytes of one GPU."""

    weights: int
    gradients: int
    optimiser: int
    gathered: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """Of all parts."""
        return sum(asdict(self).values())


def of_gpu(config: PretrainConfig, model: ModelSize, gpus: int, checkpointing: str | None = None) -> Memory:
    """The memory of each GPU.

    Args:
        checkpointing: instead of the config's.
    """
    share = ranks_of_a_copy(config, gpus)
    element = 2 if config.precision == "bf16" else 4
    sharded = part_of_a_rank(model, share)
    return Memory(
        weights=WEIGHT_BYTES * sharded,
        gradients=WEIGHT_BYTES * sharded,
        optimiser=MOMENT_BYTES * sharded,
        gathered=_gathered(config, model, element),
        activations=_activations(config, model, element, checkpointing),
        logits=_logits(config, model, element),
    )


def part_of_a_rank(model: ModelSize, ranks: int) -> int:
    """Parameters of the fullest of the ranks that share a copy: its rows of each weight.

    >>> from chejil.training.modelling.model_sizes import size
    >>> part_of_a_rank(size("1b3"), 1), part_of_a_rank(size("1b3"), 256)  # 2,048 more than a 256th
    (1439270912, 5624200)
    """
    hidden, wide, keys, ffn, vocab = (
        -(-rows // ranks)
        for rows in (model.hidden, model.attention_width, model.kv_width, model.ffn, model.vocab)
    )
    attention = (wide + 2 * keys) * model.hidden + hidden * model.attention_width
    feed_forward = 2 * ffn * model.hidden + hidden * model.ffn
    biases = model.attention_bias * (wide + 2 * keys + hidden) + model.mlp_bias * (2 * ffn + hidden)
    layer = attention + feed_forward + 2 * hidden + biases
    return model.layers * layer + hidden + (1 if model.tied else 2) * vocab * model.hidden


def ranks_of_a_copy(config: PretrainConfig, gpus: int) -> int:
    """Ranks over which one copy of the weights is divided."""
    kind, group = config.sharding.kind, config.sharding.group_ranks or NODE_GPUS
    return {"none": 1, "fsdp": gpus, "hsdp": min(group, gpus)}[kind]


def _gathered(config: PretrainConfig, model: ModelSize, element: int) -> int:
    if config.sharding.kind == "none":
        return element * model.parameters if config.precision == "bf16" else 0
    root = model.parameters - model.layers * model.layer_parameters
    layers = 2 if config.sharding.reshard_after_forward else model.layers
    return element * (2 * root + (min(layers, model.layers) + min(2, model.layers)) * model.layer_parameters)


def _activations(config: PretrainConfig, model: ModelSize, element: int, checkpointing: str | None) -> int:
    kind = checkpointing or config.activation_checkpointing
    tokens = config.micro_batch_rows * config.row_tokens
    whole = layer_bytes_per_token(model, "none", config.compile, element)
    kept = layer_bytes_per_token(model, kind, config.compile, element)
    # What is computed again stands in memory for one layer at a time, gradients in the place of logits.
    again = tokens * (whole - kept) if kind != "none" else 0
    return tokens * model.layers * kept + again


def _logits(config: PretrainConfig, model: ModelSize, element: int) -> int:
    tokens = config.micro_batch_rows * config.row_tokens
    at_once = min(tokens, loss_places(model.vocab, model.hidden))
    of_head = (WEIGHT_BYTES + element) * model.vocab * model.hidden  # the sum, and a chunk's part of it
    return LOGIT_BYTES[element] * model.vocab * at_once + of_head


def layer_bytes_per_token(model: ModelSize, checkpointing: str, compiled: bool, element: int = 2) -> int:
    """Bytes that a layer keeps of a token for the backward pass.

    >>> from chejil.training.modelling.model_sizes import size
    >>> layer_bytes_per_token(size("1b3"), "full", compiled=True)
    4096
    """
    hidden, wide, keys, ffn = model.hidden, model.attention_width, model.kv_width, model.ffn
    statistics = 4 * model.heads
    if checkpointing == "full":
        return element * hidden
    if checkpointing == "selective":
        # Input, the products of q and v and of the gate and down projection, and what attention gave.
        return element * (2 * hidden + 2 * wide + keys + ffn) + statistics
    if compiled:
        return element * (4 * hidden + 2 * wide + 2 * keys + 3 * ffn) + statistics + 8
    fp32_norms = 2 * (4 + element) * hidden if element == 2 else 2 * (4 + 4) * hidden
    return element * (2 * hidden + 2 * wide + 2 * keys + 4 * ffn) + fp32_norms + statistics + 8


def checkpoint_bytes(model: ModelSize) -> dict[str, int]:
    """What a saved state and exported models weigh."""
    return {
        "checkpoint": (WEIGHT_BYTES + MOMENT_BYTES) * model.parameters,
        "export_bf16": 2 * model.parameters,
        "export_fp32": 4 * model.parameters,
    }


def kept_checkpoints(config: PretrainConfig) -> int:
    """Saved states that are there in the end."""
    every, keep = config.checkpoints.every_steps, config.checkpoints.keep_every_steps
    saved = [*range(every, config.steps + 1, every), *([config.steps] if config.steps % every else [])]
    kept = {step for step in saved if keep and step % keep == 0}
    return len(kept | set(saved[-config.checkpoints.keep_last :]))
