"""Judging from files to files: asked again, resumed, down in the middle, in pairs, by two judges, the key nowhere."""

import csv
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chejil import cli
from chejil.errors import ChejilError
from chejil.eval.judging import cost, prompts, runs
from chejil.eval.judging.endpoint import EndpointSettings
from chejil.eval.judging.scoring import JudgeSettings

sys.path.insert(0, str(Path(__file__).parent))
from judge_server import JudgeServer, verdict

KEY = "sk-a-secret-of-this-test"
ROWS = [
    ("1", "바다는 왜 파란가요?", "OpenQA", "Fact"),  # why is the sea blue?
    ("2", "Write a haiku, about rain.\nThree lines.", "Generation", "Poem"),
    ("3", '"비"를 영어로 옮기세요.', "Generation", "Translation"),  # translate "rain"
    ("4", "List two rivers.", "OpenQA", "List"),
]


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with prompts and two models' answers; the second model's are longer."""
    with (tmp_path / "prompts.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("id", "question", "category", "task"), *ROWS])
    for model, text in (("small", "짧다"), ("large", "A much longer answer.")):  # short
        lines = [json.dumps({"id": row[0], "model": model, "answer": f"{text} {row[0]}"}) for row in ROWS]
        (tmp_path / f"{model}.jsonl").write_text("\n".join(lines), "utf-8")
    monkeypatch.setenv("TEST_JUDGE_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def calls(server, **options):
    fields = {"url": server.url, "timeout_seconds": 0.8, "tries": 3, "first_wait_seconds": 0.01}
    return EndpointSettings(**{**fields, "key_env": "TEST_JUDGE_KEY", **options})


def score(server, out="out", answers=("small.jsonl", "large.jsonl"), progress=None, spending=None, **options):
    from chejil.curation.progress import Silent

    settings = JudgeSettings(**{"concurrency": 3, **options})
    return runs.score(
        answers,
        "prompts.csv",
        calls(server),
        "judge",
        settings,
        out,
        None,
        spending or runs.Spending(),
        Silent(),
    )


def by_length(body):
    """A judge that gives longer answers more."""
    return verdict(5 if "longer" in body["messages"][1]["content"] else 2)


def test_scores_means_and_files(work):
    """Every answer judged, through faults of every kind; means by model, criterion, category and language."""
    with JudgeServer([429, "cut", 500, "garbage", "slow"], by_length) as server:
        found = score(server)

    means = {one.model: one for one in found.models}
    assert {name: one.overall.plain.value for name, one in means.items()} == {"small": 2.0, "large": 5.0}
    assert {name: one.score_100.value for name, one in means.items()} == {"small": 25.0, "large": 100.0}
    assert set(means["small"].criteria) == {
        "accuracy", "robustness", "fairness", "bias", "toxicity", "efficiency"
    }  # fmt: skip
    assert {name: one.prompts for name, one in means["small"].overall.by_lang.items()} == {"ko": 2, "en": 2}
    assert found.differences[0].mean.value == 3.0
    assert (found.prompt_tokens, found.reply_tokens) == (800, 80)
    rows = [json.loads(line) for line in (work / "out/scores.jsonl").read_text("utf-8").splitlines()]
    assert [(row["prompt"], *row["models"]) for row in rows] == [
        (row[0], model) for row in ROWS for model in ("small", "large")
    ]


def test_the_key_is_written_nowhere(work, capfd):
    """Not in transcripts, scores, summary, errors or prints, though the endpoint quotes it in all its texts."""
    with JudgeServer([500, 500], lambda body: f"Bearer {KEY} {verdict()}") as server:
        score(server)
    with JudgeServer([401] * 20) as server, pytest.raises(ChejilError) as refused:
        score(server, out="refused")

    assert server.keys[0] == f"Bearer {KEY}"
    written = [path for path in work.rglob("*") if path.is_file()]
    assert len(written) >= 5
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
    assert KEY not in str(refused.value)
    assert KEY not in "".join(capfd.readouterr())


def test_a_bad_reply_is_asked_again_with_its_fault(work):
    """The judge sees its own words and what was wrong with them."""
    with JudgeServer(["No JSON.", verdict(9)], lambda body: verdict(3)) as server:
        found = score(server, answers=("small.jsonl",), concurrency=1)

    assert found.asked_again == 1
    assert not found.not_judged
    first, second, third = (body["messages"] for body in server.bodies[:3])
    assert (len(first), len(second), len(third)) == (2, 4, 6)
    assert second[2] == {"role": "assistant", "content": "No JSON."}
    assert "no whole JSON object" in second[3]["content"]
    assert "9, no whole number from 1 to 5" in third[5]["content"]


def test_what_stays_without_a_verdict_is_in_no_mean(work):
    """Listed with its fault; nothing is put in its place."""

    def reply(body):
        return "Never." if ROWS[3][1] in body["messages"][1]["content"] else verdict(4)

    with JudgeServer((), reply) as server:
        found = score(server, answers=("small.jsonl",))

    assert found.models[0].answers == 3
    assert found.not_judged == {"4: small": "no verdict: there is no whole JSON object in it"}
    assert len(server.bodies) == 3 + 3


def test_a_run_goes_on_where_it_stopped(work):
    """The endpoint goes down after three replies: they are kept, only the others are asked, the files are the same."""
    with JudgeServer((), by_length) as server:
        score(server, out="whole")
    with (
        JudgeServer([*[None] * 3, *[500] * 100], by_length) as server,
        pytest.raises(ChejilError, match="gives no replies"),
    ):
        score(server, out="cut", concurrency=1)
    with (work / "cut/transcripts.jsonl").open("ab") as stream:
        stream.write(b'{"key": "torn')

    with JudgeServer((), by_length) as server:
        score(server, out="cut")
        first = len(server.bodies)
        score(server, out="cut")

    assert first == 8 - 3
    assert len(server.bodies) == first
    for name in ("scores.jsonl", "summary.json"):
        assert (work / "cut" / name).read_bytes() == (work / "whole" / name).read_bytes()


def test_pairs_are_asked_in_both_orders(work):
    """A judge that always takes the first place makes ties alone; one that reads makes wins."""
    with JudgeServer((), lambda body: '{"explanation": "x", "better": "A"}') as server:
        (placed,) = score(server, out="placed", rubric="pairwise").pairs

    def read(body):
        text = body["messages"][1]["content"]
        first = text.index("<answer-A")
        return json.dumps({"better": "A" if text.find("longer", first) < text.index("<answer-B") else "B"})

    with JudgeServer((), read) as server:
        (reading,) = score(server, out="read", rubric="pairwise").pairs

    assert (placed.wins, placed.ties, placed.losses, placed.flips) == (0, 4, 0, 4)
    assert placed.first_place_share == 1.0
    assert (reading.wins, reading.ties, reading.losses, reading.flips) == (0, 0, 4, 0)
    assert (reading.win_rate.plain.value, reading.first_place_share) == (0.0, 0.5)
    assert len(server.bodies) == 8


def test_two_judges_are_compared_on_what_both_judged(work):
    """One stricter by a point agrees in rank; the one answer that it did not judge is left out."""

    def strict(body):
        text = body["messages"][1]["content"]
        if ROWS[3][1] in text and "longer" in text:
            return "I will not."
        return verdict(4 if "longer" in text else 1)

    for name, reply in (("one", by_length), ("two", strict)):
        with JudgeServer((), reply) as server:
            score(server, out=name)

    found = runs.agree("one", "two")

    assert {one.criterion for one in found} >= {"accuracy", "toxicity"}
    assert {(one.answers, one.spearman, one.equal_share) for one in found} == {(7, 1.0, 0.0)}
    assert 0.5 < found[0].kappa < 1


def test_the_cost_is_told_before_the_first_call(work):
    """And what is too much is not begun; a dry run writes nothing."""
    told = []
    spending = runs.Spending(cost.Price(1000.0, 1000.0), limit=0.5, told=told.append)
    with JudgeServer() as server:
        with pytest.raises(ChejilError, match=r"more than 0\.50"):
            score(server, spending=spending)
        assert score(server, out="dry", spending=runs.Spending(told=told.append, dry=True)) is None

    assert server.bodies == []
    assert (told[0].requests, told[0].reply_tokens) == (8, 8 * 420)
    assert 8 * 300 < told[0].prompt_tokens < 8 * 800
    assert told[0].money == pytest.approx((told[0].prompt_tokens + told[0].reply_tokens) / 1000)
    assert not (work / "dry").exists()


def test_answers_are_generated_once(work):
    """Two models, four prompts; the second time there is no call."""
    arguments = ["judge", "generate", "lab/one", "two", "--prompts", "prompts.csv", "--json"]
    with JudgeServer([429], lambda body: f"{body['model']}: {body['messages'][-1]['content']}") as server:
        arguments += ["--endpoint", server.url, "--system", "Be kind."]
        first = CliRunner().invoke(cli.app, arguments)
        number = len(server.bodies)
        second = CliRunner().invoke(cli.app, arguments)

    assert first.exit_code == 0, first.output
    assert (number, len(server.bodies)) == (9, 9)
    assert first.stdout == second.stdout
    assert [one["path"] for one in json.loads(first.stdout)] == ["answers/lab_one.jsonl", "answers/two.jsonl"]
    lines = [json.loads(line) for line in (work / "answers/lab_one.jsonl").read_text("utf-8").splitlines()]
    assert [line["answer"] for line in lines] == [f"lab/one: {row[1]}" for row in ROWS]
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": "Be kind."}


def test_the_commands_say_what_was_not_judged(work):
    """Exit code 3, the table all the same; agree reads what score wrote."""
    base = [
        "judge",
        "score",
        "small.jsonl",
        "--prompts",
        "prompts.csv",
        "--judge-model",
        "judge",
        "--asks",
        "1",
    ]
    with JudgeServer(["Nothing."]) as server:
        done = CliRunner().invoke(
            cli.app,
            [*base, "--endpoint", server.url, "--concurrency", "1", "--rubric", "five", "--lang", "ko"],
        )
        six = CliRunner().invoke(cli.app, [*base, "--endpoint", server.url, "--out", "six"])
    agreed = CliRunner().invoke(cli.app, ["judge", "agree", "six", "six", "--json"])

    assert done.exit_code == 3, done.output
    assert "4 not judged" in done.stdout  # the server's good verdicts are of the other rubric
    assert six.exit_code == 0, six.output
    assert "8 requests" not in six.stderr
    assert "4 requests" in six.stderr
    assert json.loads(agreed.stdout)[0]["equal_share"] == 1.0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,question,category\n1,a,b\n", "no column 'task'"),
        ("id,question,category,task\n1,a,b\n", "more or fewer columns"),
        ("id,question,category,task\n1,a,b,c\n1,d,e,f\n", "'1' comes twice"),
        ("id,question,category,task\n1,,b,c\n", "'question' is empty"),
        ('id,question,category,task\n1,"a"b,b,c\n', "no CSV"),
        ("id,question,category,task\n", "no prompts"),
    ],
)
def test_broken_prompts_are_refused_with_their_line(tmp_path, content, said):
    """Before anything is asked."""
    path = tmp_path / "prompts.csv"
    path.write_text(content, "utf-8")

    with pytest.raises(ChejilError, match=said) as raised:
        prompts.load(str(path))

    assert str(path) in (raised.value.where or "")


def test_self_instructs_layout_is_read(tmp_path):
    """An instance is a prompt: the instruction, and its input below; an empty input adds nothing."""
    path = tmp_path / "user.jsonl"
    records = [
        {"id": "u0", "motivation_app": "Mail", "instruction": "Shorten it.",
         "instances": [{"input": "A long\u2028one."}]},
        {"id": "u1", "motivation_app": "Maps", "instruction": "길을 알려 줘.", "instances": [{"input": ""}]},  # the way
    ]  # fmt: skip
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in records), "utf-8")

    found = prompts.load(str(path)).prompts

    assert [(one.id, one.question, one.category, one.lang) for one in found] == [
        ("u0", "Shorten it.\n\nA long\u2028one.", "Mail", "en"),
        ("u1", "길을 알려 줘.", "Maps", "ko"),
    ]


@pytest.mark.corpus
def test_the_published_prompts_are_read(corpus):
    """42dot's 121 prompts in nine categories, self-instruct's 252."""
    known = prompts.load(str(corpus / "eval-42dot/benchmark_set_v2.csv"))

    assert len(known.prompts) == 121
    assert prompts.categories(known)["Generation"] == 43
    assert len(prompts.load(str(corpus / "sft/user_oriented_instructions.jsonl")).prompts) == 252


def test_answers_to_other_questions_are_refused(work):
    """By the hash that generate writes; ids that nobody asked are no answers."""
    line = {"id": "1", "model": "m", "answer": "x", "question_hash": "0" * 16}
    (work / "old.jsonl").write_text(json.dumps(line), "utf-8")
    (work / "none.csv").write_text("id,answer\n99,x\n", "utf-8")

    with JudgeServer() as server:
        with pytest.raises(ChejilError, match="to another question"):
            score(server, answers=("old.jsonl",))
        with pytest.raises(ChejilError, match="no answer to any"):
            score(server, answers=("none.csv",))
