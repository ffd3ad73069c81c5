"""Weights of a checkpoint as safetensors, with the config that transformers reads.

The model is built on the meta device and given the checkpoint's tensors as they are, so memory holds the weights
once: 150 M in fp32 take 10 s of one core and 1.4 GB, torch itself with them. In fp32, which the training keeps, the
logits are bit for bit those of the training; bf16 takes half the disk and is what most tools compute in, but each
weight is rounded to 8 bits of precision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from chejil.errors import ChejilError
from chejil.training.exporting.exported_tokenizer import ExportedTokenizer
from chejil.training.exporting.trained_checkpoint import TrainedCheckpoint
from chejil.training.loop.training_state import weights_of
from chejil.training.modelling import llama

Dtype = Literal["fp32", "bf16"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
MAX_SHARD = "5GB"
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


def write(folder: Path, trained: TrainedCheckpoint, tokenizer: ExportedTokenizer, dtype: Dtype) -> None:
    """Write config.json, generation_config.json and *.safetensors, with an index where there are several.

    Raises:
        ChejilError: a damaged checkpoint, or weights that are not those of its config.
    """
    model = _model(trained, dtype)
    config: Any = model.config
    config.bos_token_id, config.eos_token_id = tokenizer.bos_id, tokenizer.eos_id
    config.pad_token_id = tokenizer.pad_id
    model.generation_config = _generation(tokenizer)
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        model.save_pretrained(folder, max_shard_size=MAX_SHARD)
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _model(trained: TrainedCheckpoint, dtype: Dtype) -> LlamaForCausalLM:
    weights = weights_of(trained.saved.folder)
    for name in weights:  # one at a time: no second copy of all
        weights[name] = weights[name].to(DTYPES[dtype])
    model = _shape(trained)
    if model.config.tie_word_embeddings:
        weights[HEAD] = weights.get(EMBEDDING, torch.empty(0))
    wrong = _differing(model, weights)
    if wrong:
        mend = "export it with the version of chejil that trained it (state.json names it)"
        what = f"weights that are not those of its config: {', '.join(wrong[:3])}"
        raise ChejilError(what, where=str(trained.saved.folder), mend=mend)
    model.load_state_dict(weights, assign=True)
    model.tie_weights()
    model.config.dtype = DTYPES[dtype]
    return model


def _shape(trained: TrainedCheckpoint) -> LlamaForCausalLM:
    told = trained.saved.told.get("model_config")
    if told is None:
        return llama.shape_of(trained.size, trained.choice.start_from)
    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig.from_dict(told))


def _differing(model: LlamaForCausalLM, weights: dict[str, torch.Tensor]) -> list[str]:
    here = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    there = {name: tuple(weight.shape) for name, weight in weights.items()}
    return [
        f"{name} is {there.get(name, 'missing')}, not {here.get(name, 'there')}"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    ]


def _generation(tokenizer: ExportedTokenizer) -> GenerationConfig:
    """A text begins and ends as in training; where no token fills a batch up, the end serves, which is masked there."""
    pad = tokenizer.eos_id if tokenizer.pad_id is None else tokenizer.pad_id
    more: dict[str, Any] = {"suppress_tokens": tokenizer.unused} if tokenizer.unused else {}
    return GenerationConfig(
        bos_token_id=tokenizer.bos_id, eos_token_id=tokenizer.eos_id, pad_token_id=pad, **more
    )
