"""A file of a run that cannot be read: every command that needs it names it and says what to do; none has a traceback."""

import shutil

import pytest
from typer.testing import CliRunner

from chejil.cli import app
from chejil.curation import shards
from chejil.errors import RunError

COMMANDS = {
    "signals": (["inspect", "--dropped", "num_words"], ["inspect", "--near", "num_words:low"], ["whatif"]),
    "decisions": (["inspect", "--sample", "1"], ["whatif"], ["explain", "x#1"]),
    "clean": (["card"],),
}


@pytest.fixture(params=COMMANDS)
def torn_run(request, small_run, tmp_path):
    """A run of which one file of a folder lacks its end."""
    root = tmp_path / "run"
    shutil.copytree(small_run, root)
    path = sorted((root / request.param).rglob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-100])
    return request.param, root, path


def test_every_command_names_a_torn_file_and_says_what_to_do(torn_run):
    folder, root, path = torn_run
    for command, *options in COMMANDS[folder]:
        error = CliRunner().invoke(app, [command, str(root), *options]).exception

        assert isinstance(error, RunError), (command, error)
        assert path.name in str(error) and folder in str(error)
        assert "chejil verify" in error.mend and "run its recipe again" in error.mend


def test_what_the_system_says_stays_its_own_word(tmp_path):
    with pytest.raises(FileNotFoundError):
        shards.num_rows(str(tmp_path / "none.parquet"))
