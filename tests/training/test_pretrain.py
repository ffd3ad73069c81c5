"""A training learns, is what its plain reference is, and is the same on any number of processes and micro batches."""

import math
import shutil
import sys
from pathlib import Path

import orjson
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


from transformers import AutoModelForCausalLM  # noqa: E402

from chejil.errors import ChejilError  # noqa: E402
from chejil.training import config as configs  # noqa: E402
from chejil.training import schedules  # noqa: E402
from chejil.training.exporting.export import export  # noqa: E402
from chejil.training.loop import data as datas  # noqa: E402
from chejil.training.loop import training_state  # noqa: E402
from chejil.training.modelling import llama  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
import small_token_shards as token_shards  # noqa: E402
import small_trainings as small  # noqa: E402

RATE = {"learning_rate": 3e-3, "warmup_steps": 2}
TRACE = Path(__file__).with_name("loss_trace.json")


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return small.tokens(tmp_path_factory.mktemp("shards") / "tokens")


@pytest.fixture(scope="module")
def trained(shards, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    return folder, small.train(folder, shards)


def near(mine, theirs, relative=1e-5):
    assert mine.keys() == theirs.keys()
    for step, values in theirs.items():
        assert mine[step] == pytest.approx(values, rel=relative), step


def held_out_loss(model, config):
    """Nats and tokens of a model on held-out documents, one document at a time, by transformers alone."""
    nats = tokens = 0
    for rows in datas.read(config).held_out:
        for ids, labels, documents in zip(rows.ids_BT, rows.labels_BT, rows.documents_BT, strict=True):
            for document in range(documents.max() + 1):
                mine = documents == document
                with torch.no_grad():
                    logits = model(torch.tensor(ids[mine])[None].long(), use_cache=False).logits[0]
                wanted = torch.tensor(labels[mine]).long()
                nats += float(torch.nn.functional.cross_entropy(logits, wanted, reduction="sum"))
                tokens += int((wanted != -100).sum())
    return nats, tokens


def test_a_training_leaves_what_a_user_needs(trained):
    folder, done = trained

    assert {path.name for path in folder.iterdir()} == {
        "config.yaml", "tokenizer.json", "checkpoints", "metrics.jsonl",
    }  # fmt: skip
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "step-00000004", "step-00000008", "step-00000012",
    ]  # fmt: skip
    assert (done["step"], done["num_steps"], done["stopped_by"]) == (12, 12, None)
    assert done["sources"].keys() == {"books/en", "web/ko"}
    assert sorted(small.records(folder, "evaluation")) == [6, 12]
    again = configs.load(str(folder / "config.yaml"))
    assert again.steps == 12
    assert again.held_out.share == 0.05


def test_a_checkpoint_says_what_it_was_made_from(trained, shards):
    folder, _ = trained

    state = orjson.loads((folder / "checkpoints" / "step-00000012" / "state.json").read_bytes())

    corpus = datas.read(configs.PretrainConfig.model_validate(small.settings(shards))).corpus
    assert state["lineage"]["tokenizer"] == corpus.tokenizer_hash
    assert [one["fingerprint"] for one in state["lineage"]["tokens"]] == [corpus.folders[0].fingerprint]
    assert state["tokens"] == 12 * 512


def adamw(weight, moments, rate, decay, step):
    """Loshchilov & Hutter 2019, algorithm 2, as it stands there."""
    first, second = moments
    first.mul_(0.9).add_(0.1 * weight.grad)
    second.mul_(0.95).add_(0.05 * weight.grad**2)
    unbiased = first / (1 - 0.9**step), second / (1 - 0.95**step)
    weight -= rate * (unbiased[0] / (unbiased[1].sqrt() + 1e-8) + decay * weight)


