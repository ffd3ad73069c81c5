"""AdamW as the config says it, the rate of a step, and the norm of all gradients."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from chejil.training.config import PretrainConfig
from chejil.training.modelling.llama import parameter_groups
from chejil.training.modelling.losses import ModelWithLoss
from chejil.training.schedules import learning_rate


def adamw(model: ModelWithLoss, config: PretrainConfig, device: torch.device) -> torch.optim.AdamW:
    """The optimiser of a model that is sharded already.

    Fused: one kernel for all weights; 2.9 times the plain one on a CPU (docs/log.md).
    """
    chosen = config.optimiser
    fused = device.type in ("cpu", "cuda") if chosen.fused is None else chosen.fused
    groups = parameter_groups(model, chosen.weight_decay)
    rate = config.schedule.learning_rate
    return torch.optim.AdamW(groups, lr=rate, betas=chosen.betas, eps=chosen.eps, fused=fused)


def set_learning_rate(optimiser: torch.optim.Optimizer, config: PretrainConfig, step: int) -> float:
    """Give the optimiser the rate of a step, and return it."""
    rate = learning_rate(config.schedule, step, config.steps)
    for group in optimiser.param_groups:
        group["lr"] = rate
    return rate


def clip(weights: Iterable[torch.nn.Parameter], max_norm: float | None) -> torch.Tensor:
    """Scale gradients down to a norm over all weights and processes; scalar fp32, the norm before."""
    found = [weight for weight in weights if weight.grad is not None]
    norm = get_total_norm([weight.grad for weight in found if weight.grad is not None])
    whole = norm.full_tensor() if isinstance(norm, DTensor) else norm
    if max_norm is not None:
        clip_grads_with_norm_(found, max_norm, whole)
    return whole
