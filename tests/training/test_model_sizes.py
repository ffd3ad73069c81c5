"""Counts of parameters against the models themselves, FLOPs against sums by hand."""

import json

import pytest

from chejil.errors import ChejilError
from chejil.training.modelling import model_sizes
from chejil.training.modelling.model_sizes import FORMULAS, ModelSize, size, size_of_folder, sizes


def built(model):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    with torch.device("meta"):
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(**model.llama_config()))


TINY = {"layers": 2, "hidden": 24, "heads": 4, "ffn": 40, "vocab": 100, "context_tokens": 16}
VARIANTS = [
    {},
    {"tied": True},
    {"kv_heads": 2},
    {"kv_heads": 1, "head_dim": 8},
    {"attention_bias": True},
    {"mlp_bias": True, "attention_bias": True, "kv_heads": 2, "head_dim": 10, "tied": True},
]


@pytest.mark.parametrize("model", [*sizes().values(), *(ModelSize(**{**TINY, **more}) for more in VARIANTS)])
def test_the_counts_are_those_of_the_model_that_transformers_makes(model):
    """All parameters, and those below the layers and the last norm, on the meta device: nothing is allocated."""
    made = built(model)
    named = dict(made.named_parameters())  # a tied head is named once
    vocabulary = sum(
        one.numel() for name, one in named.items() if "embed_tokens" in name or "lm_head" in name
    )

    assert sum(one.numel() for one in named.values()) == model.parameters
    assert model.parameters - vocabulary == model.body_parameters
    assert made.config.vocab_size * made.config.hidden_size == model.embedding_parameters
    assert sum(one.numel() for one in made.model.layers[0].parameters()) == model.layer_parameters


def test_the_published_model_by_hand():
    """24·(4·2048² + 3·2048·5632 + 2·2048) + 2048, and two matrices of 50,304 by 2,048."""
    model = size("1b3")

    assert model.body_parameters == 24 * (4 * 2048**2 + 3 * 2048 * 5632 + 2 * 2048) + 2048 == 1_233_225_728
    assert model.counts() == {
        "body": 1_233_225_728, "body + one vocabulary matrix": 1_336_248_320, "all": 1_439_270_912,
    }  # fmt: skip
    assert model.named_count() == "body + one vocabulary matrix"
    assert model.llama_config()["initializer_range"] == 0.01
    assert model.llama_config()["rms_norm_eps"] == 1e-6


@pytest.mark.parametrize("name", list(sizes()))
def test_a_size_keeps_what_its_name_promises(name):
    """Some count is within a tenth of the name."""
    model = size(name)

    assert min(abs(count / model.named_parameters - 1) for count in model.counts().values()) < 0.1


@pytest.mark.parametrize(
    ("formula", "run_flops", "mfu"),
    [
        ("6n-named", 1.092e22, 0.198),
        ("6n", 1.122e22, 0.203),
        ("6n-all", 1.209e22, 0.219),
        ("6n+6lht", 1.291e22, 0.234),
        ("6n+12lht", 1.461e22, 0.265),
    ],
)
def test_flops_of_the_published_run_by_every_convention(formula, run_flops, mfu):
    """1.4 T tokens, over 49,152 hours of 312 TFLOP/s."""
    flops = size("1b3").flops_per_token(formula) * 1.4e12

    assert flops == pytest.approx(run_flops, rel=1e-3)
    assert flops / (49_152 * 3600 * 312e12) == pytest.approx(mfu, abs=6e-4)


def test_the_attention_term_by_hand():
    """12·L·H·Q·T on a small model: 12·2·4·6·16, half of it behind a causal mask; T may be another."""
    model = ModelSize(**TINY)
    plain = model.flops_per_token("6n")

    assert plain == 6 * (model.parameters - 100 * 24)
    assert model.flops_per_token("6n+12lht") - plain == 12 * 2 * 4 * 6 * 16
    assert model.flops_per_token("6n+6lht") - plain == 6 * 2 * 4 * 6 * 16
    assert model.flops_per_token("6n+6lht", 8) - plain == 6 * 2 * 4 * 6 * 8


def test_tying_does_not_change_what_a_token_costs():
    """The head multiplies every token whether it is a matrix of its own or not."""
    tied, untied = ModelSize(**TINY, tied=True), ModelSize(**TINY)

    assert tied.parameters < untied.parameters
    assert {tied.flops_per_token(f) for f in ("6n", "6n+6lht")} == {
        untied.flops_per_token(f) for f in ("6n", "6n+6lht")
    }


@pytest.mark.parametrize(
    ("call", "what", "mend"),
    [
        (lambda: size("1b33"), "no model size '1b33'", "did you mean '1b3'"),
        (lambda: size("1b3").flops_per_token("6nn"), "no formula '6nn'", "6n"),
        (lambda: ModelSize(**TINY).flops_per_token("6n-named"), "promises", "named_parameters"),
    ],
)
def test_what_is_unknown_is_refused(call, what, mend):
    """With the names that are known."""
    with pytest.raises(ChejilError, match=what) as caught:
        call()
    assert mend in str(caught.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"kv_heads": 3}, "do not share"),
        ({"heads": 5}, "does not divide"),
        ({"head_dim": 7}, "odd"),
        ({"layers": 0}, "greater than 0"),
        ({"layerz": 1}, "Extra inputs"),
    ],
)
def test_what_makes_no_model_is_refused(more, message):
    """Heads that do not fit, and misspelt fields."""
    with pytest.raises(ValueError, match=message):
        ModelSize(**{**TINY, **more})


def test_a_saved_model_has_its_size_again(tmp_path):
    """config.json as transformers writes it."""
    transformers = pytest.importorskip("transformers")
    model = ModelSize(**TINY, kv_heads=2, tied=True, rope_theta=5e5, init_std=0.01, norm_eps=1e-6)
    transformers.LlamaConfig(**model.llama_config()).save_pretrained(tmp_path)

    assert size_of_folder(str(tmp_path)).parameters == model.parameters
    assert size_of_folder(str(tmp_path)) == model.model_copy(update={"head_dim": 6})


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "cannot read"),
        ("{", "not JSON"),
        (json.dumps({"model_type": "gpt2"}), "a model of type 'gpt2'"),
        (json.dumps({"model_type": "llama"}), "'num_hidden_layers' is missing"),
        ("[]", "a model of type None"),
    ],
)
def test_a_folder_without_a_llama_is_refused(tmp_path, content, what):
    """The file is named, and what is wrong with it."""
    if content is not None:
        (tmp_path / "config.json").write_text(content, "utf-8")

    with pytest.raises(ChejilError, match=what) as caught:
        size_of_folder(str(tmp_path))
    assert "config.json" in str(caught.value.where)


def test_every_formula_has_a_price():
    """No formula falls through to another one's N."""
    found = {name: size("1b3").flops_per_token(name) for name in FORMULAS}

    assert len(set(found.values())) == len(FORMULAS)
    assert model_sizes.LLAMA_LIKE == ("llama",)
