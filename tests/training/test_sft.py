"""Fine-tuning: what is learnt, that it ends, that it equals the reference, that it goes on after a kill."""

import json
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("trl")
pytest.importorskip("peft")

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from chejil.errors import ChejilError, RecipeError
from chejil.training.loop import metrics
from chejil.training.loop.parallel import World
from chejil.training.tuning import (
    row_isolation,
    sft,
    sft_checkpoints,
    sft_config,
    sft_data,
    sft_rows,
    trainer_arguments,
)
from chejil.training.tuning.held_out_loss import HeldOutRows
from chejil.training.tuning.sft_config import SftConfig
from chejil.training.tuning.sft_data import Tokens

sys.path.insert(0, str(Path(__file__).parent))
import small_tunings as small

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return small.model(tmp_path_factory.mktemp("base") / "model")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small.conversations(tmp_path_factory.mktemp("data") / "sums.jsonl")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, base, data):
    """A fine-tuning that nobody interrupted: its folder, and what it returned."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, small.tune(folder, base, data)


def config(base, data, **more):
    return SftConfig.model_validate(small.settings(base, data, **more))


def answer(folder, question, **more):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    asked = [{"role": "user", "content": question}]
    ids = tokenizer.apply_chat_template(
        asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    found = model.generate(**ids, max_new_tokens=40, do_sample=False, **more)[0, ids["input_ids"].shape[1] :]
    return tokenizer.decode(found)


def test_it_learns_answers_and_stops(tmp_path, base):
    """A handful of answers, repeated to the letter, each with its end: generation stops of itself."""
    # What is the sky like; the sea; a greeting: it is blue / deep / nice to meet you
    pairs = [("하늘은 어때?", "파랗습니다."), ("바다는 어때?", "깊습니다."), ("hello", "nice to meet you")]
    rows = [
        {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in pairs
    ]
    data = small.write(tmp_path / "pairs.jsonl", rows * 8)
    done = small.tune(
        tmp_path / "run", base, data, epochs=30, batch_rows=2, packing="packed",
        conversations={"paths": [data], "held_out": {"share": 0}}, checkpoints={"every_steps": 1000},
    )  # fmt: skip
    assert done["stopped_by"] is None
    assert done["held_out"] is None
    for question, said in pairs:
        assert answer(done["model"], question) == f"{said}<|im_end|>"
    tokenizer = AutoTokenizer.from_pretrained(done["model"])
    ends = transformers.GenerationConfig.from_pretrained(done["model"]).eos_token_id
    assert ends[0] == tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_held_out_loss_falls_and_the_best_is_kept(whole):
    """The model that is left has the loss of the best measurement, below the base's."""
    folder, done = whole
    measured = {one["step"]: one["loss"] for one in metrics.read(folder, "evaluation")}
    assert done["held_out"]["loss"] == min(measured[step] for step in measured if step)
    assert done["held_out"]["loss"] < done["held_out"]["before"] == measured[0]
    assert {"ko", "en"} & set(done["held_out"]["languages"])
    lineage = json.loads((folder / "model" / "lineage.json").read_text())
    assert lineage["step"] == done["held_out"]["step"]
    assert lineage["base"]["weights"]


def test_the_model_of_a_worse_end_is_the_best_one(tmp_path, base, data):
    """A learning rate that destroys: the loss rises, and an earlier checkpoint is what is left."""
    done = small.tune(
        tmp_path / "run", base, data, epochs=4, checkpoints={"every_steps": 3},
        schedule={"learning_rate": 0.5, "kind": "constant", "warmup_share": 0.5},
    )  # fmt: skip
    measured = {one["step"]: one["loss"] for one in metrics.read(tmp_path / "run", "evaluation")}
    best = min((loss, step) for step, loss in measured.items() if step)
    assert best[1] < max(measured), "the end is the best: this proves nothing"
    assert done["held_out"]["step"] == best[1]
    saved = tmp_path / "run" / "checkpoints" / f"checkpoint-{best[1]}" / "model.safetensors"
    one, other = (AutoModelForCausalLM.from_pretrained(place) for place in (done["model"], saved.parent))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    left = {int(path.name.rpartition("-")[2]) for path in saved.parent.parent.iterdir()}
    assert left == {best[1], *sorted(measured)[-2:]}, "the two newest, and the best beside them"
    before = (tmp_path / "run" / "model" / "model.safetensors").read_bytes()
    (tmp_path / "run").rename(tmp_path / "moved")
    again = small.tune(
        tmp_path / "moved", base, data, epochs=4, checkpoints={"every_steps": 3},
        schedule={"learning_rate": 0.5, "kind": "constant", "warmup_share": 0.5},
    )  # fmt: skip
    assert again["from_step"] == again["num_steps"]
    assert (tmp_path / "moved" / "model" / "model.safetensors").read_bytes() == before
    (tmp_path / "moved" / "checkpoints" / f"checkpoint-{best[1]}" / "complete.json").unlink()
    with pytest.raises(ChejilError, match="best held-out loss is gone"):
        small.tune(
            tmp_path / "moved", base, data, epochs=4, checkpoints={"every_steps": 3},
            schedule={"learning_rate": 0.5, "kind": "constant", "warmup_share": 0.5},
        )  # fmt: skip


