"""`chejil eval compare`: files in, tables, notes and pages out; what is wrong is said with its place."""

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from chejil import cli
from chejil.commands.default_command import group
from chejil.errors import ChejilError
from chejil.eval import comparison, comparison_page, comparison_view, results

sys.path.insert(0, str(Path(__file__).parent))
import small_results as small

KOBEST = {"kobest_boolq": 2, "kobest_copa": 2, "kobest_hellaswag": 4, "kobest_sentineg": 2}


@pytest.fixture
def runs():
    """Two runs of four tasks; the second answers BoolQ with one class."""
    first = [small.task(name, ("macro_f1",), count=200, right=0.6, classes=n) for name, n in KOBEST.items()]
    second = [
        small.task(name, ("macro_f1",), count=200, right=0.6, classes=n, seed=4,
                   constant=1 if name == "kobest_boolq" else None)
        for name, n in KOBEST.items()
    ]  # fmt: skip
    return {"first": small.result(*first, name="first"), "second": small.result(*second, name="second")}


def test_a_result_comes_back_as_it_was_written(tmp_path, runs):
    """And equal results are equal bytes."""
    for name in ("a", "b"):
        results.write(str(tmp_path / name / "result.json"), runs["first"])

    assert results.read(str(tmp_path / "a")) == runs["first"]
    assert (tmp_path / "a/result.json").read_bytes() == (tmp_path / "b/result.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda task: task["items"][3].update(correct=not task["items"][3]["correct"]), "correct is"),
        (lambda task: task["items"][1].update(id="i0000"), "1 ids come twice"),
        (lambda task: task.update(metrics=["acc_norm"]), "has no score 'acc_norm'"),
        (lambda task: task["items"][0].pop("gold"), "items.0.gold"),
        (lambda task: task["items"][0].update(predicted=None), "null together"),
        (lambda task: task.update(surplus=1), "surplus"),
    ],
)
def test_a_broken_result_is_refused_with_its_place(tmp_path, change, said):
    """The field, the file, and how to mend it."""
    task = small.task(count=5, right=0.5)
    content = {"model": {"name": "m"}, "mode": "harness", "tasks": [task]}
    change(task)
    path = tmp_path / "result.json"
    path.write_text(json.dumps(content), "utf-8")

    with pytest.raises(ChejilError) as raised:
        results.read(str(path))

    assert said in str(raised.value)
    assert raised.value.where == str(path)


def test_what_is_no_json_is_refused_and_left_alone(tmp_path):
    """Nobody is told to remove a file that may be the only copy."""
    path = tmp_path / "answers.jsonl"
    path.write_text('{"id": 1}\n{"id": 2}\n', "utf-8")

    with pytest.raises(ChejilError, match="no result: not JSON") as raised:
        results.read(str(path))

    assert "remove" not in (raised.value.mend or "")


def test_published_columns_stand_beside_ours(runs):
    """The suite that a result has whole, all its models, then the results."""
    found = comparison.compare(runs, with_published=True)

    (table,) = found.tables
    assert (table.name, len(table.rows)) == ("kobest", 4)
    assert [column.published for column in table.columns] == [True] * 6 + [False] * 2
    own = table.columns[-1]
    assert own.mean.value == pytest.approx(sum(one.value for one in own.values) / 4)
    assert 0.01 < own.mean.error < 0.03


def test_a_constant_answer_is_flagged(runs):
    """With its shares, in all outputs."""
    found = comparison.compare(runs)

    flags = {(one.model, one.task): one.flag for one in found.classes if one.flag}
    assert flags == {("second", "kobest_boolq"): "one class"}
    (boolq,) = [one for one in found.classes if (one.model, one.task) == ("second", "kobest_boolq")]
    assert (boolq.predicted, boolq.gold) == ({"예": 1.0}, {"아니오": 0.5, "예": 0.5})  # yes, no
    assert found.tables[0].columns[1].values[0].value == pytest.approx(1 / 3)


