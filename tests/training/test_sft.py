"""Fine-tuning: what is learnt, that it ends, that it equals the reference."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl")
pytest.importorskip("peft")

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from chejil.errors import ChejilError
from chejil.training.loop import metrics
from chejil.training.tuning import (
    sft_data,
    sft_rows,
)

sys.path.insert(0, str(Path(__file__).parent))
import small_tunings as small

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


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

    found = sft_data.read(small.config(base, data, conversations={"paths": [data], "held_out": {"share": 0}}))
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
        found.train, small.config(base, data, batch_rows=8, micro_batch_rows=8, epochs=0.16, seed=3)
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
            all_data = sft_data.read(small.config(base, data, conversations=everything))
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


def test_a_folder_that_cannot_be_a_training(tmp_path, base, data, monkeypatch):
    """On object storage, or of something else: nothing is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ChejilError, match="checkpoints need a file system"):
        small.tune("s3://bucket/run", base, data)
    assert not list(tmp_path.iterdir())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "letters.txt").write_text("편지")  # letters
    with pytest.raises(ChejilError, match=r"something else than a fine-tuning: letters\.txt"):
        small.tune(tmp_path / "run", base, data)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["letters.txt"]
