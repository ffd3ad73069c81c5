"""Run by test_sharded_model.py in each of two processes: sharded and whole models have one loss."""

import sys

import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard

from chejil.training.config import Loss
from chejil.training.modelling import llama as models
from chejil.training.modelling.losses import ModelWithLoss
from chejil.training.modelling.model_sizes import ModelSize


def compare(rank, tied):
    size = ModelSize(layers=2, hidden=16, heads=2, ffn=24, vocab=50, context_tokens=16, tied=tied)
    whole = models.materialise(models.shape_of(size), 7, "cpu")
    model = models.shape_of(size)
    sharded = ModelWithLoss(model, Loss(z_loss=1e-3))
    for layer in model.model.layers:
        fully_shard(layer)
    fully_shard(sharded)
    models.materialise(model, 7, "cpu")
    for (name, mine), theirs in zip(model.named_parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine.full_tensor(), theirs), name
    assert [len(group["params"]) for group in models.parameter_groups(sharded, 0.1)] == [15 - tied, 6]

    random = torch.Generator().manual_seed(1)
    ids, labels = (torch.randint(0, 50, (4, 16), generator=random) for _ in range(2))
    labels[0, 3:] = -100  # another number of learnt tokens on each rank
    positions = torch.cat([torch.arange(9), torch.arange(7)]).expand(4, 16)
    learnt = (labels != -100).sum()
    expected = ModelWithLoss(whole, Loss(z_loss=1e-3)).sums(ids, positions, labels).total / learnt
    expected.backward()

    mine = slice(rank, None, 2)
    # FSDP averages gradients over ranks: times two is the sum.
    loss = sharded.sums(ids[mine], positions[mine], labels[mine]).total / learnt
    (loss * 2).backward()

    dist.all_reduce(total := loss.detach().clone())
    torch.testing.assert_close(total, expected.detach())
    for (name, shard), theirs in zip(model.named_parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(
            shard.grad.full_tensor(), theirs.grad, atol=1e-6, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
        )
    sharded.refuse_leaks()


def main(rank, store):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    for tied in (False, True):
        compare(rank, tied)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
