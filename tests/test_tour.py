"""`make tour`: the page's commands are run in order, and a failure ends it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def tour(tmp_path, page):
    (tmp_path / "page.md").write_text(page, "utf-8")
    command = [
        sys.executable,
        str(ROOT / "docs" / "tour.py"),
        str(tmp_path / "tour"),
        str(tmp_path / "page.md"),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_commands_are_run_in_the_folder_and_shown(tmp_path):
    """Two that answer at once; what is no command is passed over."""
    done = tour(
        tmp_path, "# A page\n\n```console\n$ chejil --version\n$ chejil plan pretrain-1b3 --gpus 256\n```\n"
    )
    assert done.returncode == 0, done.stderr
    assert "$ chejil --version" in done.stdout
    assert "the tour:" in done.stdout


@pytest.mark.parametrize("line", ["$ chejil run nowhere.yaml\n$ chejil --version\n"])
def test_a_failure_ends_the_tour(tmp_path, line):
    """With the command's own exit code; what follows is not run."""
    done = tour(tmp_path, line)
    assert done.returncode == 2
    assert "the tour ends here" in done.stderr
    assert "$ chejil --version" not in done.stdout


def test_the_page_leads_from_raw_text_to_an_answer():
    """Every step of the way is in it, in order."""
    page = (ROOT / "docs" / "tour.md").read_text("utf-8")
    steps = [
        "demo",
        "tokenizer train",
        "encode",
        "ablate run",
        "ablate report",
        "pretrain",
        "export",
        "sft ",
        "eval",
        "chat",
    ]
    places = [page.index(f"$ chejil {step}") for step in steps]
    assert places == sorted(places)