def test_labels_and_loss_equal_trls_own(tmp_path, base, data):
    """TRL reads the same messages with its own template code and mask: same ids, same labels, same loss."""
    from trl import SFTConfig as TrainerConfig
    from trl import SFTTrainer

    found = sft_data.read(config(base, data, conversations={"paths": [data], "held_out": {"share": 0}}))
    table = sft_rows.one_a_row(found.train)
    rows = [json.loads(line) for line in Path(data).read_text().splitlines()]
    tokenizer = AutoTokenizer.from_pretrained(base)
    args = TrainerConfig(
        str(tmp_path), use_cpu=True, bf16=False, assistant_only_loss=True, report_to=[], disable_tqdm=True,
        activation_checkpointing=False, shuffle_dataset=False, per_device_train_batch_size=8, max_length=64,
        dataloader_pin_memory=False,
    )  # fmt: skip
    from datasets import Dataset

    trainer = SFTTrainer(
        AutoModelForCausalLM.from_pretrained(base), args, train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )  # fmt: skip
    assert trainer.train_dataset["input_ids"][:] == table["input_ids"].to_pylist()
    assert trainer.train_dataset["labels"][:] == table["labels"].to_pylist()
    batch = trainer.data_collator([trainer.train_dataset[number] for number in range(8)])
    reference = trainer.compute_loss(trainer.model, dict(batch)).item()
    with torch.no_grad():
        plain = AutoModelForCausalLM.from_pretrained(base)(**batch).loss.item()
    mine = small.tune(
        tmp_path / "run", base, data, epochs=0.16, batch_rows=8, micro_batch_rows=8,
        conversations={"paths": [data], "held_out": {"share": 0}}, seed=3,
    )  # fmt: skip
    assert mine["step"] == 1
    order = sft_rows.rows_of(
        found.train, config(base, data, batch_rows=8, micro_batch_rows=8, epochs=0.16, seed=3)
    ).order
    seen = trainer.data_collator([trainer.train_dataset[int(number)] for number in order])
    with torch.no_grad():
        expected = trainer.compute_loss(trainer.model, dict(seen)).item()
    assert small.losses(tmp_path / "run")[1][0] == pytest.approx(expected, abs=1e-6)
    assert reference == pytest.approx(plain, abs=1e-6)


def test_packed_and_padded_losses_agree(tmp_path, base, data):
    """The same conversations in one step: a row of many, rows of one, and small micro batches give one loss."""
    found = {}
    for packing, micro, rows in (("packed", 1, None), ("padded", 48, 48), ("padded", 4, 48)):
        everything = {"paths": [data], "held_out": {"share": 0}}
        if rows is None:
            all_data = sft_data.read(config(base, data, conversations=everything))
            rows = sft_rows.packed(all_data.train, 64).num_rows
        small.tune(
            tmp_path / f"{packing}{micro}", base, data, packing=packing, micro_batch_rows=micro, batch_rows=rows,
            epochs=1, conversations=everything,
        )  # fmt: skip
        found[packing, micro] = small.losses(tmp_path / f"{packing}{micro}")[1]
    for other in list(found.values())[1:]:
        assert other == pytest.approx(found["packed", 1], rel=2e-5)


