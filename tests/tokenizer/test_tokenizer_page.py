"""The examples of docs/tokenizer.md run as they stand."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chejil.cli import app

PAGE = (Path(__file__).parents[2] / "docs" / "tokenizer.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ chejil (tokenizer (?:train|extend) .+)$", PAGE, re.MULTILINE)
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

# "the sea is blue, the sky is high"; "members of the council talked in the hall"
TEXTS = (
    "바다는 푸르다. 하늘은 높다.",
    "시의회 의원들은 회관에서 이야기했다.",
    "the blue sea and the sky above the old hall",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where all commands of the page have run, with a sample and a base."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "sample").mkdir()
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS * 3)
    (folder / "sample" / "a.jsonl").write_text(lines, "utf-8")
    base = "tokenizer train sample --vocab-size 265 --out tokenizers/base"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in (base, *COMMANDS):
            done = CliRunner().invoke(app, [*shlex.split(command), "--workers", "1"], catch_exceptions=False)
            assert done.exit_code == 0, command
    return folder


def test_the_commands_run(folder):
    """Each writes what the page says."""
    assert len(COMMANDS) == 3
    for name in ("koen", "sizes/16k", "sizes/32k", "sizes/50k", "extended"):
        assert (folder / "tokenizers" / name / "tokenizer_manifest.json").exists()


def test_the_python_runs(folder, monkeypatch):
    """What a line is said to give is what it gives."""
    pytest.importorskip("transformers")
    monkeypatch.chdir(folder)
    names: dict = {}
    said = 0
    for line in "".join(CODE).splitlines():
        code, _, result = line.partition("  # ")
        if result:
            assert eval(code, names) == eval(result)
            said += 1
        else:
            exec(code, names)

    assert said == 6
