"""The model: documents of a row do not see one another, first weights, folders, groups of the optimiser."""

import json

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from chejil.errors import ChejilError  # noqa: E402
from chejil.training.config import PretrainConfig  # noqa: E402
from chejil.training.modelling import llama as models  # noqa: E402
from chejil.training.modelling.attention import hidden_states, refuse_leaks  # noqa: E402
from chejil.training.modelling.model_sizes import ModelSize  # noqa: E402

TINY = {"layers": 2, "hidden": 32, "heads": 4, "ffn": 48, "vocab": 100, "context_tokens": 64}


pytestmark = pytest.mark.usefixtures("one_thread")


def made(seed=1, **fields):
    return models.materialise(models.shape_of(ModelSize(**{**TINY, **fields})), seed, "cpu")


def config(**model):
    return PretrainConfig(
        name="t", model={**TINY, **model}, tokens="none", batch_tokens=128, total_tokens=1280,
        schedule={"learning_rate": 1e-3},
    )  # fmt: skip


def packed(lengths):
    return torch.cat([torch.arange(length) for length in lengths])[None]


def logits(model, ids, positions):
    return model.lm_head(hidden_states(model, ids, positions))


@pytest.mark.parametrize("fields", [{}, {"kv_heads": 2}, {"tied": True}, {"kv_heads": 1, "head_dim": 16}])
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("bf16", [False, True])
def test_another_document_in_the_row_changes_no_bit(fields, train, bf16):
    model = made(init_std=0.3, **fields).train(train)
    positions = packed([13, 1, 20, 6])
    ids = torch.randint(0, 100, (1, 40), generator=torch.Generator().manual_seed(3))
    others = ids.clone()
    others[:, :14] = (others[:, :14] + 7) % 100  # the first two documents
    others[:, 34:] = (others[:, 34:] + 7) % 100  # the padding or document behind

    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        before, after = logits(model, ids, positions), logits(model, others, positions)

    assert torch.equal(before[:, 14:34], after[:, 14:34])
    assert not torch.equal(before[:, :14], after[:, :14])


@pytest.mark.parametrize("fields", [{}, {"kv_heads": 2}])
def test_a_document_in_a_row_has_the_logits_that_it_has_alone(fields):
    model = made(init_std=0.1, **fields)
    ids = torch.randint(0, 100, (2, 40), generator=torch.Generator().manual_seed(4))
    positions = torch.cat([packed([13, 20, 7]), packed([1, 32, 7])])

    with torch.no_grad():
        together = logits(model, ids, positions)
        first = logits(model, ids[:1, 13:33], packed([20]))
        second = logits(model, ids[1:, 1:33], packed([32]))

    torch.testing.assert_close(together[:1, 13:33], first, atol=1e-5, rtol=0)
    torch.testing.assert_close(together[1:, 1:33], second, atol=1e-5, rtol=0)


def test_gradients_do_not_leak_either():
    model = made(init_std=0.1)
    embedded = torch.randn(1, 30, 32, requires_grad=True)

    model.model(inputs_embeds=embedded, position_ids=packed([12, 18]), use_cache=False).last_hidden_state[
        :, 12:
    ].sum().backward()

    assert embedded.grad[:, :12].abs().max() == 0
    assert embedded.grad[:, 12:].abs().max() > 0


def test_the_right_call_passes_with_every_precision_and_size():
    for model in (made(), made(init_std=0.01, layers=1), made(kv_heads=2).train(), made(vocab=3)):
        refuse_leaks(model)
        with torch.autocast("cpu", torch.bfloat16):
            refuse_leaks(model)


@pytest.mark.parametrize(
    ("leak", "said"),
    [
        ({"attention_mask": lambda ids: torch.ones_like(ids)}, "sees the one before it"),
        ({"use_cache": lambda ids: True}, "sees the one before it"),
        ({"position_ids": lambda ids: torch.arange(ids.shape[1])[None]}, "sees the one before it"),
        ({"attention_mask": lambda ids: torch.ones(1, 1, 16, 16, dtype=torch.bool)}, "those behind it"),
        ({"attention_mask": lambda ids: torch.eye(16, dtype=torch.bool)[None, None]}, "its own beginning"),
    ],
)
def test_calls_that_leak_are_refused(leak, said):
    def leaky(model, ids, positions):
        how = {"position_ids": positions, "attention_mask": None, "use_cache": False}
        how.update({name: make(ids) for name, make in leak.items()})
        return model.model(input_ids=ids, **how).last_hidden_state

    with pytest.raises(ChejilError, match=said):
        refuse_leaks(made(), leaky)


def test_first_weights_are_as_stated():
    model = made(init_std=0.05, hidden=128, ffn=256, vocab=1000, attention_bias=True)

    for name, weight in model.named_parameters():
        if "norm" in name:
            assert (weight == 1).all()
        elif name.endswith("bias"):
            assert (weight == 0).all()
        else:
            assert abs(weight.mean().item()) < 0.002
            assert weight.std().item() == pytest.approx(0.05, rel=0.02)