def test_the_whole_training_again_in_plain_torch(trained, shards):
    """A document at a time, torch's own loss, AdamW by its formula: no packing, no micro batches, no sums."""
    folder, _ = trained
    config = configs.PretrainConfig.model_validate(small.settings(shards, attention="sdpa"))
    batches = datas.read(config).batches
    model = llama.build(config)
    moments = {name: [torch.zeros_like(w), torch.zeros_like(w)] for name, w in model.named_parameters()}
    seen = {}
    for step in range(6):
        rows = batches.batch(step)
        losses = []
        for ids, labels, documents in zip(rows.ids_BT, rows.labels_BT, rows.documents_BT, strict=True):
            for document in range(documents.max() + 1):
                mine = documents == document
                logits = model(torch.tensor(ids[mine])[None].long(), use_cache=False).logits[0]
                wanted = torch.tensor(labels[mine]).long()
                losses.append(
                    torch.nn.functional.cross_entropy(logits, wanted, reduction="none", ignore_index=-100)
                )
        loss = torch.cat(losses).sum() / rows.num_learnt_B.sum()
        model.zero_grad()
        loss.backward()
        norm = torch.sqrt(sum(w.grad.square().sum() for w in model.parameters()))
        for weight in model.parameters():
            weight.grad *= min(1.0, 1.0 / norm.item())
        rate = schedules.learning_rate(config.schedule, step, config.steps)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                decay = 0.1 if weight.ndim == 2 and "embed_tokens" not in name else 0.0
                adamw(weight, moments[name], rate, decay, step + 1)
        seen[step + 1] = (loss.item(), norm.item())

    near({step: pair for step, pair in small.losses(folder).items() if step <= 6}, seen, 2e-4)


def test_micro_batches_are_the_big_batch(trained, shards, tmp_path):
    small.train(tmp_path / "run", shards, micro_batch_rows=8)

    near(small.losses(tmp_path / "run"), small.losses(trained[0]))


def test_checkpointed_activations_change_nothing(trained, shards, tmp_path):
    small.train(tmp_path / "run", shards, activation_checkpointing="selective")

    near(small.losses(tmp_path / "run"), small.losses(trained[0]))


@pytest.mark.parametrize(
    ("processes", "sharding"),
    [
        (2, {"kind": "fsdp"}),
        (2, {"kind": "none"}),
        (4, {"kind": "hsdp", "group_ranks": 2}),
        (4, {"kind": "fsdp", "reshard_after_forward": False}),
    ],
)
def test_processes_are_one(trained, shards, tmp_path, processes, sharding):
    run = small.start(tmp_path / "run", shards, processes, sharding=sharding)

    said = run.communicate(timeout=240)

    assert run.returncode == 0, said[1][-2000:]
    near(small.losses(tmp_path / "run"), small.losses(trained[0]))
    assert small.read(tmp_path / "run") == small.read(trained[0])
    evaluated = [small.records(folder, "evaluation")[12] for folder in (tmp_path / "run", trained[0])]
    assert evaluated[0]["bits_per_byte"] == pytest.approx(evaluated[1]["bits_per_byte"], rel=1e-5)
    assert evaluated[0]["num_bytes"] == evaluated[1]["num_bytes"]


def test_the_deterministic_mode_trains_the_same(trained, shards, tmp_path):
    try:
        small.train(tmp_path / "run", shards, deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)

    assert small.losses(tmp_path / "run") == small.losses(trained[0])


def test_bf16_is_near_fp32(trained, shards, tmp_path):
    small.train(tmp_path / "run", shards, precision="bf16", schedule=RATE, total_tokens=4 * 512)

    exact = {step: pair for step, pair in small.losses(trained[0]).items() if step <= 3}
    near({step: pair for step, pair in small.losses(tmp_path / "run").items() if step <= 3}, exact, 0.02)


def test_one_batch_is_learnt_by_heart(tmp_path):
    """Two documents, seen 80 times: a model that reads its own rows gets near zero."""
    shards = token_shards.write(tmp_path / "tokens", {("one", "ko"): token_shards.documents(3, 2, 60, 50)})
    done = small.train(
        tmp_path / "run", shards, batch_tokens=128, total_tokens=128 * 80, held_out={"share": 0},
        optimiser={"weight_decay": 0.0}, schedule={"learning_rate": 2e-2, "warmup_steps": 5},
        checkpoints={"every_steps": 1000}, evaluation={"every_steps": 1000}, spikes={"sigma": None},
        logging={"every_steps": 80, "tensorboard": False}, mixture={"max_epochs": {"*": 1000}},
    )  # fmt: skip

    curve = small.losses(tmp_path / "run")
    assert curve[1][0] > 5.0
    assert curve[done["step"]][0] < 0.02


def test_the_losses_are_those_of_before(trained):
    """A stored trace: a change of data order, initial weights, loss or optimiser shows here first.

    To accept one: write the new values into loss_trace.json, and say in CHANGELOG.md what changed.
    """
    curve = small.losses(trained[0])

    stored = {int(step): tuple(pair) for step, pair in orjson.loads(TRACE.read_bytes()).items()}
    near(curve, stored, 1e-4)


