"""A suite inside a fine-tuning: numbers of a plain forward pass, no change of the training, the same after a kill."""

import signal
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("trl")
pytest.importorskip("peft")

import torch
import transformers

sys.path.insert(0, str(Path(__file__).parent))
import small_suites as suites
import small_tunings as small

from chejil.errors import ChejilError
from chejil.tokenizer.files import byte_level
from chejil.training.loop import metrics
from chejil.training.suites import candidates as layouts
from chejil.training.suites import suite_file

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
LORA = {"rank": 4, "dropout": 0.3}


@pytest.fixture(scope="module")
def suite(base, tmp_path_factory):
    """A few candidates are longer than the rows of the trainings below."""
    path = tmp_path_factory.mktemp("suite") / "own.jsonl"
    return suites.write(path, byte_level.read(base).hash, suites.items(3, ids=440, longest=150))


def evaluation(suite, every=3):
    return {"suite": suite, "suite_every_steps": every}


def figures(folder):
    told = metrics.read(folder, "suite")
    return {one["step"]: (one["tasks"], one["acc"], one["gold_prob"]) for one in told}


def plain(model, found):
    """Log-likelihoods: each candidate alone through the model."""
    values = []
    for number in range(found.num):
        ids = torch.from_numpy(found.ids[found.first[number] : found.first[number + 1]]).long()
        scored = int(found.num_scored[number])
        with torch.no_grad():
            log_p = model(ids[None]).logits[0, :-1].log_softmax(-1)
        values.append(float(log_p[-scored:].gather(1, ids[-scored:, None]).sum()))
    return values


@pytest.mark.parametrize("packing", ["packed", "padded"])
def test_log_likelihoods_are_those_of_a_plain_forward_pass(base, data, suite, tmp_path, packing):
    """Before the first step those of the base, behind the last those of the model that is written."""
    with suites.caught() as caught:
        small.tune(
            tmp_path / "run", base, data, packing=packing, evaluation=evaluation(suite), context_tokens=128,
            conversations={"paths": [data], "held_out": {"share": 0}}, micro_batch_rows=2,
        )  # fmt: skip
    found = layouts.candidates(suite_file.read(suite), 127)

    assert found.num_cut > 0
    for folder, values in ((base, caught[0]), (tmp_path / "run" / "model", caught[-1])):
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        np.testing.assert_allclose(values, plain(model, found), atol=1e-4)


@pytest.mark.parametrize("lora", [None, LORA])
def test_a_suite_does_not_change_the_training(base, data, suite, tmp_path, lora):
    """Losses bit for bit, with dropout too; scored before the first step, and at another interval than the saving."""
    small.tune(tmp_path / "with", base, data, lora=lora, evaluation=evaluation(suite, 5))
    small.tune(tmp_path / "without", base, data, lora=lora)

    steps = max(small.losses(tmp_path / "with"))
    assert figures(tmp_path / "with").keys() == {0, *range(5, steps, 5), steps}
    assert small.losses(tmp_path / "with") == small.losses(tmp_path / "without")
    held_out = [
        {one["step"]: one["loss"] for one in metrics.read(tmp_path / name, "evaluation")}
        for name in ("with", "without")
    ]
    assert held_out[0] == held_out[1]


def test_killed_and_resumed_it_has_the_same_figures(base, data, suite, tmp_path):
    small.tune(tmp_path / "whole", base, data, lora=LORA, evaluation=evaluation(suite))
    process = small.start(tmp_path / "killed", base, data, lora=LORA, evaluation=evaluation(suite))
    for line in process.stderr:
        if '"kind":"train"' in line and '"step":6' in line:
            process.kill()
            break
    process.wait(timeout=60)
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == -signal.SIGKILL

    done = small.tune(tmp_path / "killed", base, data, lora=LORA, evaluation=evaluation(suite))

    assert done["from_step"] in (4, 8)  # a signal takes its time
    assert figures(tmp_path / "killed") == figures(tmp_path / "whole")


def test_two_processes_score_the_same(base, data, suite, tmp_path):
    """Weights in parts by FSDP; forward passes in equal number."""
    more = {"evaluation": evaluation(suite, 6), "batch_rows": 4, "micro_batch_rows": 1}
    run = small.start(tmp_path / "two", base, data, 2, **more)
    _, said = run.communicate(timeout=240)
    assert run.returncode == 0, said[-3000:]
    small.tune(tmp_path / "one", base, data, **more)

    ours, theirs = figures(tmp_path / "two"), figures(tmp_path / "one")
    assert ours.keys() == theirs.keys()
    for step, (_, _, gold_prob) in ours.items():
        assert gold_prob == pytest.approx(theirs[step][2], abs=1e-4)


def test_a_suite_of_another_tokenizer_is_refused_before_reading(base, tmp_path):
    other = suites.write(tmp_path / "other.jsonl", "0" * 32, suites.items(2))

    with pytest.raises(ChejilError, match="another tokenizer"):
        small.tune(
            tmp_path / "run", base, str(tmp_path / "no-conversations.jsonl"), evaluation={"suite": other}
        )