def test_two_processes_of_fsdp_equal_one(tmp_path, base, data):
    """Losses, gradient norms and the held-out loss of every step; one file of weights that loads."""
    alone = small.tune(tmp_path / "one", base, data, sharding="none")
    process = small.start(tmp_path / "two", base, data, processes=2, sharding="fsdp", micro_batch_rows=1)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said[-3000:]
    one, two = small.losses(tmp_path / "one"), small.losses(tmp_path / "two")
    assert one.keys() == two.keys()
    for step, values in one.items():
        assert two[step] == pytest.approx(values, rel=1e-4), step
    measured = [metrics.read(tmp_path / name, "evaluation")[-1] for name in ("one", "two")]
    assert measured[1]["loss"] == pytest.approx(measured[0]["loss"], rel=1e-4)
    assert measured[1]["num_tokens"] == measured[0]["num_tokens"]
    models = [AutoModelForCausalLM.from_pretrained(tmp_path / name / "model") for name in ("one", "two")]
    for mine, other in zip(*(one.parameters() for one in models), strict=True):
        assert torch.allclose(mine, other, atol=2e-3)
    assert alone["held_out"]["num_tokens"] == measured[1]["num_tokens"]


@pytest.mark.parametrize("lora", [None, {"rank": 4, "dropout": 0.3}])
def test_a_killed_training_goes_on_as_if_nothing_had_been(tmp_path, base, data, lora):
    """kill -9 behind step 6: the same command repeats steps 5 and 6 and ends with the same losses, dropout too."""
    small.tune(tmp_path / "whole", base, data, lora=lora)
    process = small.start(tmp_path / "killed", base, data, lora=lora)
    for line in process.stderr:
        if '"kind":"train"' in line and '"step":6' in line:
            process.kill()
            break
    process.wait(timeout=60)
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == -signal.SIGKILL
    done = small.tune(tmp_path / "killed", base, data, lora=lora)
    assert done["from_step"] in (4, 8)  # a signal takes its time
    assert small.losses(tmp_path / "killed") == small.losses(tmp_path / "whole")
    names = ("model", "model.safetensors") if lora is None else ("adapter", "adapter_model.safetensors")
    files = [tmp_path / run / names[0] / names[1] for run in ("killed", "whole")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_sigterm_saves_and_the_same_command_goes_on(tmp_path, base, data):
    """The exit code is the signal's; nothing looks finished."""
    process = small.start(tmp_path / "run", base, data, epochs=3)
    for line in process.stderr:
        if '"kind":"train"' in line and '"step":2,' in line:
            process.send_signal(signal.SIGTERM)
            break
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, out
    assert not (tmp_path / "run" / "model").exists()
    step = sft_checkpoints.last(tmp_path / "run" / "checkpoints", told_of(tmp_path / "run"))[1]
    done = small.tune(tmp_path / "run", base, data, epochs=3)
    assert done["from_step"] == step > 0
    assert (tmp_path / "run" / "model" / "config.json").exists()


def told_of(folder):
    place = sorted((folder / "checkpoints").glob("checkpoint-*/complete.json"))[0]
    return json.loads(place.read_text())


def test_an_interrupted_save_leaves_the_one_before(tmp_path, whole, base, data):
    """Half a checkpoint, as a kill leaves it, is none: it is removed, and the training goes on from the one before."""
    folder = tmp_path / "run"
    shutil.copytree(whole[0], folder)
    shutil.rmtree(folder / "model")
    last = folder / "checkpoints" / f"checkpoint-{whole[1]['num_steps']}"
    (last / "complete.json").unlink()
    (last / "optimizer.pt").unlink()
    done = small.tune(folder, base, data)
    assert 0 < done["from_step"] < done["num_steps"]
    assert (last / "complete.json").exists()
    assert small.losses(folder) == small.losses(whole[0])


def test_a_damaged_checkpoint_and_a_changed_training_are_refused(tmp_path, whole, base, data):
    """A file that is cut, other conversations, another learning rate, another base: each is named."""
    folder = tmp_path / "run"
    shutil.copytree(whole[0], folder)
    with pytest.raises(ChejilError, match="another config: schedule"):
        small.tune(folder, base, data, schedule={"learning_rate": 1e-3})
    more = small.conversations(tmp_path / "more.jsonl", 60)
    with pytest.raises(ChejilError, match="other conversations"):
        small.tune(folder, base, more)
    other = small.model(tmp_path / "other", rope_theta=500.0, initializer_range=0.5)
    with pytest.raises(ChejilError, match="another model"):
        small.tune(folder, other, data)
    with pytest.raises(ChejilError, match="other held-out"):
        small.tune(
            folder,
            base,
            data,
            conversations={"paths": [data], "held_out": {"share": 0.2, "max_conversations": 2}},
        )
    last = folder / "checkpoints" / f"checkpoint-{whole[1]['num_steps']}" / "optimizer.pt"
    told = json.loads((last.parent / "complete.json").read_text())
    (last.parent / "complete.json").write_text(json.dumps({**told, "is_sharded": True}))
    with pytest.raises(ChejilError, match="sharded"):
        small.tune(folder, base, data)
    (last.parent / "complete.json").write_text(json.dumps(told))
    last.write_bytes(last.read_bytes()[:100])
    with pytest.raises(ChejilError, match=r"damaged: optimizer\.pt"):
        small.tune(folder, base, data)


def test_a_finished_training_says_so(whole, base, data):
    """Nothing is trained again, and what it left stays."""
    folder, first = whole
    before = (folder / "model" / "model.safetensors").read_bytes()
    again = small.tune(folder, base, data)
    assert again["from_step"] == again["step"] == first["step"]
    assert (folder / "model" / "model.safetensors").read_bytes() == before


def long_rows(file):
    """Of two turns that fit, of which the first alone fits, and of one that never does."""
    short = [{"role": "user", "content": "안녕"}, {"role": "assistant", "content": "네"}]  # hello; yes
    long = [
        {"role": "user", "content": "길게"},
        {"role": "assistant", "content": "가나다라마바사 " * 20},
    ]  # at length
    return small.write(file, [{"messages": short}, {"messages": [*short, *long]}, {"messages": long}])


@pytest.mark.parametrize(
    ("overflow", "kept", "cut", "left_out"),
    [("drop", 1, 0, {"too_long": 2}), ("cut_turns", 2, 1, {"too_long": 1}), ("truncate", 3, 2, {})],
)
def test_what_is_too_long_follows_the_policy_and_is_counted(tmp_path, base, overflow, kept, cut, left_out):
    """Dropped whole, cut at a turn, or cut anywhere: never without a number, with file and line."""
    rows = long_rows(tmp_path / "long.jsonl")
    settings = {"paths": [rows], "overflow": overflow, "held_out": {"share": 0}}
    found = sft_data.read(config(base, rows, conversations=settings, max_truncated_share=1))
    counts = found.counts()
    assert (counts["conversations"], counts["cut"], counts["left_out"]) == (kept, cut, left_out)
    assert found.train.lengths.max() <= 64
    for fault in found.faults:
        assert (Path(fault.file).name, fault.reason) == ("long.jsonl", "too_long")
        assert fault.line in (2, 3)
    last = found.train.taken(np.array([found.train.num - 1]))
    ends = last.ids[-1] if overflow == "truncate" else None
    assert ends is None or ends not in found.encoder.special.values()


def test_refuse_and_the_audit_refuse_what_is_too_long(tmp_path, base):
    """`overflow: refuse` names the first; by `drop` the audit refuses when there are too many."""
    rows = long_rows(tmp_path / "long.jsonl")
    settings = {"paths": [rows], "overflow": "refuse", "held_out": {"share": 0}}
    with pytest.raises(ChejilError, match="context_tokens are 64") as caught:
        sft_data.read(config(base, rows, conversations=settings))
    assert str(caught.value.where).endswith("long.jsonl:2")
    with pytest.raises(ChejilError, match="truncated"):
        small.tune(tmp_path / "run", base, rows)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_bad_rows_are_quarantined_and_the_rest_is_learnt(tmp_path, base, data):
    """No answer, a role twice, no JSON: counted, written down with their lines, and the training goes on."""
    odd = tmp_path / "odd.jsonl"
    odd.write_text(
        '{"messages": [{"role": "user", "content": "혼자"}]}\n'  # alone
        '{"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"},'
        ' {"role": "assistant", "content": "c"}]}\n{"messages": \n',
        "utf-8",
    )
    done = small.tune(
        tmp_path / "run", base, data, conversations={"paths": [data, str(odd)], "held_out": {"share": 0.2}}
    )
    assert sum(done["conversations"]["left_out"].values()) == 3
    lines = [json.loads(line) for line in (tmp_path / "run" / "quarantine.jsonl").read_text().splitlines()]
    assert {(Path(line["file"]).name, line["line"]) for line in lines} == {
        ("odd.jsonl", n) for n in (1, 2, 3)
    }


def test_no_question_is_on_both_sides(tmp_path, base):
    """Of a question with several answers all are held out or none; what a held-out file asks is taken out."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"질문 {n // 3}"},
                {"role": "assistant", "content": f"답 {n}"},
            ]
        }
        for n in range(90)
    ]  # question, answer
    data = small.write(tmp_path / "many.jsonl", rows)
    found = sft_data.read(config(base, data, conversations={"paths": [data], "held_out": {"share": 0.3}}))
    asked = [prompts(found, part) for part in (found.train, found.held_out)]
    assert asked[0]
    assert asked[1]
    assert not asked[0] & asked[1]
    held = small.write(tmp_path / "held.jsonl", rows[:3])
    given = {"paths": [data], "held_out": {"paths": [held]}}
    found = sft_data.read(config(base, data, conversations=given))
    assert found.counts()["left_out"] == {"asked_in_held_out": 3}
    assert found.held_out.num == 3
    assert found.train.num == 87


def prompts(found, tokens):
    """What is asked, as text."""
    rows = [tokens.taken(np.array([number])) for number in range(tokens.num)]
    return {found.encoder.decode(row.ids[: int(row.learnt.argmax())]) for row in rows}


def test_every_epoch_sees_every_row_in_an_order_of_its_own(base, data):
    """Three epochs and what fills the last batch; the order follows from the seed alone."""
    found = sft_data.read(config(base, data))
    rows = sft_rows.rows_of(found.train, config(base, data, epochs=3))
    epochs = [rows.order[n * rows.num : (n + 1) * rows.num] for n in range(3)]
    for one in epochs:
        assert sorted(one) == list(range(rows.num))
    assert not np.array_equal(epochs[0], epochs[1])
    assert len(rows.order) % 4 == 0
    again = sft_rows.rows_of(found.train, config(base, data, epochs=3))
    assert again.hash == rows.hash
    assert sft_rows.rows_of(found.train, config(base, data, epochs=3, seed=2)).hash != rows.hash


def test_packed_rows_hold_whole_conversations(base, data):
    """Each conversation stands in one row, from end to end, with its labels."""
    found = sft_data.read(config(base, data, packing="packed"))
    table = sft_rows.packed(found.train, 64)
    pieces = []
    for row in table.to_pylist():
        assert sum(row["seq_lengths"]) == len(row["input_ids"]) == len(row["labels"]) <= 64
        at = 0
        for length in row["seq_lengths"]:
            pieces.append((row["input_ids"][at : at + length], row["labels"][at : at + length]))
            at += length
    whole = [(row["input_ids"], row["labels"]) for row in sft_rows.one_a_row(found.train).to_pylist()]
    assert sorted(pieces) == sorted(whole)
    assert table.num_rows < len(whole)


def test_a_model_that_does_not_keep_rows_apart_is_refused(base):
    """Llama does; a model whose attention sees the whole row, or that takes no positions, does not."""
    model = AutoModelForCausalLM.from_pretrained(base)
    assert row_isolation.difference(model, 600) < 1e-5

    class Leaky(torch.nn.Module):
        def forward(self, input_ids, position_ids=None, use_cache=False):
            return model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids), use_cache=False)

    with pytest.raises(ChejilError, match="sees other conversations"):
        row_isolation.require_isolation(Leaky(), 600)
    recurrent = transformers.RwkvForCausalLM(
        transformers.RwkvConfig(vocab_size=640, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32)
    )
    with pytest.raises(ChejilError, match="packing"):
        row_isolation.require_isolation(recurrent, 600)


def test_flash_attention_takes_no_fp32(monkeypatch, base, data):
    """`auto` passes over it; where it is named, the config is refused and not the first step."""
    monkeypatch.setattr(trainer_arguments, "find_spec", lambda name: name)
    world = World(0, 1, 0, 1, torch.device("cuda"))
    kinds = [
        trainer_arguments.attention(config(base, data, precision=precision), world)
        for precision in ("fp32", "bf16")
    ]
    assert kinds == ["sdpa", "flash_attention_2"]
    with pytest.raises(ChejilError, match="no fp32"):
        trainer_arguments.attention(config(base, data, attention="flash_attention_2"), world)


def test_held_out_batches_are_bounded_with_what_fills_them_up():
    """One long conversation does not make rows of its length of many short ones."""
    random = np.random.default_rng(0)
    lengths = np.append(random.integers(3, 9, 200), [64])
    first = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.arange(first[-1], dtype=np.int32)
    tokens = Tokens(ids, ids % 2 > 0, first, np.arange(201, dtype=np.int32))
    rows = HeldOutRows(tokens, ["x"], np.ones(1), 64)
    sizes = [len(batch) * rows.tokens.lengths[batch.start : batch.stop].max() for batch in rows.batches]
    assert max(sizes) <= 64
    assert len(sizes) < 40
    assert sorted(rows.tokens.ids) == ids.tolist()
    for number in (0, 100, 200):
        one = rows.tokens.streams[number]
        row = rows.tokens.ids[rows.tokens.first[number] : rows.tokens.first[number + 1]]
        assert row.tolist() == ids[first[one] : first[one + 1]].tolist()


def test_bad_configs_say_what_is_wrong(tmp_path, base, data):
    """Unknown keys, batches that do not divide, a context above the model's, a template that is none."""
    file = tmp_path / "bad.yaml"
    file.write_text(
        "name: x\nmodel: m\nconversations: {paths: [a], overfow: drop}\nbatch_rows: 3\nmicro_batch_rows: 2\n"
    )
    with pytest.raises(RecipeError, match="overflow"):
        sft_config.load(str(file))
    with pytest.raises(ChejilError, match="no config 'sft-1b4'"):
        sft_config.load("sft-1b4")
    with pytest.raises(ChejilError, match="the model has 256"):
        small.tune(tmp_path / "run", base, data, context_tokens=512)
    with pytest.raises(ChejilError, match="no chat template"):
        small.tune(tmp_path / "run2", base, data, template="nonesuch")
    with pytest.raises(ValueError, match="no multiple of micro_batch_rows"):
        config(base, data, batch_rows=3, micro_batch_rows=2)


def changed(base, folder, change):
    """A copy of the base whose tensors `change` has changed."""
    shutil.copytree(base, folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_broken_base_is_refused_and_never_drawn_anew(tmp_path, base, data):
    """Weights that are gone, of another shape or no numbers, a type that is unknown, a torn tokenizer_config.json."""
    base = Path(base)
    name = sorted(load_file(base / "model.safetensors"))[0]
    lacking = changed(base, tmp_path / "lacking", lambda tensors: tensors.pop(name))
    with pytest.raises(ChejilError, match="the base misses 1 weights"):
        small.tune(tmp_path / "run", str(lacking), data)
    small_one = changed(base, tmp_path / "small", lambda tensors: tensors.update({name: tensors[name][:-1]}))
    with pytest.raises(ChejilError, match="have another shape"):
        small.tune(tmp_path / "run", str(small_one), data)
    empty = changed(base, tmp_path / "nan", lambda tensors: tensors[name].fill_(float("nan")))
    with pytest.raises(ChejilError, match="held-out loss is not a number"):
        small.tune(tmp_path / "run", str(empty), data)
    alien = shutil.copytree(base, tmp_path / "alien")
    found = json.loads((alien / "config.json").read_text())
    (alien / "config.json").write_text(json.dumps(found | {"model_type": "nonsense"}))
    with pytest.raises(ChejilError, match="nonsense"):
        small.tune(tmp_path / "run", str(alien), data)
    (alien / "tokenizer_config.json").write_text('{"a":')
    with pytest.raises(ChejilError, match="not JSON"):
        small.tune(tmp_path / "run", str(alien), data)


def test_a_step_of_more_rows_than_there_are_is_refused(tmp_path, base, data):
    """It would see every conversation many times, whatever `epochs` says."""
    with pytest.raises(ChejilError, match="a step of 1,000 rows"):
        small.tune(tmp_path / "run", base, data, batch_rows=1000)


def test_a_folder_of_a_killed_beginning_is_taken_up_and_one_of_somebody_is_not():
    """audit.json is written first."""
    assert sft._foreign(set()) is None
    assert sft._foreign({"audit.json"}) is None
    assert "config.yaml" in sft._foreign({"config.yaml"})


def test_the_shipped_configs_load_and_are_the_published_setting():
    """42dot LLM-SFT: 16, 2e-5, 3 epochs, 4,096, no decay, 3 %."""
    found = sft_config.load("sft-1b3")
    schedule = found.schedule
    assert (found.batch_rows, schedule.learning_rate, found.epochs, found.context_tokens) == (
        16,
        2e-5,
        3,
        4096,
    )
    assert (found.optimiser.weight_decay, schedule.warmup_share) == (0.0, 0.03)
    assert sft_config.load("sft-debug").device == "cpu"
