"""The demo, as a new user runs it."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import manifest
from chejil.curation.demo import demo
from chejil.curation.progress import Silent


@pytest.mark.slow
def test_the_demo_catches_what_it_planted(tmp_path):
    """Exact defects without exception, clean documents kept without exception; the law holds in the run."""
    done = demo.sample(tmp_path / "corpus", str(tmp_path / "run"), 1, Silent())
    rows = {row["kind"]: row for row in done.caught}

    def share(kind):
        return rows[kind]["caught"] / rows[kind]["planted"]

    for kind in ("exact_copy", "whitespace_variant", "case_punctuation_variant", "nfd_decomposed: copy", "empty",
                 "html_entities_left", "zero_width", "repeated_lines", "near_dup_word_edit: 1_percent"):  # fmt: skip
        assert share(kind) == 1, rows[kind]
    for kind in rows:
        if kind.startswith(("quarantine", "other_language", "mojibake", "keyboard_mash")):
            assert share(kind) == 1, rows[kind]
    for kind in rows:
        if kind.startswith(("personal data", "look-alike", "machine_spam", "boilerplate_only")):
            assert share(kind) == 1, rows[kind]
    assert share("clean documents kept") > 0.99
    assert done.run.documents == 6000
    assert manifest.verify(done.root) == []


@pytest.mark.slow
def test_the_demo_can_be_run_again(tmp_path):
    """The corpus is the same bytes, so only reading is done again; the answer is the same."""
    first = demo.sample(tmp_path / "corpus", str(tmp_path / "run"), 1, Silent())
    second = demo.sample(tmp_path / "corpus", str(tmp_path / "run"), 1, Silent())

    assert second.caught == first.caught
    assert second.run.units_done == 9


@pytest.mark.slow
def test_the_commands_of_the_readme_answer(tmp_path, monkeypatch):
    """Those that ask the demo's run, as they stand there; the nearest document of a copy is found."""
    readme = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    # A page does not end by itself.
    lines = re.findall(r"^\$ chejil (?!explore)(.+/demo\b.*)$", readme, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    demo.sample("demo-corpus", "runs/demo", 1, Silent())

    said = {}
    for line in lines:
        words = shlex.split(line, comments=True)
        done = CliRunner().invoke(cli.app, words)
        assert done.exit_code == 0, (line, done.output)
        said[words[0]] = done.stdout

    assert {"explain", "stats", "inspect", "whatif", "diff", "card", "near"} <= said.keys()
    assert "duplicate:near" in said["inspect"] or "num_words" in said["inspect"]
    assert "c4-ko.tfrecord-00001-of-00003.json.gz#715" in said["near"]
