"""The examples of docs/pretraining.md run as they stand."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import small_token_shards as small

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pretraining.md"


def code_of(section):
    """The one example of a section."""
    (text,) = re.findall(
        rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return code


def test_the_example_of_rows_runs(tmp_path, monkeypatch, capsys):
    """On shards of two sources; the ranks' part is that of the batch."""
    groups = {("web", "ko"): small.documents(1, 3000), ("law", "ko"): small.documents(2, 300, 300)}
    small.write(tmp_path / "tokens", groups, per_shard=1000)
    monkeypatch.chdir(tmp_path)

    exec(code_of("Rows and batches"), {})

    said = capsys.readouterr().out
    assert said.startswith("(16, 1024) ['law/ko', 'web/ko']")
    assert "\nTrue\n" in said


def test_the_example_of_checkpoints_runs(tmp_path, monkeypatch, capsys):
    """In one process, without a process group."""
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)

    exec(code_of("Checkpoints"), {})

    assert capsys.readouterr().out == "50 {'tokens': 102400} torch.Size([3, 4])\n"
