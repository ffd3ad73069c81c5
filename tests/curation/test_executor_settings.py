"""Where a recipe is done: what may be said of it, and that it is in no key and in no file of the run."""

import pytest

from chejil.curation.run import dry_run, run
from chejil.errors import RecipeError, RunError

SLURM = ("executor.kind=slurm", "executor.partition=main")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("executor.kind=slum",), "slum"),
        (("executor.kind=slurm",), "'partition' is missing"),
        ((*SLURM, "executor.partitio=x"), "'partitio' is not known here\n  mend: did you mean 'partition'"),
        ((*SLURM, "executor.gather={cpus: 2}"), "'cpus' is not known here"),
        ((*SLURM, "executor.time=24:00:00"), "in quotes"),
        ((*SLURM, "executor.time='soon'"), "executor.time"),
        (("executor.kind=ray", "executor.tasks=0"), "executor.tasks"),
        (("executor={kind: local, partition: main}",), "'partition' is not known here"),
    ],
)
def test_a_wrong_executor_is_an_error_of_the_recipe(small_recipe, settings, message):
    """Found by `chejil check`, with what to write."""
    with pytest.raises(RecipeError) as raised:
        small_recipe(*settings)
    assert message in str(raised.value)


def test_the_executor_is_in_no_key_and_not_in_the_resolved_recipe(small_recipe, small_run):
    """A run that was made here is done, wherever the recipe says that it should be."""
    recipe = small_recipe(*SLURM, "executor.tasks=7")

    assert recipe.resolved() == small_recipe().resolved()
    assert not any(row["to_do"] for row in dry_run(recipe, small_run))


def test_a_cluster_cannot_put_its_scripts_on_object_storage(small_recipe):
    """Said before anything is submitted."""
    with pytest.raises(RunError, match=r"set executor\.folder"):
        run(small_recipe(*SLURM), "memory://lab/run")


def test_a_cluster_that_is_not_here_is_said(small_recipe, tmp_path, monkeypatch):
    """No sbatch in PATH: what to do, in a run's own words."""
    pytest.importorskip("datatrove")
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(RunError, match="there is no sbatch here"):
        run(small_recipe(*SLURM), str(tmp_path / "run"))
