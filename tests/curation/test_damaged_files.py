"""A file of a run that cannot be read: commands that need it name it and say what to do, no traceback."""

import shutil

import pytest
from typer.testing import CliRunner

from chejil.cli import app
from chejil.curation import manifest
from chejil.curation import run as runs
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
        assert path.name in str(error)
        assert folder in str(error)
        assert "chejil verify" in error.mend
        assert "run its recipe again" in error.mend


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("signals/*/*.parquet", ["whatif", "{root}"]),
        ("documents/*/*.parquet", ["inspect", "{root}"]),
    ],
)
def test_a_missing_file_is_named_and_no_promise_is_made(small_run, tmp_path, path, options):
    """The same command would never go on: the recipe must be run again."""
    root = tmp_path / "run"
    shutil.copytree(small_run, root)
    for found in root.glob(path):
        found.unlink()

    error = CliRunner().invoke(app, [option.format(root=root) for option in options]).exception

    assert isinstance(error, RunError), error
    assert "missing" in error.what
    assert "run its recipe again" in error.mend
    assert "same command" not in str(error)


def test_an_interrupted_run_says_which_recipe_finishes_it(small_run, small_recipe, tmp_path, monkeypatch):
    """`whatif --write` that was killed is finished by the bounds that it was given, not by those from before."""
    root = tmp_path / "run"
    shutil.copytree(small_run, root)
    asked = small_recipe("stages.filter.bounds.ko.num_words.low=30")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "_close", killed)
    with pytest.raises(KeyboardInterrupt):
        runs.run(asked, str(root))
    with pytest.raises(RunError) as error:
        manifest.read(str(root))
    monkeypatch.undo()

    again = f"chejil run {root}/recipe.yaml --out {root}"
    assert again in error.value.mend
    assert CliRunner().invoke(app, again.split()[1:]).exit_code == 0
    assert manifest.read(str(root)).funnel == runs.run(asked, str(tmp_path / "other")).funnel
