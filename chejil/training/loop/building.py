"""The model of a training on its processes: shapes first, then divided, then filled."""

from __future__ import annotations

from transformers import LlamaForCausalLM

from chejil.training.config import PretrainConfig
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.loop import activation_checkpointing, compiling, sharding
from chejil.training.loop.parallel import World
from chejil.training.modelling import attention, llama
from chejil.training.modelling.losses import ModelWithLoss


def build(config: PretrainConfig, world: World, corpus: TokenCorpus) -> ModelWithLoss:
    """The model with its first weights: drawn, or those of `start_from`.

    No process ever has the whole model on its device: shapes are divided, then each weight is made on the CPU and a
    process keeps its part.

    Args:
        corpus: the token shards; for new ids of their tokenizer, `start_from` gets rows.

    Raises:
        ChejilError: weights that cannot be read, or attention that leaks between documents.
    """
    start = _loaded(config, corpus)
    model = llama.shape_of(config.model.resolved()) if start is None else llama.shape_like(start)
    attention.use(model, config.attention, world.device)
    activation_checkpointing.apply(model, config.activation_checkpointing)
    if config.compile:
        compiling.compile_layers(model)
    divided = sharding.shard(model, config, sharding.mesh_of(config, world))
    if start is None:
        llama.materialise(model, config.seed, world.device)
    else:
        weights = start.state_dict()
        llama.fill(model, world.device, lambda name, _: weights[name])
    divided.refuse_leaks()
    sharding.gather_no_longer(divided)
    return divided


def _loaded(config: PretrainConfig, corpus: TokenCorpus) -> LlamaForCausalLM | None:
    folder = config.model.start_from
    if folder is None:
        return None
    return llama.load(folder, config.model.resolved())
