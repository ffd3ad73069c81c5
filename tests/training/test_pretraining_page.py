"""The example of docs/pretraining.md runs as it stands."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import small_token_shards as small

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pretraining.md"


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    """On shards of two sources; the ranks' part is that of the batch."""
    groups = {("web", "ko"): small.documents(1, 3000), ("law", "ko"): small.documents(2, 300, 300)}
    small.write(tmp_path / "tokens", groups, per_shard=1000)
    monkeypatch.chdir(tmp_path)
    section = PAGE.read_text("utf-8").split("## Rows and batches")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)

    exec(code, {})

    said = capsys.readouterr().out
    assert said.startswith("(16, 1024) ['law/ko', 'web/ko']")
    assert "\nTrue\n" in said
