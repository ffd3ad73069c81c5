"""LoRA goes to the layers that it should, and to no others, whatever the architecture; its folder says its base."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
sys.path.insert(0, str(Path(__file__).parent))
import tiny_models  # noqa: E402

from chejil.errors import ChejilError  # noqa: E402
from chejil.training import installed  # noqa: E402
from chejil.training.tuning import adapter_folder, base_model, lora  # noqa: E402
from chejil.training.tuning.lora import LoraSettings, adapted  # noqa: E402

LAYERS = {
    "llama": "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj",
    "llama-tied": "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj",
    "gpt_neox": "query_key_value dense dense_h_to_4h dense_4h_to_h",
    "rwkv": "key value receptance output",
    "gpt2": "c_attn c_proj c_fc",
    "qwen3": "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj",
    "opt": "q_proj k_proj v_proj out_proj fc1 fc2",
    "bloom": "query_key_value dense dense_h_to_4h dense_4h_to_h",
    "mamba": "in_proj",
    "starcoder2": "q_proj k_proj v_proj o_proj c_fc c_proj",
}
IDS = torch.arange(24).reshape(1, 24)


def logits(model, ids=IDS):
    with torch.inference_mode():
        return model.eval()(input_ids=ids, use_cache=False).logits


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama's folder."""
    return tiny_models.folder(tmp_path_factory.mktemp("base") / "llama", "llama")


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    """A trained adapter's folder, of that base."""
    folder = tmp_path_factory.mktemp("adapter") / "lora"
    made = tiny_models.train(adapted(tiny_models.model("llama"), LoraSettings(rank=4, token_rows=[5])).model)
    adapter_folder.write(made, str(folder), base, {"step": 3})
    return folder


@pytest.fixture
def copy(adapter, tmp_path):
    """The adapter, to be damaged; without what would tell that first."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in (adapter_folder.CONFIG, adapter_folder.WEIGHTS):
        (folder / name).write_bytes((adapter / name).read_bytes())
    return folder


def rewrite(folder, change):
    """Other tensors in an adapter's file."""
    from safetensors.torch import load_file, save_file

    file = folder / adapter_folder.WEIGHTS
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_of_the_blocks_and_never_the_head(name):
    """Names by architecture; adapters start as nothing, and they alone train."""
    model, plain = tiny_models.model(name), tiny_models.model(name)
    lora.steady(plain)
    before = logits(plain)

    made = adapted(model, LoraSettings(rank=4))

    assert set(made.targets) == set(LAYERS[name].split())
    assert not made.head_trains
    trained = [key for key, one in made.model.named_parameters() if one.requires_grad]
    assert trained
    assert all(".lora_A." in key or ".lora_B." in key for key in trained)
    assert made.trained == sum(one.numel() for one in made.model.parameters() if one.requires_grad) < made.all
    torch.testing.assert_close(logits(made.model), before, rtol=1e-5, atol=2e-6)
    assert f"{made.trained:,} of {made.all:,} weights train" in str(made)


@pytest.mark.parametrize("name", LAYERS)
def test_a_written_adapter_is_read_as_it_was(name, tmp_path):
    """Through our folder, with our checks, and by PEFT as it stands."""
    base = tiny_models.folder(tmp_path / "base", name)
    made = tiny_models.train(adapted(tiny_models.model(name), LoraSettings(rank=4)).model)
    expected = logits(made)

    adapter_folder.write(made, str(tmp_path / "lora"), base)
    read = adapter_folder.read(str(tmp_path / "lora"))

    assert adapter_folder.require_base(read, base_model.read(base)) == []
    ours = adapter_folder.load(tiny_models.model(name), read)
    assert torch.equal(logits(ours), expected)
    if name != "rwkv":  # PEFT alone counts its adapter double there
        with lora.quiet():
            plain = peft.PeftModel.from_pretrained(tiny_models.model(name), str(tmp_path / "lora"))
        assert torch.equal(logits(plain), expected)
    assert not torch.allclose(logits(tiny_models.model(name)), expected, atol=1e-3)


