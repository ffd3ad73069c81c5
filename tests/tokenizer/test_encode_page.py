"""The examples of docs/encode.md run as they are written."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chejil.cli import main
from chejil.tokenizer.encoding.token_shards import TokenShards

from . import small_tokenizers as small

PAGE = Path(__file__).resolve().parents[2] / "docs" / "encode.md"


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    """The command with a folder of Parquet in place of the run, then every block of Python in its order."""
    monkeypatch.chdir(tmp_path)
    for name in ("runs/koen", "tokenizer"):
        Path(name).mkdir(parents=True)
    texts = list(small.SENTENCES) * 100
    pq.write_table(pa.table({"text": texts, "source": ["wiki"] * len(texts)}), "runs/koen/a.parquet")
    small.saved(small.trained("koen"), tmp_path / "tokenizer")
    (command,) = re.findall(r"^chejil (encode .*)$", PAGE.read_text("utf-8"), re.MULTILINE)

    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--workers", "1"])
    assert ended.value.code == 0
    scope = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(block, scope)

    assert scope["tokens"].offsets[-1] == len(scope["tokens"].ids)
    assert TokenShards("tokens").num_documents == len(texts)
    assert "wiki" in capsys.readouterr().out
