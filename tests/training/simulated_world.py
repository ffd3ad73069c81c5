"""A world of 256 processes that is only simulated: one process, no GPU, collectives that do nothing.

torch's fake process group says that there are so many others; FakeTensorMode makes tensors that have shape, type and
device and no memory. So what a rank of the large run would hold is made by the code that trains, and can be counted.
"""

from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
from torch.nn.functional import scaled_dot_product_attention
from torch.testing._internal.distributed.fake_pg import FakeStore
from transformers import AttentionInterface

from chejil.training.loop import activation_checkpointing, optimiser, sharding
from chejil.training.loop.parallel import World
from chejil.training.modelling import llama

GPUS, NODE = 256, 8
CPU = torch.device("cpu")


@contextmanager
def world(rank, size=GPUS):
    """A rank among so many."""
    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=size)
    try:
        yield World(rank, size, rank % NODE, NODE, CPU)
    finally:
        dist.destroy_process_group()


def _causal(module, query, key, value, attention_mask, scaling=None, **_):
    """Attention without a mask, as on GPUs: that of CPUs keeps 2·T bytes a token and layer for its mask."""
    grouped = query.shape[1] != key.shape[1]
    out = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling, enable_gqa=grouped)
    return out.transpose(1, 2).contiguous(), None


AttentionInterface.register("causal_for_tests", _causal)


def model(config, mesh):
    """The sharded model and its optimiser as building.build makes them, but without values. In a FakeTensorMode."""
    shape = llama.shape_of(config.model.resolved())
    shape.set_attn_implementation("causal_for_tests")
    activation_checkpointing.apply(shape, config.activation_checkpointing)
    divided = sharding.shard(shape, config, mesh)
    shape.to_empty(device=CPU)
    shape.tie_weights()
    return divided, optimiser.adamw(divided, config, CPU)


def backward(divided, config):
    """The forward and backward pass of a micro batch."""
    ids_BT = torch.zeros(config.micro_batch_rows, config.row_tokens, dtype=torch.long)
    sums = divided.sums(ids_BT, ids_BT, ids_BT)
    sums.total.backward()
    return sums


def local_bytes(tensors):
    """What a rank has of tensors that are divided."""
    return sum(tensor.to_local().nbytes for tensor in tensors)


def peak_bytes(divided, config):
    """The most memory that a step's second micro batch takes, weights and gradients included, without moments."""
    tracker = FSDPMemTracker(divided)
    with tracker:
        sharding.is_last_micro_batch(divided, True)  # gradients are there from here on
        backward(divided, config)
        tracker.reset_mod_stats()
        backward(divided, config)
    return tracker.get_tracker_snapshot("peak")[CPU]["Total"]
