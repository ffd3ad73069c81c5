"""A suite is scored inside a training with the numbers of a plain forward pass, and changes nothing of the training."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

sys.path.insert(0, str(Path(__file__).parent))
import small_suites as suites  # noqa: E402
import small_trainings as small  # noqa: E402
from test_resume import finished, kill_all, wait_for_step  # noqa: E402

from chejil.errors import ChejilError  # noqa: E402
from chejil.tokenizer.files import byte_level  # noqa: E402
from chejil.training.exporting import export as exporting  # noqa: E402
from chejil.training.loop import record_lines, tensorboard_files  # noqa: E402
from chejil.training.loop.suite_scoring import SuiteRows  # noqa: E402
from chejil.training.suites import candidates as layouts  # noqa: E402
from chejil.training.suites import suite_file, suite_scores  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
END = 256


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return small.tokens(tmp_path_factory.mktemp("shards") / "tokens")


@pytest.fixture(scope="module")
def suite(shards, tmp_path_factory):
    """Of its candidates some are longer than the rows of 64 tokens."""
    tokenizer = byte_level.read(shards).hash
    return suites.write(
        tmp_path_factory.mktemp("suite") / "own.jsonl", tokenizer, suites.items(1, longest=90)
    )


@pytest.fixture(scope="module")
def scored(shards, suite, tmp_path_factory):
    """A training with the suite every fourth step: its folder, and log-likelihoods."""
    folder = tmp_path_factory.mktemp("scored") / "run"
    with suites.caught() as found:
        small.train(folder, shards, evaluation={"every_steps": 6, "suite": suite, "suite_every_steps": 4})
    return folder, found


def plain(model, found, number):
    """Log-likelihood of a candidate: it alone through the model."""
    ids = torch.from_numpy(found.ids[found.first[number] : found.first[number + 1]]).long()
    with torch.no_grad():
        log_p = model(ids[None, :-1], use_cache=False).logits[0].log_softmax(-1)
    scored = int(found.num_scored[number])
    return float(log_p[-scored:].gather(1, ids[-scored:, None]).sum())


def test_log_likelihoods_are_those_of_a_plain_forward_pass(scored, suite, tmp_path):
    """Each candidate alone, with the token that begins texts, from the exported weights of the last step."""
    import transformers

    folder, caught = scored
    exporting.export(str(folder), str(tmp_path / "model"))
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    found = layouts.candidates(suite_file.read(suite), 64, (END,))

    expected = [plain(model, found, number) for number in range(found.num)]

    assert found.num_cut > 0
    np.testing.assert_allclose(caught[-1], expected, atol=1e-4)


def test_a_suite_does_not_change_the_training(scored, shards, tmp_path):
    small.train(tmp_path / "without", shards)

    assert small.losses(scored[0]) == small.losses(tmp_path / "without")
    ours, theirs = (small.records(folder, "evaluation") for folder in (scored[0], tmp_path / "without"))
    assert {step: one["sources"] for step, one in ours.items()} == {
        step: one["sources"] for step, one in theirs.items()
    }


def test_records_say_what_was_scored(scored, suite):
    """By task, as means, in a line of a log and as curves."""
    folder, caught = scored
    records = small.records(folder, "suite")
    last = records[12]

    assert records.keys() == {4, 8, 12}
    assert len(caught) == 3
    assert last["suite_hash"] == suite_file.read(suite).hash
    assert last["tasks"]["copa"].keys() == {"acc", "gold_prob", "gold_prob_bytes", "num_items"}
    assert last["num_items"] == sum(task["num_items"] for task in last["tasks"].values()) == 9
    assert last["acc"] == pytest.approx((last["tasks"]["copa"]["acc"] + last["tasks"]["goals"]["acc"]) / 2)
    assert last["acc_norm"] == last["tasks"]["goals"]["acc_norm"]
    curves = dict(tensorboard_files.scalars(last))
    assert curves["suite/copa/acc"] == last["tasks"]["copa"]["acc"]
    assert curves["suite/gold_prob"] == last["gold_prob"]
    assert record_lines.line(last, 12).startswith("step 12/12  suite own  acc 0.")


@pytest.mark.slow
def test_killed_and_resumed_it_has_the_same_figures(scored, shards, suite, tmp_path):
    """kill -9 in step 9 or 10; the checkpoint of step 8 comes after the suite of step 8."""
    evaluation = {"every_steps": 6, "suite": suite, "suite_every_steps": 4}
    longer = {"total_tokens": 512 * 40, "checkpoints": {"every_steps": 8}, "evaluation": evaluation}
    small.train(tmp_path / "whole", shards, **longer)
    run = small.start(tmp_path / "run", shards, **longer)
    wait_for_step(tmp_path / "run", 10, run)
    kill_all(run)
    finished(small.start(tmp_path / "run", shards, **longer))

    def figures(folder):
        told = small.records(folder, "suite")
        return {step: (one["tasks"], one["gold_prob"], one["acc"]) for step, one in told.items()}

    assert small.records(tmp_path / "run", "resume")
    assert figures(tmp_path / "run") == figures(tmp_path / "whole")
    assert figures(tmp_path / "run").keys() == set(range(4, 41, 4))


@pytest.mark.slow
def test_several_processes_score_the_same(scored, shards, suite, tmp_path):
    """An odd number of batches for two processes: one of them has none left in the last round."""
    found = layouts.candidates(suite_file.read(suite), 64, (END,))
    rows = SuiteRows(suite_file.read(suite), found, 64, 2)
    assert len(rows.ids) // 2 % 2 == 1
    evaluation = {"every_steps": 6, "suite": suite, "suite_every_steps": 4}
    run = small.start(tmp_path / "run", shards, 2, evaluation=evaluation)
    finished(run)

    ours, theirs = small.records(tmp_path / "run", "suite"), small.records(scored[0], "suite")
    assert ours.keys() == theirs.keys()
    for step, one in ours.items():
        assert one["gold_prob"] == pytest.approx(theirs[step]["gold_prob"], abs=1e-4)


def test_what_is_wrong_is_said_before_the_first_step(shards, suite, tmp_path):
    lines = Path(suite).read_text().splitlines()
    tokenizer = byte_level.read(shards).hash
    made = suites.items(2)
    odd = made[0].model_copy(update={"choices": ((300,), *made[0].choices[1:])})
    long = made[0].model_copy(update={"choices": ((5,) * 65, *made[0].choices[1:])})
    files = {
        "another tokenizer": suites.write(tmp_path / "other.jsonl", "0" * 32, made),
        "id 300, the model": suites.write(tmp_path / "odd.jsonl", tokenizer, [odd, *made[1:]]),
        "a choice of 65 tokens": suites.write(tmp_path / "long.jsonl", tokenizer, [long, *made[1:]]),
        "no such suite": str(tmp_path / "none.jsonl"),
        "the suite is cut: ": tmp_path / "cut.jsonl",
        "no suite: ": tmp_path / "torn.jsonl",
    }
    files["the suite is cut: "].write_text("\n".join(lines[:-1]))
    files["no suite: "].write_text("\n".join([*lines[:3], lines[3][:50]]))
    for said, file in files.items():
        with pytest.raises(ChejilError, match=said) as error:
            small.train(tmp_path / "run", shards, evaluation={"suite": str(file)})
        assert str(file) in str(error.value)
    assert "torn.jsonl:4" in str(error.value)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_interval_without_a_suite_is_refused(shards):
    with pytest.raises(ValueError, match="without a `suite`"):
        small.configs.PretrainConfig.model_validate(
            small.settings(shards, evaluation={"suite_every_steps": 5})
        )


def test_a_log_likelihood_that_is_no_number_is_null(suite):
    """Of its task and of the means; other tasks are told."""
    found = suite_file.read(suite)
    values = np.full(layouts.candidates(found, 64).num, -1.0)
    values[0] = math.nan  # of the first item: goals

    told = suite_scores.record(found, values)

    assert told["gold_prob"] is told["tasks"]["goals"]["acc"] is None
    assert told["tasks"]["copa"]["gold_prob"] == pytest.approx(0.5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(10, 60), st.booleans(), st.sampled_from(["harness", "polyglot"]))
def test_candidates_are_cut_as_lm_eval_cuts_them(tmp_path_factory, seed, most, begins, mode):
    """(context + choice)[-(max_length + 1):][:-1] is read; in `harness` the beginning of texts stands before."""
    made = suites.items(seed)
    path = tmp_path_factory.getbasetemp() / "candidates.jsonl"
    more = {"begin": (1,)} if begins else {}
    suite = suite_file.read(suites.write(path, "0", made, mode=mode, **more))

    found = layouts.candidates(suite, most, (END,))

    before = [END] if mode == "harness" and not begins else []
    wanted = [
        ([*before, *item.context(number), *choice], len(choice))
        for item in made
        for number, choice in enumerate(item.choices)
    ]
    assert found.num_cut == sum(len(ids) > most + 1 for ids, _ in wanted)
    for number, (ids, scored) in enumerate(wanted):
        own = slice(found.first[number], found.first[number + 1])
        kept = ids[-(most + 1) :]
        assert found.ids[own].tolist() == kept
        assert found.is_scored[own].tolist() == [False] * (len(kept) - scored) + [True] * scored
    path.unlink()


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.data())
def test_scores_are_those_of_a_plain_reckoning(seed, data):
    item = suites.items(seed)[data.draw(st.integers(0, 8))]
    values = data.draw(st.lists(st.floats(-700, 0), min_size=len(item.choices), max_size=len(item.choices)))

    found = suite_scores.of_item(item, np.array(values))

    (gold,) = item.gold
    per_byte = [value / size for value, size in zip(values, item.num_bytes, strict=True)]
    per_char = [value / size for value, size in zip(values, item.num_chars, strict=True)]
    assert found["acc"] == (values.index(max(values)) == gold)
    assert found["acc_norm"] == (per_char.index(max(per_char)) == gold)
    for name, given_ in (("gold_prob", values), ("gold_prob_bytes", per_byte)):
        total = math.fsum(math.exp(value - max(given_)) for value in given_)
        assert found[name] == pytest.approx(math.exp(given_[gold] - max(given_)) / total)
