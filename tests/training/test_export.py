"""A checkpoint becomes a folder that transformers loads, with the logits of the training and its lineage."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import yaml

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

sys.path.insert(0, str(Path(__file__).parent))
import trained_folder as small  # noqa: E402

from chejil.cli import main  # noqa: E402
from chejil.curation import manifest, shards  # noqa: E402
from chejil.errors import ChejilError  # noqa: E402
from chejil.tokenizer.encoding.encoder import Encoder  # noqa: E402
from chejil.tokenizer.files import byte_level  # noqa: E402
from chejil.training.exporting import export as exporting  # noqa: E402
from chejil.training.exporting import hugging_face_weights  # noqa: E402
from chejil.training.modelling import llama as models  # noqa: E402
from chejil.training.modelling.new_tokens import new_pieces  # noqa: E402

TEXT = "The council met. 시의회는 어제 회의를 열었다."  # "the city council held a meeting yesterday"


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def root(tmp_path_factory, small_run):
    """A run, a tokenizer and token shards side by side."""
    root = tmp_path_factory.mktemp("lab")
    small.tokenizer(root / "tokenizer")
    small.tokens(root / "tokens", [small_run], str(root / "tokenizer"))
    return root


@pytest.fixture(scope="module")
def training(root):
    """The folder of a training, and its model."""
    model = small.train(root / "runs/small", small.config(str(root / "tokens")))
    return root / "runs/small", model


@pytest.fixture(scope="module")
def exported(training, root, small_run):
    """The folder of an export, and what was said of it."""
    out = root / "models/small"
    return out, exporting.export(str(training[0]), str(out), runs=[small_run], license="apache-2.0")


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits


def test_the_logits_are_those_of_the_training(training, exported):
    """Bit for bit, as any tool loads it."""
    loaded = transformers.AutoModelForCausalLM.from_pretrained(exported[0])
    ids = list(range(60))

    assert type(loaded) is transformers.LlamaForCausalLM
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    assert torch.equal(logits(loaded, ids), logits(training[1], ids))


@pytest.mark.parametrize(
    "fields", [{"tied": True}, {"rope_theta": 5e5, "head_dim": 16}, {"attention_bias": True}]
)
def test_models_of_other_shapes_have_their_logits_too(root, tmp_path, fields):
    model = small.train(tmp_path / "t", small.config(str(root / "tokens"), model={**small.MODEL, **fields}))

    exporting.export(str(tmp_path / "t"), str(tmp_path / "out"))

    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert torch.equal(logits(loaded, list(range(60))), logits(model, list(range(60))))
    assert (loaded.lm_head.weight is loaded.model.embed_tokens.weight) == fields.get("tied", False)


def test_bf16_is_the_rounded_weights(training, tmp_path):
    done = exporting.export(str(training[0]), str(tmp_path / "out"), "bf16")

    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    for name, weight in loaded.state_dict().items():
        assert weight.dtype == torch.bfloat16
        assert torch.equal(weight, training[1].state_dict()[name].to(torch.bfloat16))
    assert done.dtype == "bf16"
    assert json.loads((tmp_path / "out/config.json").read_text())["dtype"] == "bfloat16"


def test_large_weights_are_cut_with_an_index(training, tmp_path, monkeypatch):
    monkeypatch.setattr(hugging_face_weights, "MAX_SHARD", "40KB")

    done = exporting.export(str(training[0]), str(tmp_path / "out"))

    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    parts = [name for name in done.files if name.endswith(".safetensors")]
    assert len(parts) > 1
    assert "model.safetensors.index.json" in done.files
    assert torch.equal(logits(loaded, [1, 2, 3]), logits(training[1], [1, 2, 3]))


def test_nothing_of_the_training_is_in_the_config(exported):
    """No name of an attention kernel, no path."""
    config = json.loads((exported[0] / "config.json").read_text())

    assert config["architectures"] == ["LlamaForCausalLM"]
    assert not [name for name in config if "attn_implementation" in name or name.startswith("_")]
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (0, 0, 1)


def test_the_tokenizer_gives_our_ids(exported, root):
    """Without special tokens; with them the end-of-document token stands in front, as in training."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(exported[0])
    encoder = Encoder(str(root / "tokenizer"))

    for text in (TEXT, "", " ", "한글 NFD 한글", "the the\n\n漢字 🙂 ᄒ", "a" * 3000):
        ours = encoder.encode([text]).ids.tolist()
        assert tokenizer(text, add_special_tokens=False).input_ids == ours
        assert tokenizer(text).input_ids == [0, *ours]
        assert tokenizer.decode(ours) == text
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 0, 1)
    assert tokenizer.model_max_length == 64