def test_rwkv_does_not_scale_its_weights_under_an_adapter():
    """It would divide the base's weights by 2 and 4 behind the adapter's back; also if it has done so before."""
    model = tiny_models.model("rwkv")
    value = model.rwkv.blocks[2].feed_forward.value.weight.clone()
    logits(model)
    assert torch.equal(model.rwkv.blocks[2].feed_forward.value.weight, value / 4)

    lora.steady(model)

    assert torch.equal(model.rwkv.blocks[2].feed_forward.value.weight, value)
    made = tiny_models.train(adapted(model, LoraSettings(rank=4)).model)
    unmerged = logits(made)
    with lora.quiet():
        torch.testing.assert_close(logits(made.merge_and_unload()), unmerged, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["llama", "llama-tied", "gpt_neox", "rwkv", "gpt2"])
def test_training_lowers_the_loss_and_leaves_the_base(name):
    """Gradients reach every adapter and the rows of new tokens; the base's weights stay bit for bit."""
    model = tiny_models.model(name)
    before = {key: one.clone() for key, one in model.named_parameters()}
    made = adapted(model, LoraSettings(rank=4, dropout=0, token_rows=[3])).model
    trained = {key: one for key, one in made.named_parameters() if one.requires_grad}
    optimiser = torch.optim.AdamW(trained.values(), 1e-2)
    losses = []
    for _ in range(12):
        loss = made.train()(input_ids=IDS, labels=IDS, use_cache=False).loss
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    assert losses[-1] < losses[0] - 0.2
    assert all(float(one.grad.abs().max()) > 0 for one in trained.values())
    kept = peft.utils.save_and_load.get_base_model_state_dict(made)
    assert all(torch.equal(kept[key], one) for key, one in before.items())


def test_names_dotted_names_and_regular_expressions():
    """Each is a way to name layers; the last two name only some of those of one name."""

    def targets(*names):
        made = adapted(tiny_models.model("gpt_neox"), LoraSettings(rank=2, targets=list(names)))
        return [
            name.removesuffix(".lora_A.default")
            for name, _ in made.model.named_modules()
            if name.endswith("lora_A.default")
        ]

    layers = "base_model.model.gpt_neox.layers"
    dense = [f"{layers}.0.attention.dense", f"{layers}.1.attention.dense"]
    assert targets("dense") == dense
    assert targets("attention.dense") == dense
    assert targets(r".*\.1\.mlp\..*") == [f"{layers}.1.mlp.dense_h_to_4h", f"{layers}.1.mlp.dense_4h_to_h"]
    assert targets("gpt_neox.layers.0.attention.dense") == dense[:1]


@pytest.mark.parametrize("target", ["xxx", "lm_head", "q_prj", "embed_tokens", "model.layers"])
def test_a_target_that_no_layer_has_is_refused(target):
    """KULLM's "xxx" beside a real one too; the error names what is there."""
    with pytest.raises(ChejilError, match=f"no linear layer is called '{target}'") as error:
        adapted(tiny_models.model("llama"), LoraSettings(targets=["q_proj", target]))
    assert "model.layers.*.self_attn.q_proj" in error.value.mend
    assert ("did you mean 'q_proj'" in error.value.mend) == (target == "q_prj")


