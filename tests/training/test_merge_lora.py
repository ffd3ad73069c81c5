"""A merged model is the unmerged one, whatever the base; what is not is refused, and nothing is left of it."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
sys.path.insert(0, str(Path(__file__).parent))
import chat_tokenizer  # noqa: E402
import tiny_models  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from chejil import cli  # noqa: E402
from chejil.errors import ChejilError  # noqa: E402
from chejil.training.tuning import adapter_folder, logit_differences, lora, merging  # noqa: E402
from chejil.training.tuning.lora import LoraSettings, adapted  # noqa: E402
from chejil.training.tuning.merging import merge  # noqa: E402

IDS = torch.arange(40).reshape(1, 40)


def logits(model, ids=IDS):
    with torch.inference_mode():
        return model.eval()(input_ids=ids, use_cache=False).logits


def read(folder, dtype=torch.float32):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    lora.steady(model)
    return model


def plain_adapter(folder, base, **fields):
    """An adapter as PEFT alone writes it; the unmerged model."""
    model = read(base)
    with lora.quiet():
        made = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", r=4, **fields))
        tiny_models.train(made).save_pretrained(folder, save_embedding_layers=False)
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("merge")


@pytest.fixture(scope="module")
def base(root):
    """A Llama's folder without a tokenizer, which texts are drawn for."""
    return tiny_models.folder(root / "llama", "llama")


@pytest.fixture(scope="module")
def adapter(root, base):
    """A trained adapter of it."""
    made = tiny_models.train(adapted(tiny_models.model("llama"), LoraSettings(rank=4)).model)
    adapter_folder.write(made, str(root / "lora"), base, {"training": "small", "step": 3})
    return str(root / "lora")


@pytest.fixture
def copy(adapter, tmp_path):
    """The adapter as other tools write it, to be changed."""
    shutil.copytree(adapter, tmp_path / "copy")
    (tmp_path / "copy" / adapter_folder.FILE).unlink()
    return tmp_path / "copy"


@pytest.mark.parametrize("name", tiny_models.configs())
def test_merged_is_unmerged(name, tmp_path):
    """Of every layout, with rows of new tokens; the folder is what transformers loads."""
    base = tiny_models.folder(tmp_path / "base", name)
    made = tiny_models.train(adapted(read(base), LoraSettings(rank=4, token_rows=[7])).model)
    adapter_folder.write(made, str(tmp_path / "lora"), base)

    done = merge(str(tmp_path / "lora"), str(tmp_path / "out"))

    change, merged, again = done.differences
    assert change.largest > 1e-2
    assert merged.largest <= 1e-5 * max(1, merged.largest_logit)
    assert again.largest <= 1e-6 * max(1, again.largest_logit)
    torch.testing.assert_close(logits(read(tmp_path / "out")), logits(made), rtol=1e-4, atol=1e-5)
    before, after = (json.loads((tmp_path / one / "config.json").read_text()) for one in ("base", "out"))
    assert after == before  # rescale_every and tied heads as they were
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_rwkv_merged_by_peft_alone_is_another_model(tmp_path):
    """Why `steady` is there: its scaling divides the base but not the adapter, and is saved."""
    base = tiny_models.folder(tmp_path / "base", "rwkv")
    made = tiny_models.train(adapted(read(base), LoraSettings(rank=4)).model)
    adapter_folder.write(made, str(tmp_path / "lora"), base)
    with lora.quiet():
        plain = peft.PeftModel.from_pretrained(tiny_models.model("rwkv"), str(tmp_path / "lora"))
        logits(plain)
        plain.merge_and_unload().save_pretrained(tmp_path / "plain")

    assert (logits(read(tmp_path / "plain")) - logits(made)).abs().max() > 0.1


@pytest.mark.parametrize(
    "fields",
    [
        {"target_modules": ["q_proj"]},
        {"target_modules": "all-linear", "use_rslora": True},
        {"target_modules": ["q_proj", "up_proj"], "use_dora": True},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["norm"]},
        {"target_modules": ["q_proj", "v_proj"], "rank_pattern": {"v_proj": 2}, "alpha_pattern": {"v_proj": 5}},
        {"target_modules": ["q_proj"], "layers_to_transform": [1]},
        {"target_modules": ["q_proj"], "trainable_token_indices": [3]},
        {"target_modules": ["lm_head", "q_proj"]},
        {"target_modules": ["embed_tokens", "q_proj"]},
    ],
)  # fmt: skip
def test_adapters_of_plain_peft(fields, base, tmp_path):
    """What others have trained: merged, with a note that the base is known by shapes alone."""
    made = plain_adapter(tmp_path / "lora", base, **fields)

    done = merge(str(tmp_path / "lora"), str(tmp_path / "out"), base)

    assert "names and shapes only" in done.notes[0]
    torch.testing.assert_close(logits(read(tmp_path / "out")), logits(made), rtol=1e-4, atol=1e-5)


