"""A suite has the prompts of lm-eval, and a training scores it as `chejil eval run` scores the model."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("lm_eval")

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "training")]
import harness_items as own  # noqa: E402
import small_suites  # noqa: E402
import trained_folder as small  # noqa: E402
from rich.console import Console  # noqa: E402

from chejil import cli  # noqa: E402
from chejil.curation.progress import Silent  # noqa: E402
from chejil.errors import ChejilError  # noqa: E402
from chejil.eval.harness import quiet, suite_items, suites  # noqa: E402
from chejil.eval.harness import run as runs  # noqa: E402
from chejil.eval.harness.harness_settings import HarnessSettings  # noqa: E402
from chejil.training.exporting import export as exporting  # noqa: E402
from chejil.training.loop import metrics  # noqa: E402
from chejil.training.loop.live_view import live_view  # noqa: E402
from chejil.training.pretrain import pretrain  # noqa: E402
from chejil.training.suites import suite_file  # noqa: E402

# transformers and lm-eval warn of their own deprecations
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
CONTEXT = 192
"""Tokens of the model: some prompts are longer."""


@pytest.fixture(scope="module", autouse=True)
def offline():
    """Nothing here may ask the network."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with quiet.offline():
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def lab(tmp_path_factory, small_run):
    """Tokenizer, token shards, files of all tasks, side by side."""
    root = tmp_path_factory.mktemp("lab")
    (root / "data").mkdir()
    own.write(root / "data")
    small.tokenizer(root / "tokenizer")
    small.tokens(root / "tokens", [small_run], str(root / "tokenizer"))
    return root


@pytest.fixture(scope="module")
def trained(lab):
    """By mode: a training with a suite of all own items, the log-likelihoods of its last step, and the export."""
    found = {}

    def of(mode):
        if mode not in found:
            found[mode] = _trained(lab, mode)
        return found[mode]

    return of


def _trained(lab, mode):
    suite, folder, model = lab / f"{mode}.jsonl", lab / "runs" / mode, lab / "models" / mode
    names = "koen" if mode == "harness" else "kobest"
    write(lab, names, suite, mode=mode)
    config = small.config(
        [str(lab / "tokens")], model={**small.MODEL, "context_tokens": CONTEXT, "init_std": 0.2},
        batch_tokens=4 * CONTEXT, total_tokens=12 * CONTEXT, compile=False,
        evaluation={"suite": str(suite)}, logging={"tensorboard": False},
    )  # fmt: skip
    with small_suites.caught() as caught:
        pretrain(config, folder, lambda world: live_view(Console(quiet=True), "small", config.steps))
    exporting.export(str(folder), str(model))
    settings = HarnessSettings(mode=mode, batch_size=1, device="cpu", dtype="float32")
    out = str(lab / "evals" / mode)
    result = runs.run(str(model), suites.named(names), str(lab / "data"), out, settings, Silent()).result
    return suite_file.read(str(suite)), caught[-1], result, metrics.read(folder, "suite")[-1]


def write(lab, names, out, **settings):
    return suite_items.write(
        names,
        str(lab / "tokenizer"),
        str(lab / "data"),
        str(out),
        suite_items.SuiteSettings(**settings),
        Silent(),
    )


@pytest.mark.parametrize("mode", ["harness", "polyglot"])
def test_log_likelihoods_are_those_of_eval_run(trained, mode):
    """Of every choice of every task, prompts that are cut among them; in `harness` the end token begins each."""
    suite, log_likelihoods, result, _ = trained(mode)
    asked = {(task.task, item.id): item for task in result.tasks for item in task.items}
    at = 0
    for item in suite.items:
        theirs = asked.pop((item.task, item.id))
        mine = log_likelihoods[at : at + len(item.choices)]
        at += len(item.choices)
        np.testing.assert_allclose(mine, theirs.log_likelihoods, atol=1e-4, err_msg=f"{item.task} {item.id}")
        assert item.num_bytes == theirs.choice_bytes
    assert not asked
    assert (sum(task.cut for task in result.tasks) > 0) == (mode == "harness")  # en14 has longer prompts


