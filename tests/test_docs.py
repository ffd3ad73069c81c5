"""The documentation cannot lag: generated pages are fresh, commands run as written, links lead somewhere."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from chejil import cli, reference
from chejil.commands.default_command import DEFAULT, DefaultCommand
from chejil.curation import check, manifest
from chejil.curation.demo.sample_corpus import write_sample_corpus
from chejil.curation.explain import explain
from chejil.curation.run import run

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("name", list(reference.pages()))
def test_a_generated_page_is_fresh(name):
    """`make docs` would change nothing."""
    assert (ROOT / "docs" / name).read_text("utf-8") == reference.pages()[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(page):
    """Every relative link names something that is there."""
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_and_options_in_the_docs_exist(page):
    """`chejil NAME --option` in any page is a command with that option."""
    for line in re.findall(r"^\$? ?chejil (.+)$", page.read_text("utf-8"), re.MULTILINE):
        command, rest = get_command(cli.app), line.split("#")[0].split()
        while hasattr(command, "commands") and not rest[0].startswith("-"):
            if rest[0] not in command.commands and isinstance(command, DefaultCommand):
                rest.insert(0, DEFAULT)  # `chejil eval MODEL` is `chejil eval run MODEL`
            name = rest.pop(0)
            assert name in command.commands, line
            command = command.commands[name]
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {
            "--help"
        }
        assert {word.split("=")[0] for word in rest if word.startswith("--")} <= known, line


def test_every_command_stands_in_the_readme():
    """A command that the front page does not name is not found."""
    readme = (ROOT / "README.md").read_text("utf-8")

    assert [name for name in get_command(cli.app).commands if name not in readme] == []


def test_the_tutorial_runs_as_it_is_written(tmp_path, monkeypatch):
    """Its recipe on the demo's corpus, and the document that it explains."""
    text = (ROOT / "docs/tutorial.md").read_text("utf-8")
    (recipe,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (document,) = re.findall(r"chejil explain runs/mine '(.*)'", text)
    monkeypatch.chdir(tmp_path)
    write_sample_corpus("demo-corpus", documents=2000)
    (tmp_path / "mine.yaml").write_text(recipe, "utf-8")

    found = run(check.load("mine.yaml"), "runs/mine")

    assert 0 < found.kept < found.documents
    assert not isinstance(explain("runs/mine", document), list)
    assert manifest.verify("runs/mine") == []


def test_the_tree_in_the_readme_is_the_tree():
    """Folders that the front page names are there, and the other way round."""
    readme = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"^(?:  )?([a-z_]+)/ ", readme, re.MULTILINE))

    parts = {path.parent.name for path in (ROOT / "chejil").glob("*/__init__.py")}
    assert named | {"tests"} == parts | {"recipes", "docs", "benchmarks", "tests"}
