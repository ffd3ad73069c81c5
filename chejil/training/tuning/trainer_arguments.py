"""A config as TRL's and transformers' trainers want it said."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from trl import SFTConfig as TrainerConfig

from chejil.errors import ChejilError
from chejil.training.loop.parallel import World
from chejil.training.tuning.sft_config import SftConfig


def arguments(
    config: SftConfig, world: World, folder: str, num_steps: int, is_measured: bool
) -> TrainerConfig:
    """TRL's SFTConfig.

    Args:
        folder: of the checkpoints.
        is_measured: whether there are held-out conversations, so that there is a best checkpoint.
    """
    every = checkpoint_steps(config, num_steps)
    optimiser, schedule = config.optimiser, config.schedule
    measured = {"eval_strategy": "steps", "eval_steps": every, "load_best_model_at_end": True,
                "metric_for_best_model": "eval_loss", "greater_is_better": False}  # fmt: skip
    return TrainerConfig(
        output_dir=folder,
        # rows are ready (sft_rows.py)
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        padding_free=config.packing == "packed",
        shuffle_dataset=False,
        train_sampling_strategy="sequential",
        # a step
        max_steps=num_steps,
        per_device_train_batch_size=config.micro_batch_rows,
        gradient_accumulation_steps=config.batch_rows // (config.micro_batch_rows * world.size),
        average_tokens_across_devices=True,
        optim="adamw_torch",
        adam_beta1=optimiser.betas[0],
        adam_beta2=optimiser.betas[1],
        adam_epsilon=optimiser.eps,
        weight_decay=optimiser.weight_decay,
        max_grad_norm=optimiser.max_grad_norm,
        learning_rate=schedule.learning_rate,
        lr_scheduler_type="constant_with_warmup" if schedule.kind == "constant" else schedule.kind,
        warmup_steps=round(schedule.warmup_share * num_steps),
        # devices
        use_cpu=world.device.type == "cpu",
        bf16=config.precision == "bf16",
        dataloader_pin_memory=world.device.type == "cuda",
        ddp_find_unused_parameters=False,
        **_memory(config, world),
        # checkpoints
        save_strategy="steps",
        save_steps=every,
        save_total_limit=None,  # sft_checkpoints.py removes old ones, when the new one is whole
        **(measured if is_measured else {"eval_strategy": "no"}),
        # what is told (sft_journal.py)
        logging_nan_inf_filter=False,  # a loss that is no number is an error, not the mean of others
        logging_steps=config.logging.every_steps,
        logging_first_step=True,
        report_to=[],
        disable_tqdm=True,
        seed=config.seed,
    )


def checkpoint_steps(config: SftConfig, num_steps: int) -> int:
    """Steps between two checkpoints."""
    return config.checkpoints.every_steps or max(1, num_steps // 10)


def _memory(config: SftConfig, world: World) -> dict[str, Any]:
    """Sharding, and what is computed again: with FSDP by FSDP itself, or weights would be gathered once more."""
    again = config.activation_checkpointing
    if not is_sharded(config, world):
        return {"activation_checkpointing": again}
    fsdp = {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "state_dict_type": "SHARDED_STATE_DICT",
        "activation_checkpointing": again,
    }
    return {"activation_checkpointing": False, "fsdp": True, "fsdp_config": fsdp}


def is_sharded(config: SftConfig, world: World) -> bool:
    """Whether weights and moments are in parts, in memory and in checkpoints."""
    return config.sharding == "fsdp" and world.size > 1


def attention(config: SftConfig, world: World) -> str:
    """The attention of transformers that is meant.

    Raises:
        ChejilError: it is not installed, or not for this device.
    """
    flash = find_spec("flash_attn") is not None and world.device.type == "cuda"
    if config.attention == "auto":
        return "flash_attention_2" if flash and config.precision == "bf16" else "sdpa"
    if config.attention == "flash_attention_2" and config.precision == "fp32":
        mend = "precision: bf16, or attention: sdpa"
        raise ChejilError("attention: flash_attention_2 has no fp32", mend=mend)
    if config.attention == "flash_attention_2" and not flash:
        mend = "pip install flash-attn on a machine with a GPU, or attention: sdpa"
        raise ChejilError("attention: flash_attention_2 is not to be had here", mend=mend)
    if config.attention == "flex_attention" and world.device.type != "cuda":
        raise ChejilError("attention: flex_attention trains on GPUs only", mend="attention: sdpa")
    return config.attention


def refuse_idle_gpus(world: World) -> None:
    """One process that sees several GPUs: transformers would take them all by threads, which TRL cannot.

    Raises:
        ChejilError: how to start it.
    """
    if world.size == 1 and world.device.type == "cuda" and torch.cuda.device_count() > 1:
        mend = "start it by torchrun (docs/sft.md), or let it see one GPU: CUDA_VISIBLE_DEVICES=0"
        raise ChejilError(f"{torch.cuda.device_count()} GPUs, and one process", mend=mend)
