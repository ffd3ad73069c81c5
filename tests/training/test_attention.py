"""Attention by documents: blocks against a dense mask, flex against sdpa (its forward pass runs on CPUs)."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch._dynamo.utils import counters  # noqa: E402
from torch.nn.attention.flex_attention import create_block_mask  # noqa: E402

from chejil.errors import ChejilError  # noqa: E402
from chejil.training.config import PretrainConfig  # noqa: E402
from chejil.training.loop import activation_checkpointing  # noqa: E402
from chejil.training.loop.compiling import compile_layers  # noqa: E402
from chejil.training.modelling import attention  # noqa: E402
from chejil.training.modelling import llama as models  # noqa: E402
from chejil.training.modelling.document_blocks import block_mask, document_lengths, documents_of  # noqa: E402
from chejil.training.modelling.model_sizes import ModelSize  # noqa: E402

TINY = {"layers": 2, "hidden": 64, "heads": 4, "ffn": 48, "vocab": 100, "context_tokens": 512}


pytestmark = pytest.mark.usefixtures("one_thread")


def positions(*rows):
    """(B, T) of rows of document lengths, cut to the shortest row."""
    whole = [torch.cat([torch.arange(length) for length in row]) for row in rows]
    length = min(map(len, whole))
    return torch.stack([row[:length] for row in whole])


def dense(positions_BT):
    """(B, 1, T, T) in plain Python: a place sees those before it in its document, which are as many as its position."""
    batch, length = positions_BT.shape
    seen = torch.zeros(batch, 1, length, length, dtype=torch.bool)
    for row, places in enumerate(positions_BT.tolist()):
        for query, position in enumerate(places):
            seen[row, 0, query, query - position : query + 1] = True
    return seen


lengths = st.one_of(
    st.lists(st.integers(1, 400), min_size=1, max_size=6),
    st.lists(st.just(1), min_size=1, max_size=300),  # documents of one token
    st.lists(st.sampled_from([127, 128, 129, 256]), min_size=1, max_size=4),  # at the edges of blocks
)


@settings(max_examples=80)
@given(st.lists(lengths, min_size=1, max_size=3))
def test_blocks_are_those_of_the_dense_mask(rows):
    positions_BT = positions(*rows)
    batch, length = positions_BT.shape
    seen = dense(positions_BT)

    ours = block_mask(positions_BT)
    torchs = create_block_mask(
        lambda row, _, query, key: seen[row, 0, query, key], batch, None, length, length, device="cpu"
    )

    assert ours.shape == torchs.shape
    for part in (
        "kv_num_blocks", "kv_indices", "full_kv_num_blocks", "full_kv_indices",
        "q_num_blocks", "q_indices", "full_q_num_blocks", "full_q_indices",
    ):  # fmt: skip
        assert torch.equal(getattr(ours, part), getattr(torchs, part)), part
    places = torch.arange(length)
    row = torch.arange(batch)[:, None, None]
    assert torch.equal(ours.mask_mod(row, 0, places[:, None], places), seen[:, 0])


def test_documents_are_counted_in_each_row():
    found = documents_of(positions([3, 1, 1, 2], [7]))

    assert found.tolist() == [[0, 0, 0, 1, 2, 3, 3], [0] * 7]


def made(**fields):
    return models.materialise(models.shape_of(ModelSize(**{**TINY, "init_std": 0.2, **fields})), 1, "cpu")


def with_attention(name, **fields):
    model = made(**fields)
    model.set_attn_implementation(name)
    return model


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, when it loads its compiler
@pytest.mark.slow  # compiles three kernels: half a minute
@pytest.mark.parametrize("fields", [{"kv_heads": 2}])
def test_flex_is_sdpa_and_does_not_leak(fields):
    """Rows of 150 (no whole block), of one row and of two, and the 16 tokens of the proof at start."""
    sdpa, flex = made(**fields), with_attention(attention.FLEX, **fields)

    with torch.no_grad():
        for places in (positions([1, 130, 1, 18]), positions([149, 1], [20, 1, 129])):
            ids = torch.randint(0, 100, places.shape, generator=torch.Generator().manual_seed(5))
            torch.testing.assert_close(
                attention.hidden_states(flex, ids, places),
                attention.hidden_states(sdpa, ids, places),
                atol=2e-5, rtol=0,
            )  # fmt: skip
        attention.refuse_leaks(flex)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.slow  # compiles a layer
def test_flex_within_compiled_layers_is_compiled_once():
    """As on a GPU, forward: with checkpointing, and with other documents in each batch."""
    torch._dynamo.reset()
    counters.clear()
    sdpa, flex = made(), with_attention(attention.FLEX)
    activation_checkpointing.apply(flex, "selective")
    compile_layers(flex)

    with torch.no_grad():
        for first in (20, 21, 22):
            places = positions([first, 150 - first], [150])
            ids = torch.randint(0, 100, places.shape, generator=torch.Generator().manual_seed(first))
            got, wanted = (attention.hidden_states(model, ids, places) for model in (flex, sdpa))
            torch.testing.assert_close(got, wanted, atol=2e-5, rtol=0)

    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("fields", [{}, {"kv_heads": 2}, {"kv_heads": 1, "head_dim": 32}])
def test_split_is_sdpa_forward_and_backward_and_does_not_leak(fields, dtype):
    sdpa, split = made(**fields), with_attention(attention.SPLIT, **fields)
    places = positions([1, 40, 1, 18], [60], [1] * 60)
    ids = torch.randint(0, 100, places.shape, generator=torch.Generator().manual_seed(5))
    close = {"atol": 2e-5, "rtol": 1e-4} if dtype == torch.float32 else {"atol": 0.1, "rtol": 0.1}

    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        attention.refuse_leaks(split)
        ours, theirs = (attention.hidden_states(model, ids, places) for model in (split, sdpa))
    torch.testing.assert_close(ours, theirs, **close)
    if dtype == torch.float32:
        direction = torch.randn(ours.shape, generator=torch.Generator().manual_seed(6))
        for hidden in (ours, theirs):
            (hidden * direction).sum().backward()
        for one, other in zip(split.model.parameters(), sdpa.model.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4 * other.grad.abs().max())


@settings(max_examples=40)
@given(st.lists(lengths, min_size=1, max_size=3))
def test_lengths_of_documents_are_those_of_the_rows(rows):
    places = positions(*rows)
    wanted = []
    for row in places.tolist():
        begins = [place for place, position in enumerate(row) if position == 0]
        wanted += [end - begin for begin, end in pairwise([*begins, len(row)])]

    assert document_lengths(places) == wanted


@pytest.mark.parametrize("name", [attention.FLEX, attention.SPLIT])
def test_a_call_that_says_nothing_of_documents_is_refused(name):
    """It would run without a mask: every document would see the ones before it, and the future."""
    with pytest.raises(ChejilError, match="would leak"):
        with_attention(name).model(input_ids=torch.arange(8)[None], use_cache=False)


def test_the_device_chooses():
    model = made()
    for kind, device, compiled, chosen in (
        ("auto", "cuda", False, attention.FLEX),
        ("auto", "cuda", True, attention.FLEX),
        ("auto", "cpu", True, "sdpa"),
        ("auto", "cpu", False, attention.SPLIT),
        ("sdpa", "cuda", True, "sdpa"),
        ("flex", "cuda", True, attention.FLEX),
        ("split", "cpu", False, attention.SPLIT),
    ):
        attention.use(model, kind, device, compiled)
        assert model.config._attn_implementation == chosen


@pytest.mark.parametrize(
    ("kind", "said"), [("flex", "no backward pass"), ("split", "compile the layers again")]
)
def test_what_cannot_train_is_refused(kind, said):
    config = PretrainConfig(
        name="t", model=TINY, tokens="none", batch_tokens=512, total_tokens=5120,
        schedule={"learning_rate": 1e-3}, attention=kind,
    )  # fmt: skip

    with pytest.raises(ChejilError, match=said):
        models.build(config, "cpu")


def test_an_exported_model_knows_nothing_of_it(tmp_path):
    """Another program loads it with an attention of its own."""
    with_attention(attention.FLEX).save_pretrained(tmp_path)

    assert "chejil" not in (tmp_path / "config.json").read_text()