@pytest.mark.parametrize("mode", ["harness", "polyglot"])
def test_metrics_are_those_of_eval_run(trained, mode):
    """acc, acc_norm and both probabilities of each task that has them; mc2 and em by their names there."""
    _, _, result, record = trained(mode)
    for task in result.tasks:
        told = record["tasks"][task.task]
        assert told.pop("num_items") == len(task.items)
        for metric, value in told.items():
            assert value == pytest.approx(mean(task, metric), abs=1e-4), (task.task, metric)
    if mode == "harness":
        by_name = {task.task: task for task in result.tasks}
        mc2 = record["tasks"]["truthfulqa_mc2"]
        assert mc2["gold_prob"] == pytest.approx(mean(by_name["truthfulqa_mc2"], "acc"), abs=1e-4)
        assert record["tasks"]["record"]["acc"] == mean(by_name["record"], "em")


def mean(task, metric):
    """As a table has it."""
    if metric == "acc" and task.items[0].predicted is not None:
        return np.mean([item.correct for item in task.items])
    return np.mean([item.scores[metric] for item in task.items])


def test_the_file_is_the_same_however_its_sources_are_ordered(lab, tmp_path):
    """The choice follows from hashes; a larger limit has the items of a smaller one; another seed has others."""
    data = tmp_path / "data"
    own.write(data)
    piqa = data / "kobest/WiC/test.tsv"
    head, *rows = piqa.read_text("utf-8").splitlines(keepends=True)
    piqa.write_text(head + "".join(reversed(rows)), "utf-8")

    def ids(folder, limit, seed=1):
        settings = suite_items.SuiteSettings(limit=limit, seed=seed)
        out = str(tmp_path / "suite.jsonl")
        suite_items.write("kobest_wic", str(lab / "tokenizer"), str(folder), out, settings, Silent())
        return suite_file.read(out).items

    two = ids(lab / "data", 2)
    assert two == ids(data, 2)
    assert {item.gold for item in two} == {(0,), (1,)}
    assert {item.id for item in two} < {item.id for item in ids(lab / "data", 3)}
    assert any(ids(lab / "data", 1, seed) != ids(lab / "data", 1, 1) for seed in range(2, 12))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 45), st.randoms())
def test_items_are_chosen_in_turn_from_each_answer(golds, limit, random):
    """In any order the same ones; answers differ by one item at most, where there are enough."""
    keys = [f"k{number}" for number in range(len(golds))]
    order = list(range(len(golds)))
    random.shuffle(order)

    chosen = suite_items.choose(keys, [[gold] for gold in golds], limit, 1)
    shuffled = suite_items.choose([keys[n] for n in order], [[golds[n]] for n in order], limit, 1)

    assert len(chosen) == min(limit, len(golds))
    assert {keys[number] for number in chosen} == {keys[order[number]] for number in shuffled}
    taken = [golds[number] for number in chosen]
    for gold in set(golds):
        if taken.count(gold) < golds.count(gold):  # it had more to give
            assert taken.count(gold) >= max(taken.count(other) for other in set(golds)) - 1


def test_the_command_tells_what_it_wrote_and_what_it_cannot_do(lab, tmp_path):
    out, tokenizer = tmp_path / "suite.jsonl", str(lab / "tokenizer")
    given = [
        "--suite",
        "kobest_copa",
        "--tokenizer",
        tokenizer,
        "--data",
        str(lab / "data"),
        "--out",
        str(out),
    ]
    found = CliRunner().invoke(cli.app, ["eval", "suite", *given, "--json"], catch_exceptions=False)

    assert found.exit_code == 0
    told = json.loads(found.stdout)
    assert (told["items"], told["candidates"]) == (3, 6)
    assert told["header"]["tasks"]["kobest_copa"]["of"] == 3
    assert told["hash"] == suite_file.read(str(out)).hash

    before = out.read_bytes()
    broken = tmp_path / "broken"
    own.write(broken)
    (broken / "kobest/COPA/test.tsv").write_text("sentence\tquestion\t1\t2\tAnswer\na\tb\tc\td\te\n")
    for more, said in (
        (["--data", str(broken)], "1 of 1 rows are broken"),
        (["--suite", "copa"], "no suite or task 'copa'"),
        (["--tokenizer", str(tmp_path)], "no such tokenizer"),
    ):
        with pytest.raises(ChejilError, match=said):
            CliRunner().invoke(cli.app, ["eval", "suite", *given, *more], catch_exceptions=False)
    assert out.read_bytes() == before
