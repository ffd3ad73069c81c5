"""The model of a training on its processes: shapes first, then divided, then filled."""

from __future__ import annotations

import torch
from transformers import LlamaForCausalLM

from chejil.training.config import PretrainConfig
from chejil.training.loop import sharding
from chejil.training.loop.parallel import World
from chejil.training.modelling import llama
from chejil.training.modelling.losses import ModelWithLoss


def build(config: PretrainConfig, world: World, tokenizer: str) -> ModelWithLoss:
    """The model with its first weights: drawn, or those of `start_from`.

    No process ever has the whole model on its device: shapes are divided, then each weight is made on the CPU and a
    process keeps its part.

    Args:
        tokenizer: the tokenizer.json of the token shards, whose new ids `start_from` gets rows for.

    Raises:
        ChejilError: weights that cannot be read, or attention that leaks between documents.
    """
    start = _loaded(config, tokenizer)
    model = llama.shape_of(config.model.resolved()) if start is None else llama.shape_like(start)
    divided = sharding.shard(model, config, sharding.mesh_of(config, world))
    if start is None:
        llama.materialise(model, config.seed, world.device)
    else:
        weights = start.state_dict()
        llama.fill(model, world.device, lambda name, _: weights[name])
    divided.refuse_leaks()
    sharding.gather_no_longer(divided)
    return divided


def _loaded(config: PretrainConfig, tokenizer: str) -> LlamaForCausalLM | None:
    folder = config.model.start_from
    if folder is None:
        return None
    return llama.load(folder, config.model.resolved())
