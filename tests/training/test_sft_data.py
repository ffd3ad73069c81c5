"""What a fine-tuning learns from: policies, quarantine, held-out questions, rows and their order, bad input."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("trl")
pytest.importorskip("peft")

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from chejil.errors import ChejilError, RecipeError
from chejil.training.loop.parallel import World
from chejil.training.tuning import (
    row_isolation,
    sft,
    sft_config,
    sft_data,
    sft_rows,
    trainer_arguments,
)
from chejil.training.tuning.held_out_loss import HeldOutRows
from chejil.training.tuning.sft_data import Tokens

sys.path.insert(0, str(Path(__file__).parent))
import small_tunings as small

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


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
    found = sft_data.read(small.config(base, rows, conversations=settings, max_truncated_share=1))
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
        sft_data.read(small.config(base, rows, conversations=settings))
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
    found = sft_data.read(
        small.config(base, data, conversations={"paths": [data], "held_out": {"share": 0.3}})
    )
    asked = [prompts(found, part) for part in (found.train, found.held_out)]
    assert asked[0]
    assert asked[1]
    assert not asked[0] & asked[1]
    held = small.write(tmp_path / "held.jsonl", rows[:3])
    given = {"paths": [data], "held_out": {"paths": [held]}}
    found = sft_data.read(small.config(base, data, conversations=given))
    assert found.counts()["left_out"] == {"asked_in_held_out": 3}
    assert found.held_out.num == 3
    assert found.train.num == 87


def prompts(found, tokens):
    """What is asked, as text."""
    rows = [tokens.taken(np.array([number])) for number in range(tokens.num)]
    return {found.encoder.decode(row.ids[: int(row.learnt.argmax())]) for row in rows}


def test_every_epoch_sees_every_row_in_an_order_of_its_own(base, data):
    """Three epochs and what fills the last batch; the order follows from the seed alone."""
    found = sft_data.read(small.config(base, data))
    rows = sft_rows.rows_of(found.train, small.config(base, data, epochs=3))
    epochs = [rows.order[n * rows.num : (n + 1) * rows.num] for n in range(3)]
    for one in epochs:
        assert sorted(one) == list(range(rows.num))
    assert not np.array_equal(epochs[0], epochs[1])
    assert len(rows.order) % 4 == 0
    again = sft_rows.rows_of(found.train, small.config(base, data, epochs=3))
    assert again.hash == rows.hash
    assert sft_rows.rows_of(found.train, small.config(base, data, epochs=3, seed=2)).hash != rows.hash


def test_packed_rows_hold_whole_conversations(base, data):
    """Each conversation stands in one row, from end to end, with its labels."""
    found = sft_data.read(small.config(base, data, packing="packed"))
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
        trainer_arguments.attention(small.config(base, data, precision=precision), world)
        for precision in ("fp32", "bf16")
    ]
    assert kinds == ["sdpa", "flash_attention_2"]
    with pytest.raises(ChejilError, match="no fp32"):
        trainer_arguments.attention(small.config(base, data, attention="flash_attention_2"), world)


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
        small.config(base, data, batch_rows=3, micro_batch_rows=2)


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