def test_differences_are_of_the_items_that_both_have(runs):
    """What one alone has is said; other gold answers are an error."""
    short = runs["second"].model_dump()
    short["tasks"][0]["items"] = short["tasks"][0]["items"][:150]
    cut = results.Result.model_validate(short)

    found = comparison.compare({"first": runs["first"], "second": cut})

    boolq = next(one for one in found.differences if one.row == "kobest_boolq/macro_f1")
    assert boolq.items == 150
    assert boolq.low <= boolq.difference <= boolq.high
    assert "kobest_boolq: compared on 150 items; 50 only first has, 0 only second" in found.notes
    assert found.differences[-1].row == "mean of results, 4 rows"

    item = short["tasks"][0]["items"][0]
    item.update(gold=1 - item["gold"], correct=not item["correct"])
    other = results.Result.model_validate(short)
    with pytest.raises(ChejilError, match="other gold answers for 1 items"):
        comparison.compare({"first": runs["first"], "second": other})


def test_what_makes_numbers_unlike_is_said(runs):
    """Another mode, other sizes than the published ones."""
    content = runs["first"].model_dump() | {"mode": "harness"}
    one = {"first": results.Result.model_validate(content)}

    notes = comparison.compare(one, with_published=True).notes

    assert "kobest: published in mode polyglot, first was run in mode harness" in notes
    assert "kobest: first has 200 of 1,404 items of kobest_boolq" in notes


def test_pages_hold_what_the_terminal_does(runs):
    """Every number of a table stands in the HTML and in the Markdown; a name cannot break either."""
    runs["<b>|x"] = runs.pop("second")
    found = comparison.compare(runs, with_published=True)

    page, text = comparison_page.page(found), comparison_view.markdown(found)

    for column in found.tables[0].columns:
        for value in (*column.values, column.mean):
            assert comparison_view.with_error(value) in page
            assert comparison_view.with_error(value).replace("*", r"\*") in text
    assert "<b>|x" not in page
    assert r"&lt;b&gt;\|x" in text
    assert page.count("<i") > 30
    assert "<script" not in page


def test_the_command_prints_json_and_writes_pages(tmp_path, runs):
    """One JSON object on stdout; the files where they were asked for."""
    for name, run in runs.items():
        results.write(str(tmp_path / name / "result.json"), run)
    html, text = tmp_path / "out/page.html", tmp_path / "out/page.md"

    done = CliRunner().invoke(
        cli.app,
        ["eval", "compare", str(tmp_path / "first"), str(tmp_path / "second"), "--published", "--json",
         "--html", str(html), "--markdown", str(text)],
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["tables"][0]["name"] == "kobest"
    assert "0.549" in html.read_text("utf-8")
    assert "0.549" in text.read_text("utf-8")


def test_published_alone_shows_all_suites():
    """No result is needed to read them."""
    done = CliRunner().invoke(cli.app, ["eval", "compare", "--published"])

    assert done.exit_code == 0
    for name in ("kobest", "kobest5", "en14"):
        assert f"({name})" in done.stdout


def test_nothing_to_compare_is_an_error():
    """With both ways to go on."""
    with pytest.raises(ChejilError, match="no result to compare"):
        comparison.compare({})


def test_a_group_runs_its_default_where_no_subcommand_is_named():
    """`eval MODEL --limit 3` and `eval --limit 3 MODEL` are `eval run …`; `eval compare` stays itself."""
    app = group("Evaluations.")

    @app.command("run")
    def run(model: str, limit: int = 0) -> None:
        typer.echo(f"run {model} {limit}")

    @app.command("compare")
    def compare(result: str) -> None:
        typer.echo(f"compare {result}")

    said = {
        words: CliRunner().invoke(app, words.split()).stdout.strip()
        for words in ("m --limit 3", "--limit 3 m", "run m", "compare r", "./compare")
    }

    assert said == {
        "m --limit 3": "run m 3",
        "--limit 3 m": "run m 3",
        "run m": "run m 0",
        "compare r": "compare r",
        "./compare": "run ./compare 0",
    }
    assert "Evaluations." in CliRunner().invoke(app, ["--help"]).stdout