def test_a_stage_with_another_mixture_is_read_from_its_step_on(shards, tmp_path):
    stages = [{"weights": {"web": 1.0}}, {"from_tokens": 6 * 512, "weights": {"books": 1.0}}]
    small.train(tmp_path / "run", shards, mixture={"stages": stages})

    sources = {step: list(found) for step, found in small.read(tmp_path / "run").items()}
    assert sources == {step: ["web/ko"] if step <= 6 else ["books/en"] for step in range(1, 13)}


def test_other_text_to_measure_on(shards, tmp_path):
    other = token_shards.write(tmp_path / "other", {("news", "ko"): token_shards.documents(9, 5, 40, 10)})

    done = small.train(tmp_path / "run", shards, evaluation={"tokens": other})

    assert done["sources"].keys() == {"news/ko"}
    assert done["num_bytes"] == sum(len(one) for one in token_shards.documents(9, 5, 40, 10))


@pytest.fixture
def huge(shards, tmp_path):
    """A model whose logits are too large for fp32."""
    model = llama.build(configs.PretrainConfig.model_validate(small.settings(shards)))
    with torch.no_grad():
        model.lm_head.weight *= 1e38
    model.save_pretrained(tmp_path / "huge")
    shutil.copy(Path(shards) / "tokenizer.json", tmp_path / "huge")
    return {"start_from": str(tmp_path / "huge")}


def test_no_number_stops_at_once(huge, shards, tmp_path):
    with pytest.raises(ChejilError, match=r"step 1: (loss|grad_norm) is (nan|inf)") as told:
        small.train(tmp_path / "run", shards, model=huge, context_tokens=64, spikes={"sigma": None})
    assert "learning_rate" in told.value.mend
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []


def test_no_number_is_skipped_some_times(huge, shards, tmp_path):
    with pytest.raises(ChejilError, match=r"step 3: .*, 3 steps in a row"):
        small.train(tmp_path / "run", shards, model=huge, context_tokens=64, spikes={"max_skips": 3})
    assert sorted(small.records(tmp_path / "run", "skip")) == [1, 2]


def test_more_ids_than_rows(shards, tmp_path):
    model = {**small.settings(shards)["model"], "vocab": 256}
    with pytest.raises(ChejilError, match="the tokenizer has 257 ids, the model 256 rows") as told:
        small.train(tmp_path / "run", shards, model=model)
    assert "model.vocab to 384" in told.value.mend


def test_a_foreign_tokenizer(shards, tmp_path):
    foreign = token_shards.write(tmp_path / "foreign", {("x", "ko"): [[1, 2]]}, ids=300)
    with pytest.raises(ChejilError, match="shards of another tokenizer"):
        small.train(tmp_path / "run", shards, tokenizer=foreign)


def test_a_tokenizer_that_is_not_there(shards, tmp_path):
    with pytest.raises(ChejilError) as told:
        small.train(tmp_path / "run", shards, tokenizer=str(tmp_path / "none"))
    assert told.value.mend


def test_other_data_behind_a_checkpoint(shards, tmp_path):
    small.train(tmp_path / "run", shards)
    other = token_shards.write(tmp_path / "other", {("web", "ko"): token_shards.documents(5, 200, 60, 20)})
    with pytest.raises(ChejilError, match="made with other rows"):
        small.train(tmp_path / "run", other, total_tokens=10240)


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"heads": 4}, "num_attention_heads is 4, was 2"), ({"rope_theta": 9.0}, "rope_theta is 9.0")],
)
def test_another_model_of_the_same_shapes(shards, tmp_path, changed, said):
    small.train(tmp_path / "run", shards, total_tokens=4 * 512)
    model = {**small.settings(shards)["model"], **changed}
    with pytest.raises(ChejilError, match=f"of another model: .*{said}"):
        small.train(tmp_path / "run", shards, model=model)


def test_a_batch_of_parts_of_rows_that_only_the_folder_of_a_model_shows(huge, shards, tmp_path):
    with pytest.raises(ChejilError, match="batch_tokens is no whole number of rows of 64: 512 is near"):
        small.train(tmp_path / "run", shards, model=huge, batch_tokens=500)