@pytest.mark.parametrize(
    "settings",
    [{"targets": []}, {"targets": ["("]}, {"targets": [""]}, {"rank": 0}, {"dropout": 1}, {"alpha": 0}, {"r": 8}],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(settings):
    """By pydantic, with the field."""
    with pytest.raises(ValidationError, match=next(iter(settings))):
        LoraSettings(**settings)


def test_every_setting_is_described():
    """What `--help` and the docs show."""
    assert all(field.description for field in LoraSettings.model_fields.values())


@pytest.mark.parametrize(("name", "ends"), [("llama", 2), ("llama-tied", 1), ("gpt_neox", 2), ("rwkv", 2)])
def test_rows_of_new_tokens_train_and_no_others(name, ends):
    """In embedding and head; of a tied model once. Other rows stay."""
    model = tiny_models.model(name)
    rows = model.get_input_embeddings().weight.detach().clone()

    made = adapted(model, LoraSettings(rank=2, token_rows=["<|im_start|>", 9]), {"<|im_start|>": 7})

    assert made.head_trains
    deltas = [one for key, one in made.model.named_parameters() if "trainable_tokens" in key]
    assert [tuple(one.shape) for one in deltas if one.requires_grad] == [(2, tiny_models.WIDTH)] * ends
    with lora.quiet():
        merged = tiny_models.train(made.model).merge_and_unload().get_input_embeddings().weight
    changed = (merged != rows).any(1).nonzero().flatten().tolist()
    assert changed == [7, 9]


@pytest.mark.parametrize(
    ("token", "says"), [("<|im_stat|>", "did you mean '<|im_start|>'"), (96, "no row 96")]
)
def test_tokens_that_are_none_are_refused(token, says):
    """By name, and by the rows that the model has."""
    with pytest.raises(ChejilError) as error:
        adapted(tiny_models.model("llama"), LoraSettings(token_rows=[token]), {"<|im_start|>": 7})
    assert says in str(error.value)


def test_modules_that_train_whole():
    """With a tied head both are the same weights still; a name that is none is refused."""
    made = adapted(tiny_models.model("llama-tied"), LoraSettings(modules_to_save=["embed_tokens"])).model
    tiny_models.train(made)
    unmerged = logits(made)
    with lora.quiet():
        merged = made.merge_and_unload()
    torch.testing.assert_close(logits(merged), unmerged, rtol=1e-4, atol=1e-5)
    assert merged.lm_head.weight is merged.model.embed_tokens.weight
    with pytest.raises(ChejilError, match="no module 'embed_token'"):
        adapted(tiny_models.model("llama"), LoraSettings(modules_to_save=["embed_token"]))
    with pytest.raises(ChejilError, match="both name the embedding"):
        adapted(tiny_models.model("llama"), LoraSettings(modules_to_save=["embed_tokens"], token_rows=[3]))


def test_rank_stabilised_counts_by_the_square_root():
    """alpha / sqrt(rank), not alpha / rank."""
    for stabilised, scale in ((True, 32 / 16**0.5), (False, 2.0)):
        made = adapted(tiny_models.model("llama"), LoraSettings(rank_stabilised=stabilised)).model
        assert made.base_model.model.model.layers[0].mlp.up_proj.scaling == {"default": scale}


def test_the_seed_alone_makes_the_first_weights():
    """Whatever was drawn before; and drawing goes on where it was."""

    def first(seed):
        torch.manual_seed(torch.seed() % 1000)
        before = torch.get_rng_state()
        made = adapted(tiny_models.model("llama"), LoraSettings(rank=2), seed=seed).model
        return before, {key: one for key, one in made.state_dict().items() if "lora_A" in key}

    (_, one), (_, same), (_, other) = first(1), first(1), first(2)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not any(torch.equal(one[key], other[key]) for key in one)


def test_adapters_of_a_bf16_base_are_fp32():
    """Steps of 1e-4 would be lost in bf16's 8 bits."""
    made = adapted(tiny_models.model("llama").to(torch.bfloat16), LoraSettings()).model
    kinds = {one.requires_grad: one.dtype for one in made.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}


def test_a_quantised_model_is_refused():
    """Its weights are not there to be added to."""
    model = tiny_models.model("llama")
    model.config.quantization_config = {"quant_method": "bitsandbytes"}
    with pytest.raises(ChejilError, match="quantised"):
        adapted(model, LoraSettings())


def test_equal_adapters_are_equal_bytes(base, tmp_path):
    """PEFT writes a set of names in the order of their hashes, which each process draws anew."""
    code = (
        "import sys; sys.path[:0] = sys.argv[3:]; import tiny_models\n"
        "from chejil.training.tuning import adapter_folder, lora\n"
        "made = lora.adapted(tiny_models.model('llama'), lora.LoraSettings(rank=2)).model\n"
        "adapter_folder.write(made, sys.argv[1], sys.argv[2])"
    )
    paths = [str(Path(__file__).parent), *sys.path]
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "there"), base, *paths],
        env={**os.environ, "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1"}, check=True, capture_output=True,
    )  # fmt: skip
    made = adapted(tiny_models.model("llama"), LoraSettings(rank=2)).model
    adapter_folder.write(made, str(tmp_path / "here"), base)

    found = [
        {path.name: path.read_bytes() for path in (tmp_path / one).iterdir()} for one in ("here", "there")
    ]
    assert found[0] == found[1]
    layers = json.loads(found[0][adapter_folder.CONFIG])["target_modules"]
    assert layers == sorted(layers)
    assert set(found[0]) == {adapter_folder.CONFIG, adapter_folder.WEIGHTS, adapter_folder.FILE}


