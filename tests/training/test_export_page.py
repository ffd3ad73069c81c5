"""The commands and examples of docs/export.md run as they are written."""

import gzip
import json
import re
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

sys.path.insert(0, str(Path(__file__).parent))
import trained_folder as small  # noqa: E402

from chejil.cli import main  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / "docs" / "export.md"
# "The council met again in the old hall and spoke about the ferry."
TEXT = "시의회는 낡은 회관에서 다시 회의를 열어 여객선을 두고 이야기했다. The council met again in the old hall. "


def test_the_page_runs(tmp_path, monkeypatch, capsys, small_run):
    """Every command and every block of Python, in their order."""
    monkeypatch.chdir(tmp_path)
    small.tokenizer(tmp_path / "tokenizer")
    small.tokens("tokens", [small_run], "tokenizer")
    small.train("runs/small", small.config("tokens", tokenizer="tokenizer"))
    Path("more-text").mkdir()
    with gzip.open("more-text/more.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps({"text": f"{TEXT}{n}"}) + "\n" for n in range(40))

    scope = {}
    for kind, block in re.findall(r"```(sh|python)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        if kind == "python":
            exec(block, scope)
            continue
        for line in block.splitlines():
            with pytest.raises(SystemExit) as ended:
                main(line.removeprefix("chejil ").split())
            assert ended.value.code == 0, capsys.readouterr().err

    said = capsys.readouterr().out
    assert "\nTrue\n" in said
    assert scope["lineage"]["runs"][0]["name"] == "small"
    assert len(scope["pieces"]) == 64