def test_a_second_text_begins_anew(exported):
    tokenizer = transformers.AutoTokenizer.from_pretrained(exported[0])
    one, two = (tokenizer(text, add_special_tokens=False).input_ids for text in ("a", "b"))

    assert tokenizer("a", "b").input_ids == [0, *one, 0, *two]


def test_the_tokenizer_comes_back_from_transformers(exported, tmp_path):
    """Saved and loaded again it still begins a text; and for our hash it is still the same."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(exported[0])
    tokenizer.save_pretrained(tmp_path)

    assert transformers.AutoTokenizer.from_pretrained(tmp_path)(TEXT).input_ids == tokenizer(TEXT).input_ids
    assert (
        byte_level.read(str(exported[0])).hash == byte_level.read(str(exported[0].parents[1] / "tokens")).hash
    )


def begins_with(monkeypatch, act):
    """The first ids that the model reads while something generates."""
    seen = []
    plain = transformers.LlamaForCausalLM.forward

    def forward(self, input_ids=None, **more):
        seen.append(input_ids)
        return plain(self, input_ids=input_ids, **more)

    monkeypatch.setattr(transformers.LlamaForCausalLM, "forward", forward)
    act()
    return seen[0][0].tolist()


def test_a_prompt_begins_as_documents_began(exported, root, monkeypatch):
    """In the pipeline, without a word to it."""
    write = transformers.pipeline("text-generation", model=str(exported[0]))

    ids = begins_with(monkeypatch, lambda: write("The ferry", max_new_tokens=2, do_sample=False))

    assert ids == [0, *Encoder(str(root / "tokenizer")).encode(["The ferry"]).ids.tolist()]


def test_a_text_out_of_nothing_begins_with_the_token(exported, monkeypatch):
    model = transformers.AutoModelForCausalLM.from_pretrained(exported[0])

    assert begins_with(monkeypatch, lambda: model.generate(max_new_tokens=2)) == [0]


def test_generation_ends_with_the_token(exported):
    """Where the model says that a document is at its end."""
    model = transformers.AutoModelForCausalLM.from_pretrained(exported[0])
    prompt = torch.tensor([[0, 70, 71]])
    states = model.model(prompt).last_hidden_state[0, -1]
    with torch.no_grad():
        model.lm_head.weight[0] = states * 100

    assert model.generate(prompt, max_new_tokens=8, do_sample=False).tolist() == [[0, 70, 71, 0]]


def test_rows_without_a_token_are_not_generated(exported):
    """Even where the model would choose one."""
    out, done = exported
    model = transformers.AutoModelForCausalLM.from_pretrained(out)
    num_ids = byte_level.read(str(out)).num_ids
    states = model.model(torch.tensor([[0, 70, 71]])).last_hidden_state[0, -1]
    with torch.no_grad():
        model.lm_head.weight[num_ids:] = states * 100  # by far the most likely

    chosen = model(torch.tensor([[0, 70, 71]])).logits[0, -1].argmax()
    written = model.generate(torch.tensor([[0, 70, 71]]), max_new_tokens=8, do_sample=False)

    assert chosen >= num_ids
    assert done.unused_rows == 320 - num_ids > 0
    assert written.max() < num_ids


def test_a_training_without_start_tokens_exports_none(root, tmp_path):
    made = small.config(str(root / "tokens"), packing={"start_token": False})
    small.train(tmp_path / "t", made)

    done = exporting.export(str(tmp_path / "t"), str(tmp_path / "out"))

    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert (done.begins_with, done.ends_with) == (None, "<|endoftext|>")
    assert tokenizer("a").input_ids == tokenizer("a", add_special_tokens=False).input_ids
    assert (tokenizer.bos_token, tokenizer.eos_token) == (None, "<|endoftext|>")


def test_shards_without_an_end_of_document_export_none(root, tmp_path, small_run):
    small.tokens(tmp_path / "tokens", [small_run], str(root / "tokenizer"), end=None)
    small.train(tmp_path / "t", small.config(str(tmp_path / "tokens")))

    done = exporting.export(str(tmp_path / "t"), str(tmp_path / "out"))

    assert (done.begins_with, done.ends_with) == (None, None)
    assert transformers.GenerationConfig.from_pretrained(tmp_path / "out").eos_token_id is None


def card_of(out):
    text = (out / "README.md").read_text("utf-8")
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body


def test_the_model_card_says_what_is_known(exported, training):
    head, body = card_of(exported[0])

    assert head["language"] == ["ko", "en"]
    assert (head["license"], head["library_name"]) == ("apache-2.0", "transformers")
    size = sum(weight.numel() for weight in training[1].parameters())
    for said in (
        f"| all | {size:,} |",
        "| body |",
        "| mc4-ko/ko | 1.2500 |",
        "| steps | 3 |",
        "tokens | 768 ",
    ):
        assert said in body, said
    assert "0.5000" not in body  # an evaluation behind this step
    assert str(exported[0]) not in body


def test_the_card_counts_what_was_read(exported, training):
    lineage = orjson.loads((exported[0] / "lineage.json").read_bytes())

    assert sum(row["tokens"] for row in lineage["seen"]) == 3 * 256
    assert {row["source"] for row in lineage["seen"]} == {"mc4-ko", "c4-en"}


def test_the_lineage_leads_to_the_raw_files(exported, small_run, small_corpus, root):
    """Each hash is that of the file that is there."""
    told = orjson.loads((exported[0] / "lineage.json").read_bytes())

    (run,), (tokens,) = told["runs"], told["token_shards"]
    assert run["hash"] == shards.file_hash(f"{small_run}/{manifest.PATH}")
    assert tokens["inputs"] == [{"kind": "run", "name": "small", "hash": run["hash"]}]
    assert told["tokenizer"]["hash"] == byte_level.read(str(root / "tokenizer")).hash
    raw = {row["name"]: row["hash"] for row in run["inputs"]}
    files = {path.name: shards.file_hash(str(path)) for path in small_corpus.rglob("*.json.gz")}
    assert raw == files
    _, body = card_of(exported[0])
    assert all(f"`{one}`" in body for one in (*files.values(), run["hash"], tokens["fingerprint"]))
    for name, one in told["files"].items():
        assert shards.file_hash(str(exported[0] / name)) == one["hash"]


def test_a_run_beside_is_found_and_a_missing_one_is_said(training, tmp_path, small_run, root):
    shutil.copytree(small_run, root / "curated")

    found = exporting.export(str(training[0]), str(tmp_path / "a"))
    shutil.rmtree(root / "curated")
    lost = exporting.export(str(training[0]), str(tmp_path / "b"))

    assert found.warnings == []
    assert lost.warnings == ["lineage ends at small: no such run is here: --run PATH"]
    assert "not found here" in card_of(tmp_path / "b")[1]


def test_another_run_is_no_lineage(training, tmp_path, small_run):
    shutil.copytree(small_run, tmp_path / "other")
    (tmp_path / "other/manifest.json").write_bytes((tmp_path / "other/manifest.json").read_bytes() + b"\n")

    with pytest.raises(ChejilError, match="not made from this run"):
        exporting.export(str(training[0]), str(tmp_path / "out"), runs=[str(tmp_path / "other")])
    with pytest.raises(ChejilError, match="no run"):
        exporting.export(str(training[0]), str(tmp_path / "out"), runs=[str(tmp_path)])


def test_token_shards_that_are_gone_are_no_hindrance(training, root, tmp_path):
    """What they would have told is missing, and that is said."""
    moved = root / "tokens"
    moved.rename(root / "away")
    try:
        done = exporting.export(str(training[0]), str(tmp_path / "out"), tokenizer=str(root / "tokenizer"))
    finally:
        (root / "away").rename(moved)

    assert (done.begins_with, done.ends_with) == ("<|endoftext|>", "<|endoftext|>")
    assert [line.split(":")[0] for line in done.warnings] == [
        "what was read is not known", "lineage ends at tokens",
    ]  # fmt: skip


def test_the_same_checkpoint_gives_the_same_bytes(training, tmp_path, exported, small_run):
    again = exporting.export(
        str(training[0] / "checkpoints/step-00000003"),
        str(tmp_path / "x"),
        runs=[small_run],
        license="apache-2.0",
    )

    assert again.files == exported[1].files


def test_an_export_of_the_same_checkpoint_is_replaced(training, tmp_path):
    out = tmp_path / "out"
    exporting.export(str(training[0]), str(out))
    exporting.export(str(training[0]), str(out), "bf16")

    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_anything_else_in_the_folder_is_left_alone(training, root, tmp_path):
    out = tmp_path / "out"
    exporting.export(str(training[0]), str(out))
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ChejilError, match=r"more than an export.*notes\.txt"):
        exporting.export(str(training[0]), str(out))
    (out / "notes.txt").unlink()
    small.train(tmp_path / "t", small.config(str(root / "tokens"), name="other"))
    with pytest.raises(ChejilError, match="the export of another checkpoint: small, step 3"):
        exporting.export(str(tmp_path / "t"), str(out))
    with pytest.raises(ChejilError, match="something else than an export"):
        exporting.export(str(training[0]), str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(ChejilError, match="this is a file"):
        exporting.export(str(training[0]), str(tmp_path / "file"))


@pytest.mark.parametrize(
    "below", ["", "checkpoints", "checkpoints/step-00000003", "checkpoints/step-00000003/x"]
)
def test_an_export_among_the_checkpoints_is_refused(training, below):
    with pytest.raises(ChejilError, match="among the checkpoints"):
        exporting.export(str(training[0]), str(training[0] / below))


def test_a_failed_export_leaves_nothing(training, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.safetensors")

    monkeypatch.setattr(shards, "write_json", full)
    with pytest.raises(OSError, match="No space left"):
        exporting.export(str(training[0]), str(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_without_a_name_is_told_with_the_folder(training, tmp_path, monkeypatch):
    """As a write fails; safetensors has an error of its own."""
    import safetensors

    for error in (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), safetensors.SafetensorError("I/O error")):

        def full(*_, error=error):
            raise error

        monkeypatch.setattr(hugging_face_weights, "write", full)
        with pytest.raises(ChejilError, match="cannot be written") as caught:
            exporting.export(str(training[0]), str(tmp_path / "out"))
        assert caught.value.where == str(tmp_path / "out")
        assert list(tmp_path.iterdir()) == []


def test_damaged_metrics_are_no_hindrance(training, tmp_path):
    shutil.copytree(training[0], tmp_path / "t")
    file = tmp_path / "t/metrics.jsonl"
    file.write_text("torn\n" + file.read_text())

    done = exporting.export(str(tmp_path / "t"), str(tmp_path / "out"))

    assert any("no evaluation" in line for line in done.warnings)


def test_what_a_killed_export_left_is_swept(training, tmp_path):
    (tmp_path / ".out.chejil-part/sub").mkdir(parents=True)
    (tmp_path / ".out.chejil-part/model.safetensors").write_bytes(b"half")

    exporting.export(str(training[0]), str(tmp_path / "out"))

    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not (tmp_path / "out/sub").exists()


def test_a_second_call_waits_its_turn(training, tmp_path):
    import fcntl

    (tmp_path / ".out.chejil-part").mkdir()
    held = os.open(tmp_path / ".out.chejil-part", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with pytest.raises(ChejilError, match="another call writes"):
            exporting.export(str(training[0]), str(tmp_path / "out"))
    finally:
        os.close(held)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere", "no such folder"),
        ("tokens", "tokens or documents, no training"),
        ("tokenizer", "a tokenizer, no training"),
        ("models/small", "a model of Hugging Face already"),
        ("tokens/manifest.json", "a file, no checkpoint"),
        (".", "no checkpoint and no training"),
    ],
)
def test_other_folders_are_named(exported, root, tmp_path, place, said):
    with pytest.raises(ChejilError, match=said) as caught:
        exporting.export(str(root / place), str(tmp_path / "out"))
    assert "runs/NAME" in str(caught.value)


def test_checkpoints_that_are_not_whole_are_refused(training, tmp_path):
    shutil.copytree(training[0], tmp_path / "t")
    step = tmp_path / "t/checkpoints/step-00000003"
    part = step.with_suffix(".part")
    shutil.copytree(step, part)
    with pytest.raises(ChejilError, match="no whole checkpoint"):
        exporting.export(str(part), str(tmp_path / "out"))
    (weights,) = list(step.glob("*.distcp"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ChejilError, match="not those that were written"):
        exporting.export(str(step), str(tmp_path / "out"))
    (step / "state.json").unlink()
    with pytest.raises(ChejilError, match="no whole checkpoint"):
        exporting.export(str(tmp_path / "t"), str(tmp_path / "out"))
    shutil.rmtree(step)
    with pytest.raises(ChejilError, match="has saved none yet"):
        exporting.export(str(tmp_path / "t"), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_another_tokenizer_is_refused(training, tmp_path):
    other = small.tokenizer(tmp_path / "other", special=("<|endoftext|>", "<|pad|>", "<|more|>"))

    with pytest.raises(ChejilError, match="another tokenizer than the training's"):
        exporting.export(str(training[0]), str(tmp_path / "out"), tokenizer=other)


def test_a_chat_template_comes_from_the_tokenizers_folder(training, root, tmp_path):
    shutil.copytree(root / "tokenizer", tmp_path / "chat")
    (tmp_path / "chat/chat_template.jinja").write_text("{{ messages[0].content }}")

    exporting.export(str(training[0]), str(tmp_path / "out"), tokenizer=str(tmp_path / "chat"))

    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    said = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert said == "hi"


def test_a_training_goes_on_from_an_export(exported, training, root):
    """The other way round: the folder is one to start from, with its own tokenizer or shards of it."""
    made = small.config(str(root / "tokens"), model={"start_from": str(exported[0])})

    model = models.build(made, pieces=new_pieces(str(exported[0]), made.tokens[0]))

    assert torch.equal(logits(model, [1, 2, 3]), logits(training[1], [1, 2, 3]))


def test_scaled_positions_of_a_folder_reach_the_export(root, tmp_path):
    """Llama 3's and linear ones, from a foreign folder through a training to the export."""
    rope = {"rope_type": "llama3", "rope_theta": 1e4, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16}  # fmt: skip
    foreign = foreign_folder(tmp_path / "foreign", rope_parameters=rope)
    made = small.config(str(root / "tokens"), model={"start_from": str(tmp_path / "foreign")})
    model = small.train(tmp_path / "t", made)

    exporting.export(str(tmp_path / "t"), str(tmp_path / "out"))

    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert torch.equal(loaded.model.rotary_emb.inv_freq, foreign.model.rotary_emb.inv_freq)
    assert torch.equal(logits(loaded, list(range(60))), logits(model, list(range(60))))


