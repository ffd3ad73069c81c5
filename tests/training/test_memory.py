"""Memory by hand, and activations against what autograd keeps."""

import pytest

from chejil.training.config import PretrainConfig
from chejil.training.modelling.model_sizes import ModelSize, size
from chejil.training.planning import memory
from chejil.training.planning.memory import layer_bytes_per_token

SMALL = {"hidden": 64, "heads": 4, "ffn": 176, "vocab": 128, "context_tokens": 64}


def config(**more):
    return PretrainConfig.model_validate(
        {
            "name": "t", "model": "1b3", "tokens": ["t"], "batch_tokens": 4096 * 256, "total_tokens": 1e9,
            "schedule": {"learning_rate": 1e-3}, **more,
        }
    )  # fmt: skip


def kept_bytes(model, tokens, dtype):
    """What autograd keeps of one forward pass beside the weights."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    settings = transformers.LlamaConfig(**model.llama_config(), use_cache=False, attn_implementation="sdpa")
    made = transformers.LlamaForCausalLM(settings).to(dtype)
    weights = {one.untyped_storage().data_ptr() for one in made.parameters()}
    alive, kept = [], {}

    def pack(tensor):
        alive.append(tensor)  # an address must not be given out again
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    ids = torch.zeros(1, tokens, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        made.model(input_ids=ids, position_ids=torch.arange(tokens)[None], use_cache=False)
    return sum(kept.values())


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_a_layer_keeps_what_autograd_keeps(kv_heads, precision):
    """One layer more is so many bytes a token more; with fewer heads of keys, sdpa repeats them first."""
    torch = pytest.importorskip("torch")
    tokens, dtype = 64, getattr(torch, precision)
    two, three = (ModelSize(layers=n, kv_heads=kv_heads, **SMALL) for n in (2, 3))

    measured = (kept_bytes(three, tokens, dtype) - kept_bytes(two, tokens, dtype)) / tokens
    formula = layer_bytes_per_token(three, "none", compiled=False, element=dtype.itemsize)

    assert formula == pytest.approx(measured, rel=0.02 if kv_heads == 4 else 0.1)


def test_the_state_of_the_published_model_by_hand():
    """16 bytes a parameter over 256 GPUs, or over the 8 of a group."""
    model, rows = size("1b3"), config(sharding={"kind": "fsdp"})
    grouped = config(sharding={"kind": "hsdp", "group_ranks": 8})
    whole = config(sharding={"kind": "none"})

    over_256 = memory.of_gpu(rows, model, 256)
    assert over_256.weights == 4 * (1_439_270_912 + 2 * (197 * 256 - 50_304) * 2048) // 256
    assert over_256.gradients == over_256.weights
    assert over_256.optimiser == 2 * over_256.weights
    assert memory.of_gpu(grouped, model, 256).weights == 4 * 1_439_270_912 // 8
    assert memory.of_gpu(whole, model, 256).optimiser == 8 * 1_439_270_912


def test_activations_and_logits_of_the_published_model_by_hand():
    """24 layers of 67 KB a token compiled, 4 KB with full checkpointing and one layer computed again."""
    model, rows = size("1b3"), config(micro_batch_rows=2)
    per_token = 12 * 2048 + 4 * 2048 + 6 * 5632 + 4 * 32 + 8

    none = memory.of_gpu(rows, model, 8, "none")
    full = memory.of_gpu(rows, model, 8, "full")

    assert none.activations == 8192 * 24 * per_token
    assert full.activations == 8192 * (24 * 4096 + per_token - 4096)
    # 2,048 places at once, as many as the head is wide; its gradient is summed in fp32.
    assert none.logits == 50_304 * 2048 * (8 + 4 + 2)
    assert memory.of_gpu(config(precision="fp32"), model, 8).logits == 50_304 * 2048 * (4 + 4 + 4)
    few = memory.of_gpu(config(context_tokens=1024), model, 8, "full")
    assert few.logits == 50_304 * (1024 * 8 + 2048 * (4 + 2))
    assert none.total == sum(vars(none).values())


@pytest.mark.parametrize("name", ["debug", "1b3", "7b"])
@pytest.mark.parametrize("compiled", [True, False])
def test_more_checkpointing_keeps_less(name, compiled):
    """none above selective above full."""
    kept = [layer_bytes_per_token(size(name), kind, compiled) for kind in memory.CHECKPOINTING]

    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) == 3


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("tied", [True, False])
def test_the_fullest_part_is_a_part_of_each_weight(biases, tied):
    """Against the weights of the model, whole and in 3 and 256 parts: norms of 64 in 256 parts are 1 each."""
    pytest.importorskip("torch")
    from chejil.training.modelling import llama

    small = ModelSize(layers=2, kv_heads=2, tied=tied, attention_bias=biases, mlp_bias=biases, **SMALL)
    shapes = [weight.shape for weight in llama.shape_of(small).parameters()]

    assert memory.part_of_a_rank(small, 1) == small.parameters
    for ranks in (3, 256):
        expected = sum(-(-shape[0] // ranks) * shape[1:].numel() for shape in shapes)
        assert memory.part_of_a_rank(small, ranks) == expected


def test_checkpoints_by_hand():
    """12 bytes a parameter; kept are the last three and every fourth thousand."""
    rows = config(
        total_tokens=4096 * 256 * 10_500,
        checkpoints={"every_steps": 1000, "keep_last": 3, "keep_every_steps": 4000},
    )

    assert memory.checkpoint_bytes(size("1b3"))["checkpoint"] == 12 * 1_439_270_912
    assert memory.kept_checkpoints(rows) == len({4000, 8000, 9000, 10_000, 10_500})
