"""A tiny model runs all tasks offline: prompts letter by letter, lm-eval's own numbers, resume, errors told."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("lm_eval")

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "training")]
import chat_tokenizer  # noqa: E402
import harness_items as own  # noqa: E402

from chejil import cli  # noqa: E402
from chejil.curation.progress import Silent  # noqa: E402
from chejil.errors import ChejilError  # noqa: E402
from chejil.eval import comparability, resampling, results, scores  # noqa: E402
from chejil.eval.harness import model_folder, quiet, suites, tasks  # noqa: E402
from chejil.eval.harness import run as runs  # noqa: E402
from chejil.eval.harness.harness_settings import HarnessSettings  # noqa: E402

# transformers and lm-eval warn of their own deprecations
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
KOBEST = suites.named("kobest")


@pytest.fixture(scope="module", autouse=True)
def offline():
    """Nothing here may ask the network."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with quiet.offline():
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return own.write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model of two layers with weights large enough to have opinions, whose tokenizer begins texts with a BOS."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    chat_tokenizer.write(
        folder, template="none", roles={"bos": "<|bos|>", "eos": "<|endoftext|>", "pad": "<|pad|>"}
    )
    begin_with_bos(folder)
    torch.manual_seed(7)
    shape = transformers.LlamaConfig(
        vocab_size=576, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=512, initializer_range=0.3, bos_token_id=4, eos_token_id=0, pad_token_id=1,
    )  # fmt: skip
    transformers.LlamaForCausalLM(shape).save_pretrained(folder)
    return folder


def begin_with_bos(folder):
    content = json.loads((folder / "tokenizer.json").read_text())
    number = next(one["id"] for one in content["added_tokens"] if one["content"] == "<|bos|>")
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "<|bos|>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|bos|>": {"id": "<|bos|>", "ids": [number], "tokens": ["<|bos|>"]}},
    }
    (folder / "tokenizer.json").write_text(json.dumps(content))


def run(tiny, names, data, out, **settings):
    settings = {"batch_size": 1, "device": "cpu", **settings}  # batches of lm-eval mix tasks: other last bits
    return runs.run(str(tiny), names, str(data), str(out), HarnessSettings(**settings), Silent())


@pytest.fixture(scope="module")
def harness(tiny, data, tmp_path_factory):
    """All twenty tasks in lm-eval's own way."""
    return run(tiny, list(suites.tasks()), data, tmp_path_factory.mktemp("harness"))


@pytest.fixture(scope="module")
def polyglot(tiny, data, tmp_path_factory):
    """KoBEST as the published numbers were made."""
    return run(tiny, KOBEST, data, tmp_path_factory.mktemp("polyglot"), mode="polyglot")


def task_of(evaluated, name):
    return next(task for task in evaluated.result.tasks if task.task == name)


def metrics_of(task):
    cells = resampling.cells(task.metrics, [task.items])
    return dict(zip(task.metrics, map(float, resampling.point(task.metrics, cells)), strict=True))


# By mode, of each task's first items: context and continuation of every choice.
BOTH = {
    "kobest_boolq": [
        ("여객선은 아침 아홉 시에 떠난다. 질문: 여객선은 아침에 떠나나요? 답변: ", " 아니오"),
        ("여객선은 아침 아홉 시에 떠난다. 질문: 여객선은 아침에 떠나나요? 답변: ", " 예"),
        ("도서관은 월요일에 쉰다.  질문: 도서관은 월요일에 여나요? 답변: ", " 아니오"),
    ],
    "kobest_hellaswag": [
        ("문장: 가게 문을 연다. 바닥을 쓴다.", " 불을 켜고 손님을 기다린다."),
        ("문장: 가게 문을 연다. 바닥을 쓴다.", ' "안녕"이라고 달에게 쓴다.'),
        ("문장: 가게 문을 연다. 바닥을 쓴다.", " 바다로 뛰어든다."),
        ("문장: 가게 문을 연다. 바닥을 쓴다.", " 지붕을 뜯는다."),
    ],
    "kobest_sentineg": [
        ("문장: 국물이 따뜻하고 좋아요 긍부정:", " 부정"),
        ("문장: 국물이 따뜻하고 좋아요 긍부정:", " 긍정"),
        ("문장: 방이 추웠어요  긍부정:", " 부정"),
    ],
    "kobest_wic": [
        (
            "문장1: [배]가 항구를 떠난다. 문장2: [배]를 깎아 먹었다.  두 문장에서 배가 같은 뜻으로 쓰였나?",
            " 아니오",
        ),
        (
            "문장1: [배]가 항구를 떠난다. 문장2: [배]를 깎아 먹었다.  두 문장에서 배가 같은 뜻으로 쓰였나?",
            " 예",
        ),
    ],
}
COPA = {
    "harness": [  # two spaces before the connector
        ("비가 왔다.  그래서", " 우산을 썼다."),
        ("비가 왔다.  그래서", " 꽃에 물을 주었다."),
        ("배가 늦게 떠났다.  왜냐하면", " 날씨가 맑았다."),
    ],
    "polyglot": [  # one
        ("비가 왔다. 그래서", " 우산을 썼다."),
        ("비가 왔다. 그래서", " 꽃에 물을 주었다."),
        ("배가 늦게 떠났다. 왜냐하면", " 날씨가 맑았다."),
    ],
}