def foreign_folder(folder, dtype=torch.float32, **fields):
    config = transformers.LlamaConfig(
        **{"vocab_size": 320, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
           "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, **fields}
    )  # fmt: skip
    torch.manual_seed(2)
    model = transformers.LlamaForCausalLM(config).to(dtype)
    model.save_pretrained(folder, max_shard_size="40KB")
    return model.eval()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"dtype": torch.bfloat16},
        {"tie_word_embeddings": True, "dtype": torch.bfloat16},
        {"num_key_value_heads": 1, "head_dim": 16},
        {"attention_bias": True, "mlp_bias": True},
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}},
    ],
)
def test_foreign_folders_are_started_from(tmp_path, fields):
    """Cut into several files, as transformers writes them."""
    foreign_folder(tmp_path, **fields)
    foreign = transformers.LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)

    loaded = models.load(str(tmp_path))

    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    assert torch.equal(logits(loaded, [1, 2, 3]), logits(foreign, [1, 2, 3]))


def test_folders_of_before_transformers_5_keep_their_scaling(tmp_path):
    """`rope_scaling` and `rope_theta` beside one another."""
    foreign_folder(tmp_path)
    file = tmp_path / "config.json"
    content = json.loads(file.read_text())
    del content["rope_parameters"]
    content |= {"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 8.0}}
    file.write_text(json.dumps(content))

    loaded, plain = models.load(str(tmp_path)), transformers.LlamaForCausalLM.from_pretrained(tmp_path)

    assert torch.equal(loaded.model.rotary_emb.inv_freq, plain.model.rotary_emb.inv_freq)
    assert loaded.model.rotary_emb.inv_freq[0] == 1 / 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "rotary positions of type 'dynamic'"),
        (
            {"rope_scaling": {"type": "longrope"}, "rope_parameters": None},
            "rotary positions of type 'longrope'",
        ),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised weights"),
        ({"hidden_act": "gelu"}, "a feed-forward with 'gelu'"),
        ({"model_type": "mistral"}, "a model of type 'mistral'"),
    ],
)
def test_folders_that_cannot_be_trained_on_are_refused(tmp_path, change, said):
    foreign_folder(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))

    with pytest.raises(ChejilError, match=said):
        models.load(str(tmp_path))


def test_the_command(training, tmp_path, capsys, small_run):
    with pytest.raises(SystemExit) as ended:
        main(["export", str(training[0]), "--out", str(tmp_path / "out"), "--dtype", "bf16", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert (said["step"], said["dtype"], said["begins_with"]) == (3, "bf16", "<|endoftext|>")
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path / "nowhere"), "--out", str(tmp_path / "o")])
    assert ended.value.code == 2
    assert "mend:" in capsys.readouterr().err


def test_looking_for_a_checkpoint_needs_no_torch():
    modules = "chejil.commands.export, chejil.training.exporting.trained_checkpoint"
    code = f"import {modules}, sys; print('torch' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "False"
