"""Run by test_checkpoints.py: saves, restores, fails and is killed in processes of its own, as a training is.

    python checkpoint_ranks.py FOLDER

Processes are forked from one that has imported torch, which takes longer than all they do. What went wrong in a
scenario is left as FOLDER/SCENARIO.rank.error.
"""

import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import torch
import torch._dynamo  # by the first step of an optimiser, else in each process
import torch.distributed as dist
from torch.distributed.checkpoint import filesystem
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from chejil.errors import ChejilError
from chejil.training.config import Checkpoints as Settings
from chejil.training.config import Loss
from chejil.training.loop import checkpoint_folders as folders
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
        assert_same(whole(state_of(model, optimiser)), torch.load(folder / f"{name}-3.pt"))


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

    def fsync(self, handle):  # noqa: D102
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


def kill_at_moments(folder):
    """kill -9 while tensors are written, and between the last byte and the rename."""
    for moment in ("data", "rename"):
        place = folder / moment
        child = os.fork()
        if child == 0:
            save_and_hang(place, moment)
        part = folders.part_of(place, 2)
        last = part / ("__0_0.distcp" if moment == "data" else "state.json")
        wait_for(lambda last=last: last.exists() and last.stat().st_size > 0)
        end(child)
        assert part.exists()
        assert folders.newest(place).step == 1
        assert_restored(place, 1)
        assert [path.name for path in place.iterdir()] == ["step-00000001"], "the left-over part is removed"


def save_and_hang(place, moment):
    """In the child: the second save never ends."""
    model, optimiser = training(50, 1, sharded=False)
    checkpoints = Checkpoints(place, Settings())
    checkpoints.save(1, state_of(model, optimiser), {})
    checkpoints.finish()
    if moment == "data":
        filesystem.os = Hanging()
    else:
        folders._sync_names = lambda folder: time.sleep(60)
    checkpoints.save(2, state_of(model, optimiser), {})
    time.sleep(60)


class Hanging:
    """In place of the module `os` of DCP's writer."""

    def fsync(self, handle):  # noqa: D102
        time.sleep(60)


def kill_at_random(folder):
    """kill -9 whenever it comes: what is newest is whole, and holds the tensors of its step."""
    place, chance = folder / "random", random.Random(5)
    highest = 0
    for _ in range(8):
        begun = time.monotonic()
        child = os.fork()
        if child == 0:
            save_for_ever(place, highest)
        wait_for(lambda since=highest: (folders.steps(place) or [0])[-1] > since)
        time.sleep(chance.uniform(0, 2 * (time.monotonic() - begun)))
        end(child)
        highest = folders.steps(place)[-1]
        assert_restored(place, highest)


def save_for_ever(place, step):
    model, optimiser = training(50, 1, sharded=False)
    checkpoints = Checkpoints(place, Settings(keep_last=1))
    while True:
        step += 1
        models.materialise(model, step, "cpu")
        checkpoints.save(step, state_of(model, optimiser), {"seed": step})


def assert_restored(place, step):
    """The newest checkpoint is of this step, and its weights are those of this seed."""
    model, optimiser = training(50, 0, sharded=False)
    checkpoints = Checkpoints(place, Settings())
    saved = checkpoints.newest()
    assert saved.step == step
    checkpoints.restore(saved, state_of(model, optimiser))
    assert_same(dict(model.named_parameters()), dict(training(50, step, sharded=False)[0].named_parameters()))


def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def end(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def in_world(role, rank, size, folder):
    """A scenario on one rank of a gloo world; size 0 is one process without a group."""
    torch.set_num_threads(1)
    if not size:
        role(folder)
        return
    store = dist.FileStore(str(folder / f"store-{role.__name__}-{size}"), size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
    role(rank, folder)
    dist.destroy_process_group()


def run(role, size, folder):
    """A scenario on all ranks."""
    ranks = []
    for rank in range(max(size, 1)):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                in_world(role, rank, size, folder)
                code = 0
            except BaseException:
                (folder / f"{role.__name__}-{size}.{rank}.error").write_text(traceback.format_exc())
            os._exit(code)
        ranks.append(child)
    until = time.monotonic() + 60
    while ranks and time.monotonic() < until:
        ranks = [child for child in ranks if os.waitpid(child, os.WNOHANG)[0] == 0]
        time.sleep(0.01)
    for child in ranks:  # one has failed, or they wait for one another
        end(child)
        (folder / f"{role.__name__}-{size}.hung.error").write_text("did not end")


SCENARIOS = ((save, 2), (restore, 2), (restore, 4), (fail, 2), (kill_at_moments, 0), (kill_at_random, 0))

if __name__ == "__main__":
    for scenario, world in SCENARIOS:
        begun = time.monotonic()
        run(scenario, world, Path(sys.argv[1]))
        print(f"{scenario.__name__}-{world}: {time.monotonic() - begun:.1f} s")