def prompts(folder, name, mode, documents):
    with quiet.quiet():
        task = tasks.load(tasks.config(folder, name, suites.tasks()[name], mode, documents))
        task.build_all_requests(rank=0, world_size=1)
    return [request.args for request in task.instances]


@pytest.mark.parametrize("mode", ["harness", "polyglot"])
@pytest.mark.parametrize("name", KOBEST)
def test_prompts_are_the_documented_ones_letter_by_letter(tmp_path, mode, name):
    """Of both modes; they differ in COPA alone."""
    wanted = {**BOTH, "kobest_copa": COPA[mode]}[name]
    assert prompts(tmp_path, name, mode, own.HUB[name])[: len(wanted)] == wanted


@pytest.fixture(scope="module")
def models(tiny):
    from chejil.eval.harness import model

    with quiet.quiet():
        folder = model_folder.find(str(tiny), local_only=True)
        return {mode: model.load(folder, mode, 2, "cpu", "float32") for mode in ("harness", "polyglot")}


def test_the_modes_encode_as_they_say(models):
    """harness: together, with the tokenizer's BOS, the last space goes over; polyglot: apart, and nothing is added."""
    raw = models["polyglot"].tokenizer
    context, choice = "여객선? 답변: ", " 예"  # a ferry? answer: yes
    plain = [raw.encode(text, add_special_tokens=False) for text in (context, choice)]
    assert list(models["polyglot"]._encode_pair(context, choice)) == plain

    before, after = models["harness"]._encode_pair(context, choice)
    assert before == [raw.bos_token_id, *raw.encode(context.rstrip(), add_special_tokens=False)]
    assert raw.decode(after) == " " + choice


def by_hand(model, context, continuation):
    """The sum of log-probabilities of a continuation, encoded apart, one row at a time."""
    raw = model.tokenizer
    before, after = (raw.encode(text, add_special_tokens=False) for text in (context, continuation))
    with torch.no_grad():
        logits = model.model(torch.tensor([before + after])).logits[0]
    told = torch.log_softmax(logits, -1)[len(before) - 1 : -1]
    return float(told[range(len(after)), after].sum())


@pytest.mark.parametrize("name", KOBEST)
def test_polyglot_is_the_published_way_of_scoring(models, polyglot, tmp_path, name):
    """Log-likelihoods by hand, argmax of their sums, macro-F1 of scikit-learn to the last digit."""
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    task = task_of(polyglot, name)
    asked = iter(prompts(tmp_path, name, "polyglot", own.HUB[name]))
    golds, answers = [], []
    for item, document in zip(task.items, own.HUB[name], strict=True):
        sums = [by_hand(models["polyglot"], *next(asked)) for _ in item.log_likelihoods]
        assert item.log_likelihoods == pytest.approx(sums, abs=1e-3)
        golds.append(document["label"])
        answers.append(int(np.argmax(sums)))

    assert [item.predicted for item in task.items] == answers
    wanted = sklearn_metrics.f1_score(golds, answers, average="macro", zero_division=0)
    assert metrics_of(task)["macro_f1"] == pytest.approx(wanted, abs=1e-15)


def test_the_modes_differ_where_they_should(harness, polyglot):
    """Ids and golds are the same, so runs in both can be paired; numbers are not."""
    for name in KOBEST:
        one, two = task_of(harness, name), task_of(polyglot, name)
        assert [(item.id, item.gold) for item in one.items] == [(item.id, item.gold) for item in two.items]
        assert one.items[0].log_likelihoods != two.items[0].log_likelihoods


