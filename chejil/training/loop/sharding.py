"""How a model is divided over processes: FSDP2, a layer at a time.

fsdp divides weights, gradients and moments over all processes; hsdp over a group (a node), and repeats that over
groups, so that only gradients cross nodes; none keeps them whole on each, which is hsdp with groups of one. Products
are in bf16 or fp32 (MixedPrecisionPolicy), sums over processes and everything that is kept in fp32.

A single process in fp32 is not wrapped: there is nothing to divide or to cast. In bf16 it is, so that one process and
many compute the same.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from transformers import LlamaForCausalLM

from chejil.errors import ChejilError
from chejil.training.config import PretrainConfig
from chejil.training.loop.parallel import World
from chejil.training.modelling.losses import ModelWithLoss

REPEATED, DIVIDED = "repeated", "divided"
"""Dimensions of the mesh: copies of the weights, and parts of a copy."""


def mesh_of(config: PretrainConfig, world: World) -> DeviceMesh:
    """The mesh of a training: (divided) for fsdp, (repeated, divided) for hsdp and none.

    Raises:
        ChejilError: groups that do not divide the processes.
    """
    kind = world.device.type
    if config.sharding.kind == "fsdp":
        return init_device_mesh(kind, (world.size,), mesh_dim_names=(DIVIDED,))
    group = 1 if config.sharding.kind == "none" else config.sharding.group_ranks or world.local_size
    if world.size % group:
        mend = "take sharding.group_ranks that divides the processes, or sharding.kind: fsdp"
        raise ChejilError(f"{world.size} processes cannot be divided in groups of {group}", mend=mend)
    return init_device_mesh(kind, (world.size // group, group), mesh_dim_names=(REPEATED, DIVIDED))


def shard(model: LlamaForCausalLM, config: PretrainConfig, mesh: DeviceMesh) -> ModelWithLoss:
    """Divide a model, best one of the meta device, and give it its loss. Call it before the optimiser is made."""
    with_loss = ModelWithLoss(model, config.loss)
    if mesh.size() == 1 and config.precision == "fp32":
        return with_loss
    for layer in model.model.layers:
        fully_shard(
            layer,
            mesh=mesh,
            mp_policy=_precision(config),
            reshard_after_forward=config.sharding.reshard_after_forward,
        )
    fully_shard(with_loss, mesh=mesh, mp_policy=_precision(config))
    return with_loss


def _precision(config: PretrainConfig) -> MixedPrecisionPolicy:
    products = {"bf16": torch.bfloat16, "fp32": torch.float32}[config.precision]
    return MixedPrecisionPolicy(param_dtype=products, reduce_dtype=torch.float32)


def is_last_micro_batch(model: ModelWithLoss, last: bool) -> None:
    """Copies of the weights add up their gradients only behind the last micro batch of a step.

    Parts of a copy do so behind each: gradients that wait would be whole ones, 4 bytes a weight on each process.
    """
    if isinstance(model, FSDPModule):
        model.set_requires_all_reduce(last)
        model.set_is_last_backward(last)


def gradients_averaged_over(model: ModelWithLoss, world: World) -> int:
    """What gradients are divided by: the processes, where they are added up at all."""
    return world.size if isinstance(model, FSDPModule) else 1


def gather_no_longer(model: nn.Module) -> None:
    """Give back what a forward pass without a backward pass has left gathered.

    FSDP keeps the root's weights (without reshard_after_forward, all) whole for the backward pass that usually
    follows. Until then `parameters()` are the whole ones: an optimiser made of them would move copies that are
    thrown away.
    """
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
