"""The published run on 256 GPUs, simulated in this process: shards, bytes and rows are those that the plan says."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from chejil.training import config as configs  # noqa: E402
from chejil.training.data.batches import Batches  # noqa: E402
from chejil.training.data.token_corpus import TokenCorpus  # noqa: E402
from chejil.training.loop import building, optimiser, sharding  # noqa: E402
from chejil.training.loop.prefetch import Prefetched  # noqa: E402
from chejil.training.loop.spike_guard import Guard  # noqa: E402
from chejil.training.loop.step import Stepper  # noqa: E402
from chejil.training.modelling import llama  # noqa: E402
from chejil.training.planning import memory  # noqa: E402
from chejil.training.planning.compute_plan import accumulation  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
import simulated_world as simulated  # noqa: E402
import small_token_shards as token_shards  # noqa: E402
import small_trainings as trainings  # noqa: E402

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "pretrain-1b3.yaml"
FSDP = ("sharding={kind: fsdp}",)


def published(*settings):
    return configs.load(str(RECIPE), settings)


def rows_of(rows, ranks, rank):
    """Rows of a weight that a rank has: as torch.chunk, rounded up, the last ranks have fewer or none."""
    each = -(-rows // ranks)
    return max(0, min(each, rows - rank * each))


@pytest.mark.parametrize("rank", [0, 7, 255])
@pytest.mark.parametrize(("settings", "ranks"), [((), 8), (FSDP, 256)])
def test_shards_of_every_weight(rank, settings, ranks):
    """Groups of 8 divide 50,304 rows in 6,288 each; 256 ranks in 197, and the last one has 69."""
    config = published(*settings)

    with simulated.world(rank) as world:
        mesh = sharding.mesh_of(config, world)
        model = llama.shape_of(config.model.resolved())
        sharding.shard(model, config, mesh)
        shards = {name: (weight.shape, weight.to_local().shape) for name, weight in model.named_parameters()}

    assert len(shards) == 24 * 9 + 3
    for name, (whole, local) in shards.items():
        assert local == (rows_of(whole[0], ranks, rank % ranks), *whole[1:]), name
    expected = {(8, 0): 6288, (8, 7): 6288, (256, 0): 197, (256, 7): 197, (256, 255): 69}
    assert shards["lm_head.weight"][1][0] == expected[ranks, rank % ranks]
    assert mesh.size() == 256
    assert mesh.mesh_dim_names == (("repeated", "divided") if ranks == 8 else ("divided",))


@pytest.mark.parametrize(
    ("settings", "rank", "missing"),
    [((), 7, 0), (("model.layers=3", *FSDP), 0, 0), (("model.layers=3", *FSDP), 255, 2 * 128 * 2048)],
)
def test_weights_gradients_and_moments_are_those_of_the_plan(settings, rank, missing):
    """To the byte for the fullest rank; the last of 256 lacks 128 of 197 rows of both vocabulary matrices."""
    config = published(*settings, "micro_batch_rows=1")
    plan = memory.of_gpu(config, config.model.resolved(), 256)

    with simulated.world(rank) as world:
        mesh = sharding.mesh_of(config, world)
        with FakeTensorMode():
            model, adamw = simulated.model(config, mesh)
            simulated.backward(model, config)
            adamw.step()
            weights = list(model.parameters())
            gradients = [weight.grad for weight in weights]
            moments = [state[name] for state in adamw.state.values() for name in ("exp_avg", "exp_avg_sq")]
            found = [simulated.local_bytes(tensors) for tensors in (weights, gradients, moments)]

    assert {tensor.dtype for tensor in [*weights, *gradients, *moments]} == {torch.float32}
    assert found == [plan.weights - 4 * missing, plan.gradients - 4 * missing, plan.optimiser - 8 * missing]


class Sent(TorchDispatchMode):
    """Notes of each collective the types of what it sends."""

    def __init__(self):
        super().__init__()
        self.found = {}

    def __torch_dispatch__(self, function, types, arguments=(), more=None):
        if function.namespace == "c10d":
            sent = {one.dtype for one in tree_leaves(arguments) if isinstance(one, torch.Tensor)}
            self.found.setdefault(function._opname, set()).update(sent)
        return function(*arguments, **(more or {}))


@pytest.mark.parametrize(("settings", "repeated"), [((), True), (FSDP, False)])
def test_products_are_in_bf16_and_sums_over_ranks_in_fp32(settings, repeated):
    """Weights are gathered in bf16; gradients are added up in fp32, in a group and, of hsdp, between groups."""
    config = published("model.layers=1", "micro_batch_rows=1", *settings)

    with simulated.world(0) as world:
        mesh = sharding.mesh_of(config, world)
        with FakeTensorMode(), Sent() as sent:
            model, _ = simulated.model(config, mesh)
            result = simulated.backward(model, config)

    fp32 = {torch.float32}
    between = {"allreduce_": fp32} if repeated else {}
    gathered = {"_allgather_base_": {torch.bfloat16}}
    assert sent.found == {**gathered, "_reduce_scatter_base_": fp32, **between}
    assert result.total.dtype == torch.float32


@pytest.mark.parametrize(
    "settings",
    [
        ("activation_checkpointing=none",),
        ("activation_checkpointing=selective",),
        ("activation_checkpointing=full",),
        ("activation_checkpointing=none", *FSDP),
        ("activation_checkpointing=none", "micro_batch_rows=2"),
        ("activation_checkpointing=none", "sharding.reshard_after_forward=false"),
    ],
    ids=" ".join,
)
def test_the_peak_of_a_step_is_that_of_the_plan(settings):
    """Activations, logits and gathered weights of six of the layers: the plan is 0 to 1.3 GB higher."""
    config = published("model.layers=6", "compile=false", *settings)
    plan = memory.of_gpu(config, config.model.resolved(), 256)

    with simulated.world(0) as world:
        mesh = sharding.mesh_of(config, world)
        with FakeTensorMode():
            measured = simulated.peak_bytes(simulated.model(config, mesh)[0], config) + plan.optimiser

    assert measured <= plan.total <= measured + 1.3e9


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    groups = {
        ("web", "ko"): token_shards.documents(1, 3000),
        ("law", "ko"): token_shards.documents(2, 300, 300),
    }
    return token_shards.write(tmp_path_factory.mktemp("shards") / "tokens", groups, per_shard=1000)


def small(shards, **more):
    """The published batch: 1,024 rows, four a rank; short ones."""
    more = {"batch_tokens": 1024 * 64, "total_tokens": 4 * 1024 * 64, "precision": "bf16", **more}
    sharded = {"kind": "hsdp", "group_ranks": 8}
    return configs.PretrainConfig.model_validate(trainings.settings(shards, sharding=sharded, **more))


def test_256_ranks_have_every_row_once(shards):
    """Rank r has the rows r, r + 256 …, and all together the batch."""
    config = small(shards)
    batches = Batches(config.data(), TokenCorpus(config.tokens), config.batch_rows, config.steps)

    whole = batches.batch(3)
    ranks = [batches.batch(3, rank, 256) for rank in range(256)]

    assert whole.ids_BT.shape == (1024, 64)
    assert np.array_equal(np.stack([one.ids_BT for one in ranks], 1).reshape(1024, 64), whole.ids_BT)
    assert np.array_equal(np.stack([one.source_B for one in ranks], 1).ravel(), whole.source_B)
    assert len(np.unique(whole.ids_BT, axis=0)) > 900  # rows can be told apart, but for those of later epochs


@pytest.mark.parametrize("micro_batch_rows", [1, 2, 4])
def test_a_step_of_256_ranks(shards, micro_batch_rows):
    """What trains takes a step as rank 255: as many micro batches as the plan says, weights move, sums are sent."""
    config = small(shards, micro_batch_rows=micro_batch_rows)
    corpus = TokenCorpus(config.tokens)
    batches = Batches(config.data(), corpus, config.batch_rows, config.steps)
    seen = []

    with simulated.world(255) as world:
        model = building.build(config, world, corpus)
        model.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].shape))
        before = [weight.to_local().clone() for weight in model.parameters()]
        stepper = Stepper(
            config, world, model, optimiser.adamw(model, config, world.device), Guard(config.spikes)
        )
        step, rows = next(Prefetched(batches, world).steps(0, 1))
        taken = stepper.take(step, rows, len(batches.names))
        moved = [not torch.equal(a, b.to_local()) for a, b in zip(before, model.parameters(), strict=True)]

    assert seen == [(micro_batch_rows, 64)] * int(accumulation(config, 256))
    assert np.isfinite([taken.loss, taken.grad_norm]).all()
    assert taken.skipped is None
    assert any(moved)
