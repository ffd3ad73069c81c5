"""What layers keep and compute again, and compiled layers: bytes against the plan, gradients against none."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch._dynamo.utils import counters  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402

from chejil.training.config import Loss  # noqa: E402
from chejil.training.loop import activation_checkpointing  # noqa: E402
from chejil.training.loop.compiling import compile_layers  # noqa: E402
from chejil.training.modelling import llama as models  # noqa: E402
from chejil.training.modelling.attention import hidden_states  # noqa: E402
from chejil.training.modelling.losses import ModelWithLoss  # noqa: E402
from chejil.training.modelling.model_sizes import ModelSize  # noqa: E402
from chejil.training.planning.memory import layer_bytes_per_token  # noqa: E402

SMALL = {"hidden": 64, "heads": 4, "ffn": 176, "vocab": 128, "context_tokens": 64}


pytestmark = pytest.mark.usefixtures("one_thread")


def made(kind, layers=3, dtype=torch.float32, **fields):
    model = models.materialise(models.shape_of(ModelSize(layers=layers, **{**SMALL, **fields})), 1, "cpu")
    model = model.to(dtype).eval()  # as a loaded one is
    activation_checkpointing.apply(model, kind)
    return model


def batch(number=0, rows=2, length=64):
    ids = torch.randint(0, 128, (rows, length), generator=torch.Generator().manual_seed(number))
    first = 20 + number
    places = torch.cat([torch.arange(first), torch.arange(length - first)])[None].repeat(rows, 1)
    return ids, places, ids


def kept_bytes(model, tokens=64):
    """What is still allocated after a forward pass, by the allocator: caches of checkpoints are no saved tensors."""
    ids, places = torch.zeros(1, tokens, dtype=torch.long), torch.arange(tokens)[None]
    hidden_states(model, ids, places)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        out = hidden_states(model, ids, places)
    assert out.requires_grad  # and is alive, with all that it needs
    events = profiler.profiler.kineto_results.events()
    return sum(event.nbytes() for event in events if event.name() == "[memory]")


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("kind", activation_checkpointing.KINDS)
def test_a_layer_keeps_what_is_planned(kind, dtype, kv_heads):
    two, three = (kept_bytes(made(kind, layers, dtype, kv_heads=kv_heads)) for layers in (2, 3))

    planned = layer_bytes_per_token(
        ModelSize(layers=1, kv_heads=kv_heads, **SMALL), kind, compiled=False, element=dtype.itemsize
    )

    assert (three - two) / 64 == planned


@pytest.mark.parametrize("fields", [{}, {"kv_heads": 2, "attention_bias": True, "mlp_bias": True}])
@pytest.mark.parametrize("kind", ["selective", "full"])
def test_gradients_are_the_same_bits(kind, fields):
    gradients = []
    for one in ("none", kind):
        model = made(one, **fields)
        ModelWithLoss(model, Loss()).sums(*batch()).total.backward()
        gradients.append([weight.grad for weight in model.parameters()])

    assert all(map(torch.equal, *gradients))


def test_it_can_be_taken_back():
    model = made("full")
    less = kept_bytes(model)
    activation_checkpointing.apply(model, "none")

    assert kept_bytes(model) > 2 * less


@pytest.mark.slow  # compiles two graphs: up to half a minute
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, when it loads its compiler
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch's own, when it looks at inputs
@pytest.mark.parametrize("kind", ["none", "selective"])
def test_compiled_layers_are_one_graph_and_give_the_same(kind):
    """Three layers share a graph for the proof at start and one for training; other documents compile nothing."""
    torch._dynamo.reset()
    counters.clear()
    eager, compiled = made("none"), made(kind)
    names = list(compiled.state_dict())
    compile_layers(compiled)
    ours, plain = ModelWithLoss(compiled, Loss()), ModelWithLoss(eager, Loss())

    ours.refuse_leaks()
    for number in range(3):
        got, wanted = (one.sums(*batch(number)).total for one in (ours, plain))
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=0)
        got.backward()
        wanted.backward()

    assert counters["stats"]["unique_graphs"] == 2
    assert not counters["graph_break"]
    assert list(compiled.state_dict()) == names
    for one, other in zip(compiled.parameters(), eager.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-4 * other.grad.abs().max().item())