def comparable():
    """All tasks that lm-eval's command line can run: its ReCoRD needs a module that transformers 5 has no more."""
    has_module = int(transformers.__version__.split(".")[0]) < 5
    return [name for name in suites.tasks() if name != "record" or has_module]


def theirs(folder, tiny):
    """lm-eval's command line on the items of the hub, which its own reader takes from JSON lines."""
    (folder / "tasks").mkdir()
    for name in comparable():
        task = suites.tasks()[name]
        items = folder / f"{name}.jsonl"
        items.write_text("".join(json.dumps(row) + "\n" for row in own.HUB[name]))
        splits = dict.fromkeys(("training_split", "validation_split", "test_split"))
        content = {
            "include": str(tasks.bundled() / task.config), "task": f"own_{name}", "dataset_path": "json",
            "dataset_name": None, **splits, "test_split": "test",
            "dataset_kwargs": {"data_files": {"test": str(items)}, "cache_dir": str(folder / "cache")},
        }  # fmt: skip
        (folder / "tasks" / f"own_{name}.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))
    words = [
        "run", "--model", "hf", "--model_args", f"pretrained={tiny},dtype=float32", "--device", "cpu",
        "--tasks", ",".join(f"own_{name}" for name in comparable()), "--include_path", str(folder / "tasks"),
        "--batch_size", "1", "--output_path", str(folder / "told.json"), "--log_samples",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "lm_eval", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = next(folder.rglob("told*.json"))
    return json.loads(told.read_text())["results"], folder


@pytest.mark.slow
def test_lm_evals_command_line_gives_the_same_numbers(harness, tiny, tmp_path):
    """Every metric of all twenty tasks, and every log-likelihood, to the last digit."""
    numbers, folder = theirs(tmp_path, tiny)
    compared = 0
    for task in (one for one in harness.result.tasks if one.task in comparable()):
        found = metrics_of(task)
        for metric in suites.tasks()[task.task].metrics:
            name = "f1" if metric == "macro_f1" else metric
            assert found[metric] == pytest.approx(numbers[f"own_{task.task}"][f"{name},none"], abs=1e-15), (
                task.task
            )
            compared += 1
        logged = next(folder.rglob(f"samples_own_{task.task}_*.jsonl")).read_text().splitlines()
        rows = sorted((json.loads(line) for line in logged), key=lambda row: row["doc_id"])
        sums = [[float(answer[0]) for answer in row["filtered_resps"]] for row in rows]
        assert [list(item.log_likelihoods) for item in task.items] == sums, task.task
    assert compared == 5 * 2 + 1 + 21 - 2 * ("record" not in comparable())


def test_a_result_holds_all_that_is_known(harness, data):
    """Every task with its files' hashes; likelihoods of choices, and what follows from them."""
    assert [task.task for task in harness.result.tasks] == list(suites.tasks())
    assert not harness.failed
    assert results.read(harness.path) == harness.result
    item = task_of(harness, "kobest_boolq").items[0]
    powers = np.exp(np.array(item.log_likelihoods) - max(item.log_likelihoods))
    assert item.scores["gold_prob"] == pytest.approx(powers[1] / powers.sum())
    assert item.choice_bytes == (9, 3)
    assert task_of(harness, "piqa").inputs.keys() == {"piqa/valid.jsonl", "piqa/valid-labels.lst"}
    assert harness.result.model.hash is not None


def test_record_is_scored_as_squad_does(harness):
    """The entity that is likeliest; exact match and F1 of words with the best of the answers."""
    item = task_of(harness, "record").items[0]
    assert item.gold == ("Northby",)
    assert item.predicted == ("Northby", "pier")[int(np.argmax(item.log_likelihoods))]
    assert item.scores["em"] == item.scores["f1"] == float(item.correct)


def test_what_is_done_is_not_done_again(harness, tiny, data, tmp_path, monkeypatch):
    """The same command loads no model; a file that changed is asked again; a limit would replace what is whole."""
    from chejil.eval.harness import model

    out = tmp_path / "out"
    shutil.copytree(Path(harness.path).parent, out)
    with monkeypatch.context() as patched:
        patched.setattr(model, "load", lambda *words: pytest.fail("loaded again"))
        again = run(tiny, KOBEST, data, out)
    assert list(again.kept) == KOBEST
    assert again.result == harness.result  # the other tasks stay in it
    assert Path(again.path).read_bytes() == Path(harness.path).read_bytes()

    (out / "tasks/kobest_wic.json").unlink()
    again = run(tiny, ["kobest_copa", "kobest_wic"], data, out)
    assert list(again.kept) == ["kobest_copa"]
    assert Path(again.path).read_bytes() == Path(harness.path).read_bytes()

    other = shutil.copytree(data, tmp_path / "data")
    with (other / "kobest/SentiNeg/test.tsv").open("a") as stream:
        stream.write("9\t1\t참 좋아요\n")  # very good
    again = run(tiny, ["kobest_sentineg", "kobest_copa"], other, out)
    assert list(again.kept) == ["kobest_copa"]
    assert len(task_of(again, "kobest_sentineg").items) == 4

    with pytest.raises(ChejilError, match="holds a result of limit None"):
        run(tiny, ["kobest_copa"], data, out, limit=1)


def test_a_limit_takes_the_first_items(tiny, harness, data, tmp_path):
    """Under the ids that they have in a whole run."""
    found = run(tiny, ["kobest_boolq"], data, tmp_path / "out", limit=2, batch_size="auto")
    ids = [item.id for item in task_of(found, "kobest_boolq").items]
    assert ids == [item.id for item in task_of(harness, "kobest_boolq").items][:2]


def test_prompts_that_do_not_fit_are_counted(tiny, data, tmp_path):
    """Whatever lost its beginning; a choice that alone is too long is an error, and the other tasks go on."""
    short = shutil.copytree(tiny, tmp_path / "short")
    shape = json.loads((short / "config.json").read_text())
    (short / "config.json").write_text(json.dumps({**shape, "max_position_embeddings": 24}))
    found = run(short, ["kobest_sentineg", "hellaswag", "kobest_copa"], data, tmp_path / "out")
    assert task_of(found, "kobest_sentineg").cut > 0
    assert "a choice of" in str(found.failed["hellaswag"])
    assert any("lost their beginning" in note for note in comparability.notes({"short": found.result}, []))
    assert [task.task for task in found.result.tasks] == ["kobest_copa", "kobest_sentineg"]


def test_a_missing_file_stops_its_task_alone(tiny, data, tmp_path):
    """The others are in the result, and the exit code tells."""
    other = shutil.copytree(data, tmp_path / "data")
    (other / "kobest/COPA/test.tsv").unlink()
    words = ["eval", str(tiny), "--suite", "kobest_copa,kobest_wic", "--data", str(other), "--device", "cpu"]
    done = CliRunner().invoke(
        cli.app, [*words, "--out", str(tmp_path / "out"), "--json", "--batch-size", "2"]
    )
    assert done.exit_code == 3, done.output
    told = json.loads(done.stdout)
    assert [task["task"] for task in told["tasks"]] == ["kobest_wic"]
    assert "no file of kobest_copa" in told["failed"]["kobest_copa"]
    assert [row["task"] for row in told["comparison"]["classes"]] == ["kobest_wic"]


def test_a_model_that_cannot_be_used_is_told(tiny, data, tmp_path):
    """No folder, no weights, no tokenizer, an adapter without its base, a result of another model."""
    bare = shutil.copytree(tiny, tmp_path / "bare")
    for name in ("tokenizer.json", "model.safetensors"):
        with (bare / name).open("rb") as stream:
            content = stream.read()
        (bare / name).unlink()
        with pytest.raises(ChejilError, match="no tokenizer" if name == "tokenizer.json" else "no weights"):
            run(bare, ["kobest_wic"], data, tmp_path / "out")
        (bare / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(ChejilError, match=r"cannot be|torn"):
            run(bare, ["kobest_wic"], data, tmp_path / "out")
        (bare / name).write_bytes(content)
    with pytest.raises(ChejilError, match="there is no such model"):
        run(tmp_path / "nothing", ["kobest_wic"], data, tmp_path / "out")
    adapter = tmp_path / "adapters" / "one"
    adapter.mkdir(parents=True)
    for content, said in (
        ('{"base_model_name_or_path": "../away"}', r"base is not here: \.\./away"),
        ("{", "read"),
    ):
        (adapter / "adapter_config.json").write_text(content)
        with pytest.raises(ChejilError, match=said):
            run(adapter, ["kobest_wic"], data, tmp_path / "out")


def test_weights_that_give_no_numbers_are_told(tiny, data, tmp_path):
    """A model that diverged: its tasks fail by name, nothing is written."""
    sick = shutil.copytree(tiny, tmp_path / "sick")
    model = transformers.LlamaForCausalLM.from_pretrained(tiny)
    model.model.norm.weight.data.fill_(float("nan"))
    model.save_pretrained(sick)
    found = run(sick, ["kobest_wic"], data, tmp_path / "out")
    assert "a log-likelihood of item" in str(found.failed["kobest_wic"])
    assert found.result is None
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--suite", "kobset"], "did you mean 'kobest'"),
        (["--batch-size", "0"], "--batch-size is '0'"),
        (["--device", "gpu"], "--device is 'gpu'"),
        (["--data", ""], "an empty path"),
    ],
)
def test_a_slip_is_told_before_the_model_is_loaded(tiny, data, tmp_path, words, says):
    """And how to mend it."""
    given = ["eval", "run", str(tiny), "--data", str(data), "--out", str(tmp_path / "out"), *words]
    done = CliRunner().invoke(cli.app, given)
    assert isinstance(done.exception, ChejilError)
    assert says in str(done.exception)


def test_a_folder_keeps_to_one_model_and_mode(harness, tiny, data):
    """Else a comparison would show what was mixed."""
    with pytest.raises(ChejilError, match="a result of mode harness"):
        run(tiny, ["kobest_wic"], data, Path(harness.path).parent, mode="polyglot")


def test_an_adapter_is_run_on_its_base(tiny, harness, data, tmp_path):
    """A LoRA of zeros is the base, bit for bit; one of random numbers is not."""
    peft = pytest.importorskip("peft")
    base = transformers.LlamaForCausalLM.from_pretrained(tiny)
    adapted = peft.get_peft_model(
        base, peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    )
    adapted.peft_config["default"].base_model_name_or_path = str(tiny)
    adapted.save_pretrained(tmp_path / "zeros")
    same = run(tmp_path / "zeros", ["kobest_wic"], data, tmp_path / "one")
    assert task_of(same, "kobest_wic").items == task_of(harness, "kobest_wic").items
    assert same.result.model.hash != harness.result.model.hash

    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            weights.data.normal_()
    adapted.save_pretrained(tmp_path / "random")
    other = run(tmp_path / "random", ["kobest_wic"], data, tmp_path / "two")
    assert task_of(other, "kobest_wic").items != task_of(harness, "kobest_wic").items


def test_the_hub_gives_the_same_ids(tiny, harness, tmp_path, monkeypatch):
    """Without --data lm-eval asks for the data set by its name; here a copy of it is handed over."""
    import datasets

    def handed(path, name=None, **options):
        assert path == "skt/kobest_v1"
        return datasets.DatasetDict({"test": datasets.Dataset.from_list(own.HUB[f"kobest_{name}"])})

    monkeypatch.setattr(datasets, "load_dataset", handed)
    out, settings = str(tmp_path / "out"), HarnessSettings(batch_size=1, device="cpu")
    found = runs.run(str(tiny), ["kobest_copa", "kobest_wic"], None, out, settings, Silent())
    assert not found.failed
    for name in ("kobest_copa", "kobest_wic"):
        assert task_of(found, name).items == task_of(harness, name).items


def test_a_constant_answer_is_seen(harness):
    """Shares of predicted classes follow from a result."""
    task = task_of(harness, "kobest_wic")
    answers, golds = [item.predicted for item in task.items], [item.gold for item in task.items]
    flag = scores.constant_answer(answers, golds)
    assert flag == ("one class" if len(set(answers)) == 1 else None)


@pytest.mark.slow
def test_two_processes_share_the_items(tiny, data, harness, tmp_path):
    """torchrun on a CPU: one result, the same items in the same order."""
    words = [
        "--nproc-per-node", "2", "--master-port", "29617", "-m", "chejil", "eval", "run", str(tiny), "--data",
        str(data), "--suite", "kobest_copa,kobest_boolq", "--out", str(tmp_path / "out"), "--device", "cpu",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = results.read(str(tmp_path / "out"))
    assert [task.task for task in found.tasks] == ["kobest_boolq", "kobest_copa"]
    for task in found.tasks:
        for one, two in zip(task.items, task_of(harness, task.task).items, strict=True):
            assert (one.id, one.predicted) == (two.id, two.predicted)
            assert one.log_likelihoods == pytest.approx(two.log_likelihoods, abs=1e-3)