def test_first_weights_follow_from_seed_and_name():
    one, same, other = made(1), made(1), made(2)
    torch.manual_seed(99)  # the global generator has no say, and is left alone
    state = torch.random.get_rng_state()
    again, deeper = made(1), made(1, layers=3)

    assert torch.equal(torch.random.get_rng_state(), state)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, same.state_dict()[name])
        assert torch.equal(weight, again.state_dict()[name])
        assert torch.equal(weight, deeper.state_dict()[name])
    assert not torch.equal(one.lm_head.weight, other.lm_head.weight)
    assert not torch.equal(one.model.layers[0].mlp.up_proj.weight, one.model.layers[1].mlp.up_proj.weight)


@pytest.mark.parametrize("tied", [False, True])
def test_a_materialised_model_is_one_that_was_built_with_weights(tied):
    """Rotary frequencies are in no state dict, and a tied head is one weight."""
    ours = made(tied=tied)
    theirs = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**ModelSize(**TINY, tied=tied).llama_config())
    )
    theirs.load_state_dict(ours.state_dict())
    ids, positions = torch.arange(30)[None], packed([30])

    with torch.no_grad():
        assert torch.equal(logits(ours, ids, positions), theirs(ids, use_cache=False).logits)
    assert (ours.lm_head.weight is ours.model.embed_tokens.weight) == tied


def test_build_makes_the_model_of_the_config():
    on_cpu, on_meta = models.build(config()), models.build(config(), "meta")

    assert {name: w.shape for name, w in on_cpu.named_parameters()} == {
        name: w.shape for name, w in on_meta.named_parameters()
    }
    assert {w.device.type for w in on_meta.parameters()} == {"meta"}
    assert {w.dtype for w in on_cpu.parameters()} == {torch.float32}
    assert torch.equal(on_cpu.lm_head.weight, made(1).lm_head.weight)


def saved(tmp_path, **fields):
    model = made(**fields)
    model.save_pretrained(tmp_path / "m")
    return model, str(tmp_path / "m")


@pytest.mark.parametrize("tied", [False, True])
def test_a_folder_gives_its_weights_back(tmp_path, tied):
    model, folder = saved(tmp_path, tied=tied, rope_theta=5_000.0)

    started = PretrainConfig(**{**config().model_dump(), "model": {"start_from": folder}})
    loaded = models.build(started)

    ids, positions = torch.arange(30)[None], packed([10, 20])
    with torch.no_grad():
        assert torch.equal(logits(loaded, ids, positions), logits(model, ids, positions))
    refuse_leaks(loaded)


def test_bf16_weights_become_fp32(tmp_path):
    made().to(torch.bfloat16).save_pretrained(tmp_path / "m")

    assert {weight.dtype for weight in models.load(str(tmp_path / "m")).parameters()} == {torch.float32}


@pytest.mark.parametrize("tied", [False, True])
def test_new_rows_are_means_of_their_pieces(tmp_path, tied):
    model, folder = saved(tmp_path, tied=tied)

    grown = models.load(folder, ModelSize(**{**TINY, "vocab": 104}, tied=tied), {100: [3, 4], 101: [7]})

    for old, new in (
        (model.model.embed_tokens.weight, grown.model.embed_tokens.weight),
        (model.lm_head.weight, grown.lm_head.weight),
    ):
        assert new.shape == (104, 32)
        assert torch.equal(new[:100], old)
        torch.testing.assert_close(new[100], (old[3] + old[4]) / 2)
        assert torch.equal(new[101], old[7])
        torch.testing.assert_close(new[103], old.mean(0))
    assert (grown.lm_head.weight is grown.model.embed_tokens.weight) == tied
    assert grown.config.vocab_size == 104


def test_a_longer_context_with_another_base_has_other_frequencies(tmp_path):
    _, folder = saved(tmp_path)
    longer = ModelSize(**{**TINY, "context_tokens": 256}, rope_theta=500_000.0)

    grown, fresh = models.load(folder, longer), models.materialise(models.shape_of(longer), 1, "cpu")

    assert torch.equal(grown.model.rotary_emb.inv_freq, fresh.model.rotary_emb.inv_freq)
    assert grown.config.max_position_embeddings == 256


def test_a_smaller_vocabulary_is_refused(tmp_path):
    _, folder = saved(tmp_path)

    with pytest.raises(ChejilError, match="smaller than the 100 rows"):
        models.load(folder, ModelSize(**{**TINY, "vocab": 50}))


def test_weights_that_are_missing_are_refused(tmp_path):
    """transformers would draw them anew."""
    _, folder = saved(tmp_path)
    file = tmp_path / "m" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "num_hidden_layers": 3}))

    with pytest.raises(ChejilError, match="9 weights are missing"):
        models.load(folder)


def test_weights_of_another_shape_and_none_are_refused(tmp_path):
    _, folder = saved(tmp_path)
    weights = tmp_path / "m" / "model.safetensors"
    content = weights.read_bytes()

    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(ChejilError, match="cannot be read"):
        models.load(folder)
    weights.unlink()
    with pytest.raises(ChejilError, match="cannot be read"):
        models.load(folder)


@pytest.mark.parametrize("tied", [False, True])
def test_decay_is_on_matrices_of_the_body_and_an_untied_head(tied):
    model = made(tied=tied, attention_bias=True, mlp_bias=True)

    decayed, others = models.parameter_groups(model, 0.1)

    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert {id(w) for w in decayed["params"]} | {id(w) for w in others["params"]} == names.keys()
    assert len(decayed["params"]) == 2 * 7 + (not tied)
    for weight in others["params"]:
        name = names[id(weight)]
        assert "norm" in name or name.endswith("bias") or "embed_tokens" in name