def test_a_trained_embedding_under_a_tied_head(tmp_path):
    """Plain PEFT leaves the head behind: the merged model is untied, and says so."""
    base = tiny_models.folder(tmp_path / "base", "llama-tied")
    fields = {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]}
    made = plain_adapter(tmp_path / "lora", base, **fields)

    done = merge(str(tmp_path / "lora"), str(tmp_path / "out"), base)

    assert "no longer tied" in done.notes[-1]
    again = read(tmp_path / "out")
    assert again.lm_head.weight is not again.model.embed_tokens.weight
    torch.testing.assert_close(logits(again), logits(made), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_the_cast_is_one_rounding_of_the_sum_in_fp32(dtype, adapter, base, tmp_path):
    """Bit for bit; the printed difference is what a reader of the folder finds."""
    fp32 = merge(adapter, str(tmp_path / "fp32"))
    done = merge(adapter, str(tmp_path / dtype), dtype=dtype)

    exact = load_file(tmp_path / "fp32/model.safetensors")
    cast = load_file(tmp_path / dtype / "model.safetensors")
    kind = getattr(torch, merging.TORCH[dtype])
    assert all(torch.equal(cast[name], exact[name].to(kind)) for name in exact)
    assert cast.keys() == exact.keys()
    assert (fp32.dtype, len(fp32.differences), done.dtype, len(done.differences)) == ("fp32", 3, dtype, 4)
    rounding = done.differences[2]
    assert 0 < fp32.differences[1].largest < rounding.largest < done.differences[0].largest
    ids = logit_differences.ids_of(tmp_path / "nowhere", tiny_models.VOCAB)
    rows = [torch.tensor([row]) for row in ids]
    one, other = (
        torch.cat([logits(read(tmp_path / name), row)[0] for row in rows]) for name in ("fp32", dtype)
    )
    assert float((one - other).abs().max()) == pytest.approx(rounding.largest, rel=1e-3)


def test_a_bf16_base_stays_bf16_and_is_rounded_once(tmp_path):
    """The default is the base's dtype; merging in bf16 itself is further from the unmerged model."""
    base = tiny_models.folder(tmp_path / "base", "llama", torch.bfloat16)
    made = tiny_models.train(adapted(read(base, torch.bfloat16), LoraSettings(rank=4)).model)
    adapter_folder.write(made, str(tmp_path / "lora"), base)
    read_again = adapter_folder.read(str(tmp_path / "lora"))

    done = merge(str(tmp_path / "lora"), str(tmp_path / "out"))

    assert done.dtype == "bf16"
    assert json.loads((tmp_path / "out/config.json").read_text())["dtype"] == "bfloat16"
    unmerged = adapter_folder.load(read(base), read_again)
    exact = unmerged.base_model.model.model.layers[0].mlp.up_proj.get_delta_weight("default")
    sums = read(base).model.layers[0].mlp.up_proj.weight + exact
    weights = load_file(tmp_path / "out/model.safetensors")
    assert torch.equal(weights["model.layers.0.mlp.up_proj.weight"], sums.to(torch.bfloat16))


def test_the_folder_says_what_it_is_of(adapter, base, tmp_path):
    """Lineage for programs, a card for people; the same bytes again from the same inputs."""
    done = merge(adapter, str(tmp_path / "out"))
    merge(adapter, str(tmp_path / "again"))

    told = json.loads((tmp_path / "out/lineage.json").read_text())
    known = adapter_folder.read(adapter).told
    assert told["base"]["weights"] == known["base"]["weights"]
    assert told["adapter"]["files"] == known["files"]
    assert told["adapter"]["told"] == {"training": "small", "step": 3}
    assert told["files"] == done.files
    card = (tmp_path / "out/README.md").read_text()
    assert known["base"]["weights"] in card
    assert "rank 4, alpha 32" in card.lower()
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {*done.files, "lineage.json"}
    assert all(
        (tmp_path / "out" / one).read_bytes() == (tmp_path / "again" / one).read_bytes() for one in names
    )


@pytest.mark.parametrize("of_adapter", [False, True])
def test_tokenizer_template_and_generation_settings_are_kept(of_adapter, tmp_path):
    """Those beside the adapter are what it was trained with; else the base's. Logits are of real texts then."""
    model = tiny_models.model("llama")
    model.resize_token_embeddings(700)
    model.save_pretrained(tmp_path / "base")
    chat_tokenizer.write(tmp_path / "base")
    (tmp_path / "base/generation_config.json").write_text('{"temperature": 0.5, "eos_token_id": [2, 3]}')
    (tmp_path / "base/LICENSE").write_text("own")
    made = tiny_models.train(adapted(read(tmp_path / "base"), LoraSettings(rank=2)).model)
    adapter_folder.write(made, str(tmp_path / "lora"), str(tmp_path / "base"))
    if of_adapter:
        chat_tokenizer.write(tmp_path / "lora", template="chatml")
        (tmp_path / "lora/chat_template.jinja").write_text("{{ messages[0].content }}!")
        (tmp_path / "lora/generation_config.json").write_text('{"eos_token_id": 3}')

    done = merge(str(tmp_path / "lora"), str(tmp_path / "out"))

    source = tmp_path / ("lora" if of_adapter else "base")
    for name in ("tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()
    assert (tmp_path / "out/LICENSE").read_text() == "own"
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    shown = tokenizer.apply_chat_template([{"role": "user", "content": "안녕"}], tokenize=False)  # hello
    assert (shown == "안녕!") == of_adapter
    texts = logit_differences.texts()
    lengths = [min(len(tokenizer(text, add_special_tokens=False).input_ids), 128) for text in texts]
    assert done.places == sum(lengths)


def test_without_generation_settings_the_end_is_that_of_the_config(adapter, base, tmp_path):
    """An empty file would forget the token that ends a text."""
    bare = tmp_path / "bare"
    shutil.copytree(base, bare)
    (bare / "generation_config.json").unlink()
    merge(adapter, str(tmp_path / "out"), str(bare))
    assert json.loads((tmp_path / "out/generation_config.json").read_text())["eos_token_id"] == 2


def test_an_adapter_that_was_never_trained_is_said(base, tmp_path):
    """B is zero: the merged model is the base."""
    adapter_folder.write(
        adapted(tiny_models.model("llama"), LoraSettings()).model, str(tmp_path / "lora"), base
    )
    done = merge(str(tmp_path / "lora"), str(tmp_path / "out"))
    assert done.notes == ["the adapter changes nothing: it was never trained, or its B is all zero"]


def refused(says, *given, **more):
    with pytest.raises(ChejilError, match=says) as error:
        merge(*given, **more)
    assert error.value.mend
    out = Path(given[1])
    assert not out.exists() or [path.name for path in out.iterdir()] == ["mine.txt"]
    assert not list(out.parent.glob(".out*"))


def test_another_base_is_refused(adapter, copy, base, tmp_path):
    """By hash; without one by names and shapes; and what is no base at all."""
    model = tiny_models.model("llama")
    model.model.norm.weight.data += 1e-3
    model.save_pretrained(tmp_path / "tuned")
    out = str(tmp_path / "out")
    refused("not the adapter's base", adapter, out, str(tmp_path / "tuned"))
    refused("the model's is", str(copy), out, tiny_models.folder(tmp_path / "tied", "llama-tied"))
    refused("none", str(copy), out, tiny_models.folder(tmp_path / "neox", "gpt_neox"))
    refused("no model's folder", adapter, out, str(tmp_path))
    refused("a whole model, not an adapter", base, out, base)
    shutil.copytree(tmp_path / "tuned", tmp_path / "cut")
    file = tmp_path / "cut/model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    refused("it is cut off", str(copy), out, str(tmp_path / "cut"))


def test_a_quantised_base_is_refused(adapter, base, tmp_path):
    """Before anything is loaded."""
    shutil.copytree(base, tmp_path / "base")
    config = json.loads((tmp_path / "base/config.json").read_text())
    (tmp_path / "base/config.json").write_text(
        json.dumps({**config, "quantization_config": {"quant_method": "gptq", "bits": 4}})
    )
    refused(r"the base is quantised \(gptq\)", adapter, str(tmp_path / "out"), str(tmp_path / "base"))


def test_a_base_that_lacks_weights_is_refused(copy, base, tmp_path):
    """transformers would draw them."""
    shutil.copytree(base, tmp_path / "base")
    file = tmp_path / "base/model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, file, {"format": "pt"})
    refused("the base misses 1 weights", str(copy), str(tmp_path / "out"), str(tmp_path / "base"))


def test_a_base_that_has_gone_is_asked_for(copy, base, tmp_path):
    """Nothing is downloaded by a name."""
    config = json.loads((copy / adapter_folder.CONFIG).read_text())
    config["base_model_name_or_path"] = "lab/of-elsewhere"
    (copy / adapter_folder.CONFIG).write_text(json.dumps(config))
    refused("base is not here: lab/of-elsewhere", str(copy), str(tmp_path / "out"))
    assert "lab/of-elsewhere" in merge(str(copy), str(tmp_path / "given"), base).notes[0]


@pytest.mark.parametrize(
    ("value", "says"), [(float("nan"), "broken|another"), (1e30, "fp16 cannot hold|another")]
)
def test_weights_that_are_no_numbers_are_refused(value, says, copy, base, tmp_path):
    """A training that diverged; fp16's range."""
    file = copy / adapter_folder.WEIGHTS
    tensors = load_file(file)
    tensors[next(name for name in sorted(tensors) if "lora_B" in name)][0, 0] = value
    save_file(tensors, file)
    refused(says, str(copy), str(tmp_path / "out"), base, dtype="fp16")


def test_fp16_that_overflows_names_the_weight(tmp_path):
    """bf16 holds it."""
    model = tiny_models.model("llama")
    model.lm_head.weight.data[3, 3] = 1e5
    model.save_pretrained(tmp_path / "base")
    made = tiny_models.train(adapted(model, LoraSettings(rank=2)).model)
    adapter_folder.write(made, str(tmp_path / "lora"), str(tmp_path / "base"))
    says = "lm_head.weight has weights that fp16 cannot hold"
    refused(says, str(tmp_path / "lora"), str(tmp_path / "out"), dtype="fp16")
    merge(str(tmp_path / "lora"), str(tmp_path / "out"), dtype="bf16")


def test_a_merge_that_goes_wrong_is_seen(adapter, tmp_path, monkeypatch):
    """One layer left out: the comparison is what catches it."""
    whole = merging._merged

    def without_one(model, read):
        model.base_model.model.model.layers[1].mlp.up_proj.lora_B["default"].weight.data.zero_()
        return whole(model, read)

    monkeypatch.setattr(merging, "_merged", without_one)
    refused("merged model is another than the unmerged one: merged", adapter, str(tmp_path / "out"))


def test_a_file_that_reads_otherwise_is_seen(adapter, tmp_path, monkeypatch):
    """What was written is read again before it appears."""
    whole = merging._save

    def another(model, part, *given):
        model.model.layers[0].mlp.up_proj.weight.data[0, 0] += 3
        whole(model, part, *given)

    monkeypatch.setattr(merging, "_save", another)
    refused("another than the unmerged one: read again", adapter, str(tmp_path / "out"))


def test_what_is_there_already_is_left_alone(adapter, tmp_path):
    """An empty folder is taken."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("x")
    refused("is there already", adapter, str(out))
    (out / "mine.txt").unlink()
    assert merge(adapter, str(out)).files
    with pytest.raises(ChejilError, match="local disk"):
        merge(adapter, "s3://bucket/out")


def test_the_command(adapter, tmp_path):
    """Tables, or the same as JSON."""
    ran = CliRunner().invoke(
        cli.app, ["merge-lora", adapter, "--out", str(tmp_path / "a"), "--dtype", "bf16"]
    )
    assert ran.exit_code == 0, ran.output
    assert "cast to bf16, not unmerged" in ran.stdout
    assert "merging in fp32" in ran.stderr
    ran = CliRunner().invoke(cli.app, ["merge-lora", adapter, "--out", str(tmp_path / "b"), "--json"])
    told = json.loads(ran.stdout)
    assert told["adapted_layers"] == 14
    assert told["differences"][0]["what"] == "the adapter changes the base by"