def test_a_foreign_config_is_left_alone(shards, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("my: project")
    with pytest.raises(ChejilError, match=r"something else than a training: config\.yaml"):
        small.train(tmp_path / "run", shards)
    assert (tmp_path / "run" / "config.yaml").read_text() == "my: project"


def test_a_state_that_lacks_something(shards, tmp_path):
    small.train(tmp_path / "run", shards)
    file = tmp_path / "run" / "checkpoints" / "step-00000012" / "state.json"
    file.write_bytes(orjson.dumps({k: v for k, v in orjson.loads(file.read_bytes()).items() if k != "guard"}))
    with pytest.raises(ChejilError, match="lacks guard") as told:
        small.train(tmp_path / "run", shards, total_tokens=10240)
    assert "step-00000012" in told.value.mend


def test_a_damaged_line_of_metrics_is_cut_off(shards, tmp_path):
    small.train(tmp_path / "run", shards)
    file = tmp_path / "run" / "metrics.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:5], b"{half\n", *lines[5:]]))
    small.train(tmp_path / "run", shards, total_tokens=8192)
    assert sorted(small.losses(tmp_path / "run")) == list(range(1, 17))


def test_fewer_steps_than_are_done(shards, tmp_path):
    small.train(tmp_path / "run", shards)
    with pytest.raises(ChejilError, match="has done 12 steps, the config has 8"):
        small.train(tmp_path / "run", shards, total_tokens=4096)


def test_a_folder_of_something_else(shards, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "letters.txt").write_text("편지")  # letters
    with pytest.raises(ChejilError, match=r"something else than a training: letters\.txt"):
        small.train(tmp_path / "run", shards)


def test_a_folder_on_object_storage(shards, tmp_path, monkeypatch):
    """A path of a URL has lost a slash: nothing is made under `s3:`."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ChejilError, match="checkpoints need a file system"):
        small.train("s3://bucket/run", shards)
    assert not list(tmp_path.iterdir())


def test_text_to_measure_on_that_is_trained_on(shards, tmp_path):
    with pytest.raises(ChejilError, match=r"evaluation\.tokens is trained on"):
        small.train(tmp_path / "run", shards, evaluation={"tokens": f"{shards}/"})


def test_a_batch_that_does_not_divide(shards, tmp_path):
    with pytest.raises(ChejilError, match="8 rows cannot be divided among 1 processes of 3 rows at once"):
        small.train(tmp_path / "run", shards, micro_batch_rows=3)


def test_a_finished_training_is_not_trained_again(shards, tmp_path):
    first = small.train(tmp_path / "run", shards)
    before = small.losses(tmp_path / "run")

    again = small.train(tmp_path / "run", shards)

    assert again["from_step"] == again["step"] == 12
    assert again["bits_per_byte"] == first["bits_per_byte"]
    assert small.losses(tmp_path / "run") == before
    assert small.records(tmp_path / "run", "resume") == {}


def test_a_longer_training_goes_on(shards, tmp_path):
    small.train(tmp_path / "run", shards)
    done = small.train(tmp_path / "run", shards, total_tokens=8192)

    assert (done["from_step"], done["step"]) == (12, 16)
    assert sorted(small.losses(tmp_path / "run")) == list(range(1, 17))
    assert all(math.isfinite(loss) for loss, _ in small.losses(tmp_path / "run").values())


def test_what_is_saved_are_the_weights(trained, shards):
    """The last checkpoint, read without any of the training, has the loss of the last evaluation."""
    folder, done = trained
    config = configs.PretrainConfig.model_validate(small.settings(shards, attention="sdpa"))
    model = llama.build(config)
    model.load_state_dict(training_state.weights_of(folder / "checkpoints" / "step-00000012"))
    nats, tokens = held_out_loss(model, config)
    assert nats / tokens == pytest.approx(done["loss"], rel=1e-5)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_training_is_exported_and_gone_on_from(shards, tmp_path, processes):
    """What transformers loads has the loss of the last evaluation; a training that starts from it begins there."""
    run = small.start(tmp_path / "run", shards, processes, precision="fp32", total_tokens=8 * 512)
    assert run.communicate(timeout=120) is not None
    assert run.returncode == 0
    export(str(tmp_path / "run"), str(tmp_path / "model"), "fp32")

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    config = configs.PretrainConfig.model_validate(small.settings(shards, total_tokens=8 * 512))
    wanted = small.records(tmp_path / "run", "evaluation")[8]
    nats, tokens = held_out_loss(model, config)
    assert tokens == wanted["num_tokens"]
    assert nats / tokens == pytest.approx(wanted["loss"], rel=1e-5)

    small.train(
        tmp_path / "more", shards, model={"start_from": str(tmp_path / "model")}, context_tokens=64,
        schedule={"learning_rate": 1e-9}, total_tokens=512,
    )  # fmt: skip
    evaluated = small.records(tmp_path / "more", "evaluation")[1]
    assert evaluated["loss"] == pytest.approx(wanted["loss"], rel=1e-5)
