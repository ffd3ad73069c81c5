"""The model of a training on its processes: shapes first, then divided, then filled."""

from __future__ import annotations

from transformers import LlamaForCausalLM

from chejil.training.config import PretrainConfig
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.loop import activation_checkpointing, compiling, sharding
from chejil.training.loop.parallel import World
from chejil.training.modelling import attention, llama, new_tokens
from chejil.training.modelling.losses import ModelWithLoss


def build(config: PretrainConfig, world: World, corpus: TokenCorpus | None = None) -> ModelWithLoss:
    """The model with its first weights: drawn, or those of `start_from`.

    No process ever has the whole model on its device: shapes are divided, then each weight is made on the CPU and a
    process keeps its part.

    Args:
        corpus: the token shards; for new ids of their tokenizer, `start_from` gets rows. None: it has them all.

    Raises:
        ChejilError: weights that cannot be read, or attention that leaks between documents.
    """
    start_from = config.model.start_from
    model = llama.shape_of(config.model.resolved(), start_from)
    attention.use(model, config.attention, world.device, config.compile)
    activation_checkpointing.apply(model, config.activation_checkpointing)
    if config.compile:
        compiling.compile_layers(model)
    divided = sharding.shard(model, config, sharding.mesh_of(config, world))
    if start_from is None:
        llama.materialise(model, config.seed, world.device)
    else:
        _fill_from(start_from, model, config, world, corpus)
    divided.refuse_leaks()
    sharding.gather_no_longer(divided)
    return divided


def _fill_from(
    folder: str, model: LlamaForCausalLM, config: PretrainConfig, world: World, corpus: TokenCorpus | None
) -> None:
    """Weights of a Hugging Face folder; rows of new ids as means of the tokens that spelt them."""
    pieces = None if corpus is None else new_tokens.new_pieces(folder, corpus.root)
    weights = llama.load(folder, config.model.resolved(), pieces).state_dict()
    llama.fill(model, world.device, lambda name, _: weights[name])
