"""The pages on evaluation: what they show runs as it is written, and their numbers are those of the code."""

import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chejil import cli
from chejil.eval import published
from chejil.eval.judging import prompts

sys.path.insert(0, str(Path(__file__).parent))
from judge_server import JudgeServer, verdict

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_example_of_the_tables_runs(tmp_path, monkeypatch):
    """The Python as written, then the command on its results."""
    text = (DOCS / "eval-tables.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)

    exec(compile(code, "eval-tables.md", "exec"), {})

    done = CliRunner().invoke(cli.app, ["eval", "compare", "good", "yes", "--published", "--json"])
    assert done.exit_code == 0, done.output
    assert [table["name"] for table in json.loads(done.stdout)["tables"]] == ["kobest", "kobest5", "results"]


def test_the_table_that_is_shown_is_the_table():
    """Row by row, as printed."""
    text = (DOCS / "eval-tables.md").read_text("utf-8")
    shown = [line.split() for line in text.splitlines() if line.startswith(" kobest_")]

    done = CliRunner().invoke(cli.app, ["eval", "compare", "--published"])

    printed = [line.split() for line in done.stdout.splitlines()]
    assert len(shown) == 4
    assert all(row in printed for row in shown)


def test_counts_in_the_pages_are_right():
    """How many averages a test computes, how many prompts ship."""
    averages = [model.average for suite in published.published().suites.values() for model in suite.models]
    tables = (DOCS / "eval-tables.md").read_text("utf-8")
    judge = (DOCS / "judge.md").read_text("utf-8")
    found = prompts.load("koen").prompts
    korean = sum(prompt.lang == "ko" for prompt in found)

    (said,) = re.findall(r"a test computes all (\d+)", tables)
    assert int(said) == sum(average is not None for average in averages)
    assert f"our own {len(found)} prompts" in judge
    assert f"{korean} Korean and {len(found) - korean} English" in judge


@pytest.mark.parametrize("rubric", [None, "pairwise"])
def test_the_commands_of_the_judge_run(tmp_path, monkeypatch, rubric):
    """As written, at another address; of a judge that says the same of everything, kappa is undefined."""
    text = (DOCS / "judge.md").read_text("utf-8")
    block = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)

    def reply(body):
        if not body["model"].startswith("judge"):
            return "답입니다."  # this is the answer
        return verdict(3) if rubric is None else '{"explanation": "x", "better": "tie"}'

    with JudgeServer((), reply) as server:
        for line in block.strip().splitlines():
            words = line.replace("http://localhost:8000/v1", server.url).split()[1:]
            if "score" in words and rubric:
                words += ["--rubric", rubric]
            done = CliRunner().invoke(cli.app, words)
            assert done.exit_code == 0, done.output

    assert "100%" in done.stdout
    assert "undefined" in done.stdout