def test_the_folder_is_replaced_by_another_adapter_and_nothing_else(adapter, base, tmp_path):
    """What a training writes again; a folder of other things is left alone."""
    made = adapted(tiny_models.model("llama"), LoraSettings(rank=2)).model
    adapter_folder.write(made, str(tmp_path / "lora"), base)
    told = adapter_folder.write(made, str(tmp_path / "lora"), base, {"step": 4})
    assert adapter_folder.read(str(tmp_path / "lora")).told == told
    assert told["told"] == {"step": 4}
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/mine.txt").write_text("x")
    with pytest.raises(ChejilError, match="something else than an adapter"):
        adapter_folder.write(made, str(tmp_path / "notes"), base)
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["mine.txt"]


def test_training_goes_on_from_a_folder(adapter):
    """Loaded to be trained, the adapter's weights alone train, and are those of the file."""
    made = adapter_folder.load(tiny_models.model("llama"), adapter_folder.read(str(adapter)), trainable=True)
    again = peft.utils.get_peft_model_state_dict(made, save_embedding_layers=False)
    from safetensors.torch import load_file

    written = load_file(adapter / adapter_folder.WEIGHTS)
    assert again.keys() == written.keys()
    assert all(torch.equal(again[key], written[key]) for key in written)
    names = {key for key, one in made.named_parameters() if one.requires_grad}
    assert len(names) == len(written)


def test_the_hash_is_of_the_weights_not_of_their_files(base, tmp_path):
    """Split into other files it is the same base; one weight changed, another."""
    model = tiny_models.model("llama")
    model.save_pretrained(tmp_path / "split", max_shard_size="20KB")
    assert len(list((tmp_path / "split").glob("*.safetensors"))) > 2
    model.lm_head.weight.data[3, 3] += 1e-6
    model.save_pretrained(tmp_path / "other")

    one, split, other = (
        base_model.hashes(base_model.read(place)) for place in (base, tmp_path / "split", tmp_path / "other")
    )

    assert one == split
    assert one["weights"] != other["weights"]
    assert one["config"] == other["config"]


def test_another_base_is_refused_where_the_adapter_knows_its_own(adapter, base, tmp_path):
    """bf16 of the same weights too: a merge would not be what was trained."""
    read = adapter_folder.read(str(adapter))
    other = tiny_models.folder(tmp_path / "bf16", "llama", torch.bfloat16)
    assert adapter_folder.require_base(read, base_model.read(base)) == []
    with pytest.raises(ChejilError, match="not the adapter's base"):
        adapter_folder.require_base(read, base_model.read(other))


def test_without_our_file_names_and_shapes_are_what_is_checked(copy, base):
    """A note says so; a model without those layers is refused."""
    read = adapter_folder.read(str(copy))
    (note,) = adapter_folder.require_base(read, base_model.read(base))
    assert "names and shapes only" in note
    adapter_folder.load(tiny_models.model("llama"), read)
    with pytest.raises(ChejilError, match=r"has a layer .*down_proj, the model \(gpt_neox\) none"):
        adapter_folder.load(tiny_models.model("gpt_neox"), read)
    with pytest.raises(
        ChejilError, match=r"k_proj goes from 32 to 32 in the adapter, the model's is \[16, 32\]"
    ):
        adapter_folder.load(tiny_models.model("llama-tied"), read)


