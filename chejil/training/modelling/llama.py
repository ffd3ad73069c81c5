"""The model: transformers' LlamaForCausalLM, built from a config or loaded from a Hugging Face folder.

Weights begin as transformers' own do: all matrices, embedding and head too, normal with mean 0 and `init_std` of the
size, norms 1, biases 0; nothing is scaled by depth. But each weight is drawn on the CPU in fp32 from a generator of its
own, seeded by the training's seed and the weight's name. So they are the same bits on a CPU, a GPU and any number of
ranks, and a model of another depth or vocabulary shares its other weights. It costs each rank the drawing of the whole
model (0.18 G weights a second on one core, so 8 s for 1.44 G), once a training.

`materialise` also fills what `to_empty` leaves as garbage and no state dict holds: the frequencies of the rotary
positions. Weights are fp32; bf16 is of the products (precision in the config).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import xxhash
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.utils.logging import disable_progress_bar

from chejil.errors import ChejilError
from chejil.training.config import PretrainConfig
from chejil.training.modelling import attention, model_sizes
from chejil.training.modelling.attention import IMPLEMENTATION
from chejil.training.modelling.model_sizes import ModelSize

Pieces = Mapping[int, Sequence[int]]
"""Of new ids the old ones that spelt them: see new_tokens.py."""


def build(
    config: PretrainConfig, device: str | torch.device = "cpu", pieces: Pieces | None = None
) -> LlamaForCausalLM:
    """The model of a config: new weights, or those of `start_from`.

    Args:
        device: `meta` gives shapes without weights, to be sharded and then materialised; its attention is sdpa until
            `attention.use` has been called with the device that trains.
        pieces: see `load`.

    Raises:
        ChejilError: see `load` and `attention.use`.
    """
    size, start_from = config.model.resolved(), config.model.start_from
    if torch.device(device).type == "meta":
        return shape_of(size, start_from)
    model = load(start_from, size, pieces).to(device) if start_from else shape_of(size)  # type: ignore[arg-type]
    attention.use(model, config.attention, device, config.compile)
    return model if start_from else materialise(model, config.seed, device)


def shape_of(size: ModelSize, start_from: str | None = None) -> LlamaForCausalLM:
    """A model on the meta device: shapes without weights.

    Ids of special tokens are those of a tokenizer that is not known here, so there are none until the export.

    Args:
        start_from: a folder whose rotary positions it has, scaled as they are there.
    """
    more: dict[str, Any] = {"attn_implementation": IMPLEMENTATION, "bos_token_id": None, "eos_token_id": None}
    config = LlamaConfig(**size.llama_config(), **more)
    if start_from is not None:
        config.rope_parameters = _rope_of(LlamaConfig.from_pretrained(start_from), size)
    with torch.device("meta"):
        return LlamaForCausalLM(config)


def _rope_of(config: LlamaConfig, size: ModelSize) -> dict[str, Any]:
    """The rotary positions of a folder, on the base that is asked for."""
    return {**(config.rope_parameters or {"rope_type": "default"}), "rope_theta": size.rope_theta}


def materialise(model: LlamaForCausalLM, seed: int, device: str | torch.device) -> LlamaForCausalLM:
    """Give a model of the meta device its first weights, sharded (DTensor) or whole; see the module for which."""
    std = model.config.initializer_range
    return fill(model, device, lambda name, shape: _first_weight(name, shape, std, seed))


def fill(
    model: LlamaForCausalLM, device: str | torch.device, weight_of: Callable[[str, torch.Size], torch.Tensor]
) -> LlamaForCausalLM:
    """Give a model of the meta device weights, sharded (DTensor) or whole.

    Args:
        weight_of: from name and shape, the whole weight on the CPU; the same on all ranks.
    """
    model.to_empty(device=device)
    model.tie_weights()
    _fill_rotary(model)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            _fill(weight, weight_of(name, weight.shape))
    return model


def _first_weight(name: str, shape: torch.Size, std: float, seed: int) -> torch.Tensor:
    """The weight that a training of this seed begins with, whole, on the CPU."""
    if name.endswith("norm.weight"):
        return torch.ones(shape, device="cpu")
    if name.endswith(".bias"):
        return torch.zeros(shape, device="cpu")
    # CPU generators keep 32 bits of a seed.
    mixed = xxhash.xxh32_intdigest(f"{seed} {name}".encode())
    generator = torch.Generator("cpu").manual_seed(mixed)
    return torch.empty(shape, device="cpu").normal_(0.0, std, generator=generator)


def _fill(weight: torch.Tensor, whole: torch.Tensor) -> None:
    if isinstance(weight, DTensor):
        # Every rank has drawn the same, so each takes its part and nothing is sent (src_data_rank=None).
        whole = whole.to(weight.device)
        weight.copy_(distribute_tensor(whole, weight.device_mesh, weight.placements, src_data_rank=None))
    else:
        weight.copy_(whole)


def _fill_rotary(model: LlamaForCausalLM) -> None:
    for module in model.modules():
        if isinstance(module, LlamaRotaryEmbedding):
            filled = LlamaRotaryEmbedding(model.config)
            module.inv_freq.copy_(filled.inv_freq)
            module.original_inv_freq.copy_(filled.original_inv_freq)


def load(folder: str, size: ModelSize | None = None, pieces: Pieces | None = None) -> LlamaForCausalLM:
    """A model with the weights of a Hugging Face folder, fp32, on the CPU.

    Args:
        size: what it grows to: rows of the vocabulary, context, base of the rotary positions; None: as it is.
        pieces: of new ids the old ids that spelt them (new_tokens.new_pieces): their rows begin as the mean of those,
            in the embedding and in the head, be it a new row or one that padded the vocabulary. Other new rows begin
            as the mean of all old ones.

    Raises:
        ChejilError: no Llama, weights that cannot be read or are incomplete, a vocabulary that would shrink.
    """
    before = model_sizes.size_of_folder(folder)
    size = size or before
    if size.vocab < before.vocab:
        what = f"a vocabulary of {size.vocab} is smaller than the {before.vocab} rows of the model"
        raise ChejilError(what, where=folder, mend="leave out model.vocab, or give a larger one")
    model = _with_weights(folder)
    model.config.max_position_embeddings = size.context_tokens
    if size.rope_theta != before.rope_theta:
        model.config.rope_parameters = _rope_of(model.config, size)
        _fill_rotary(model)
    _grow(model, before.vocab, size.vocab, pieces or {})
    return model


def _with_weights(folder: str) -> LlamaForCausalLM:
    mend = "give a folder with config.json and complete *.safetensors, as save_pretrained writes it"
    disable_progress_bar()
    try:
        loaded: Any = LlamaForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation=IMPLEMENTATION, local_files_only=True,
            use_safetensors=True, output_loading_info=True,
        )  # fmt: skip
    except Exception as error:  # safetensors, json and transformers each raise their own
        raise ChejilError(
            f"weights cannot be read: {str(error).splitlines()[0]}", where=folder, mend=mend
        ) from error
    model, told = loaded
    # transformers draws what is missing anew and only logs it: the training would begin from noise.
    wrong = sorted({*told["missing_keys"], *(str(key) for key in told["mismatched_keys"])})
    if wrong:
        shown = ", ".join(wrong[:3])
        raise ChejilError(
            f"{len(wrong)} weights are missing or of another shape: {shown}", where=folder, mend=mend
        )
    return model


def _grow(model: LlamaForCausalLM, old: int, new: int, pieces: Pieces) -> None:
    """Rows of new ids, as means of old rows."""
    if pieces and max(pieces) >= new:
        what = f"the tokenizer has {max(pieces) + 1:,} ids, the model {new:,} rows"
        raise ChejilError(what, where="model.vocab", mend=f"give model.vocab, {max(pieces) + 1} or more")
    if new > old:
        model.resize_token_embeddings(new, mean_resizing=False)
    matrices = {model.get_input_embeddings().weight, model.get_output_embeddings().weight}
    with torch.no_grad():
        for matrix in matrices:
            before = matrix[:old].clone()
            matrix[old:] = before.mean(0)
            for row, ids in pieces.items():
                matrix[row] = before[list(ids)].mean(0)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Groups for AdamW: weight decay on matrices of the body and an untied head; none on norms, biases and embedding.

    A row of the embedding moves only when its token occurs, decay would shrink rare ones all the time. Call it
    after sharding, which replaces weights and keeps their dimensions and modules; names do not matter.
    """
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    decayed = [weight for weight in weights if weight.ndim >= 2 and id(weight) not in embeddings]
    chosen = {id(weight) for weight in decayed}
    others = [weight for weight in weights if id(weight) not in chosen]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
