"""Run by test_checkpoints.py in each process of a world: saves, restores and fails as a sharded training does.

    python checkpoint_ranks.py ROLE RANK SIZE FOLDER
"""

import sys
import threading
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.checkpoint import filesystem
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from chejil.errors import ChejilError
from chejil.training.config import Checkpoints as Settings
from chejil.training.config import Loss
from chejil.training.loop.checkpoints import Checkpoints
from chejil.training.loop.training_state import state_of
from chejil.training.modelling import llama as models
from chejil.training.modelling.losses import ModelWithLoss
from chejil.training.modelling.model_sizes import ModelSize

VOCABS = {"uneven": 50, "fewer-rows-than-ranks": 3}
"""50 rows are 25 and 25 on two ranks, 13, 13, 13 and 11 on four; 3 rows leave a rank of four without any."""


def training(vocab, seed, sharded, tied=False):
    """A model and its optimiser, sharded or whole."""
    size = ModelSize(layers=2, hidden=16, heads=2, ffn=24, vocab=vocab, context_tokens=16, tied=tied)
    model = models.shape_of(size)
    wrapped = ModelWithLoss(model, Loss())
    if sharded:
        for layer in model.model.layers:
            fully_shard(layer)
        fully_shard(wrapped)
    models.materialise(model, seed, "cpu")
    return model, torch.optim.AdamW(models.parameter_groups(wrapped, 0.1), lr=0.01, betas=(0.9, 0.95))


def train(model, optimiser, step):
    """A step whose gradients follow from the weight's name and the step alone, on any number of ranks."""
    for name, weight in model.named_parameters():
        grad = models._first_weight(f"{name}.grad", weight.shape, 1.0, step)
        if isinstance(weight, DTensor):
            grad = distribute_tensor(grad, weight.device_mesh, weight.placements, src_data_rank=None)
        weight.grad = grad
    optimiser.step()
    optimiser.zero_grad()


def whole(state):
    """Copies of all tensors of a state, unsharded."""
    return {
        f"{part}.{name}": (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).clone()
        for part, tensors in state.items()
        for name, tensor in tensors.items()
    }


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert tensor.dtype == expected[name].dtype, name
        assert torch.equal(tensor, expected[name]), name


def save(rank, folder):
    """Two steps, a save in the background while a third step and the training's own collectives go on."""
    for name, vocab in VOCABS.items():
        model, optimiser = training(vocab, 7, sharded=True)
        for step in (1, 2):
            train(model, optimiser, step)
        before = whole(state_of(model, optimiser))
        with Checkpoints(folder / name, Settings()) as checkpoints:
            checkpoints.save(2, state_of(model, optimiser), {"loss": 0.1})
            train(model, optimiser, 3)
            for _ in range(50):
                dist.all_reduce(torch.ones(1))
        if rank == 0:
            torch.save(before, folder / f"{name}-2.pt")
        after = whole(state_of(model, optimiser))
        if rank == 0:
            torch.save(after, folder / f"{name}-3.pt")
    dist.barrier()
    restore(rank, folder)


def restore(rank, folder):
    """All tensors are those that were saved, and the next step is the one that the first training made."""
    for name, vocab in VOCABS.items():
        model, optimiser = training(vocab, 8, sharded=True)
        checkpoints = Checkpoints(folder / name, Settings())
        saved = checkpoints.newest()
        assert (saved.step, saved.told) == (2, {"loss": 0.1})
        checkpoints.restore(saved, state_of(model, optimiser))
        assert_same(whole(state_of(model, optimiser)), torch.load(folder / f"{name}-2.pt"))
        train(model, optimiser, 3)
        for key, tensor in torch.load(folder / f"{name}-3.pt").items():
            torch.testing.assert_close(whole(state_of(model, optimiser))[key], tensor, msg=key)


def said(act, *args):
    """The error that each rank raises."""
    try:
        act(*args)
    except ChejilError as error:
        return str(error)
    raise AssertionError("no error")


def fail(rank, folder):
    """The disk of one rank fails: all ranks raise, the checkpoint before it stays, and the next save succeeds."""
    model, optimiser = training(50, 7, sharded=True)
    state = state_of(model, optimiser)
    for background in (True, False):
        place = folder / str(background)
        checkpoints = Checkpoints(place, Settings(in_background=background))
        checkpoints.save(1, state, {})
        checkpoints.finish()
        fsync = filesystem.os.fsync
        if rank == 1:
            filesystem.os = DiskFull()
        if background:
            checkpoints.save(2, state, {})
        error = said(checkpoints.finish) if background else said(checkpoints.save, 2, state, {})
        assert "saving step 2 on rank 1: no space" in error, error
        assert "step-00000001 is whole" in error, error
        filesystem.os = type(sys)("os")
        filesystem.os.fsync = fsync
        dist.barrier()
        assert [path.name for path in place.iterdir()] == ["step-00000001"]
        assert checkpoints.newest().step == 1
        checkpoints.save(2, state, {})
        assert checkpoints.newest().step == 2
    refuse(rank, place)


class DiskFull:
    """In place of the module `os` of DCP's writer."""

    def fsync(self, handle):
        raise OSError(28, "No space left on device")


def refuse(rank, place):
    """What is wrong with a checkpoint is said by all ranks, before a tensor changes."""
    other, optimiser = training(51, 9, sharded=True)
    state, before = state_of(other, optimiser), whole(state_of(other, optimiser))
    checkpoints = Checkpoints(place, Settings())
    saved = checkpoints.newest()
    assert "model.lm_head.weight is 50 × 16" in said(checkpoints.restore, saved, state)
    if rank == 0:
        path = saved.folder / "__1_0.distcp"
        path.write_bytes(path.read_bytes()[:-1])
    dist.barrier()
    error = said(checkpoints.restore, saved, state)
    assert "__1_0.distcp: damaged checkpoint" in error, error
    assert "to go on from step-00000001" in error, error
    assert_same(whole(state), before)
    if rank == 0:
        (saved.folder / "state.json").write_text("{")
    dist.barrier()
    assert "state.json: cannot be read" in said(checkpoints.newest)


def main(role, rank, size, folder):
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / f"store-{role}-{size}"), size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
    {"save": save, "restore": restore, "fail": fail}[role](rank, folder)
    dist.destroy_process_group()
    assert threading.active_count() < 10


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