def cut(folder):
    file = folder / adapter_folder.WEIGHTS
    file.write_bytes(file.read_bytes()[:-100])


def config_of(**changes):
    def change(folder):
        file = folder / adapter_folder.CONFIG
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return change


def drop(part):
    def change(folder):
        def without(tensors):
            del tensors[next(name for name in sorted(tensors) if part in name)]

        rewrite(folder, without)

    return change


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut, "it is cut off"),
        (lambda folder: (folder / adapter_folder.WEIGHTS).write_bytes(b""), "no header of safetensors"),
        (lambda folder: (folder / adapter_folder.WEIGHTS).write_bytes(b"\xff" * 300), "no header of safetensors"),
        (lambda folder: (folder / adapter_folder.WEIGHTS).write_bytes(b"\2\0\0\0\0\0\0\0[]"), "no header"),
        (lambda folder: (folder / adapter_folder.WEIGHTS).unlink(), "adapter_model.safetensors is missing"),
        (
            lambda folder: (folder / adapter_folder.WEIGHTS).rename(folder / adapter_folder.PICKLE),
            "weights are a pickle",
        ),
        (lambda folder: (folder / adapter_folder.CONFIG).write_text("{"), "not JSON"),
        (lambda folder: (folder / adapter_folder.CONFIG).write_text("[]"), "no JSON object"),
        (lambda folder: (folder / adapter_folder.CONFIG).unlink(), "no adapter"),
        (config_of(peft_type="PROMPT_TUNING"), "an adapter of another kind: PROMPT_TUNING"),
        (config_of(layer_replication=[[0, 1]]), "cannot be merged"),
        (config_of(r=8), "has rank 4 and 4, adapter_config.json says 8"),
        (drop("lora_B"), "has only one of lora_A and lora_B"),
    ],
)  # fmt: skip
def test_a_damaged_adapter_is_a_clear_error(copy, damage, says):
    """Each with what is wrong, where, and how to mend it."""
    damage(copy)
    with pytest.raises(ChejilError, match=says) as error:
        adapter_folder.read(str(copy))
    assert str(copy) in error.value.where
    assert error.value.mend


def test_weights_that_are_missing_or_unknown_are_refused(copy):
    """PEFT would warn, and leave the layer as it was drawn."""
    rewrite(copy, lambda tensors: [tensors.pop(name) for name in list(tensors) if ".1.mlp.up_proj." in name])
    with pytest.raises(ChejilError, match="misses 2 weights"):
        adapter_folder.load(tiny_models.model("llama"), adapter_folder.read(str(copy)))
    config_of(target_modules=["q_proj"])(copy)
    with pytest.raises(ChejilError, match="has what its config does not name"):
        adapter_folder.load(tiny_models.model("llama"), adapter_folder.read(str(copy)))


def test_a_changed_file_is_told_by_its_hash(adapter, copy):
    """Of equal length and form, so that nothing else would notice."""
    (copy / adapter_folder.FILE).write_bytes((adapter / adapter_folder.FILE).read_bytes())
    assert adapter_folder.read(str(copy)).told
    file = copy / adapter_folder.WEIGHTS
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ChejilError, match="changed or damaged"):
        adapter_folder.read(str(copy))
    (copy / adapter_folder.FILE).write_text('{"format": "chejil adapter 9"}')
    with pytest.raises(ChejilError, match="not of the form"):
        adapter_folder.read(str(copy))


def test_what_is_missing_of_the_extra_is_named(monkeypatch):
    """All at once."""
    monkeypatch.setattr(installed, "find_spec", lambda name: None if name in ("trl", "peft") else object())
    installed.require_torch()
    with pytest.raises(ChejilError, match="trl and peft not installed") as error:
        installed.require_sft()
    assert error.value.mend == "pip install 'chejil[sft]'"
    with pytest.raises(ChejilError, match=r"^peft not installed"):
        installed.require_lora()
