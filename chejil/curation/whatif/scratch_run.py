"""The later stages of a changed recipe, done in a scratch folder that stands on a finished run.

Stages that cut text (`line_dedup`, `substring_dedup`) count the texts of what is kept, so what stands behind the filter
cannot be told from side tables. Then the plan itself is asked: the scratch folder holds a link to every file of the
run, content keys say what need not be done again, and what is done again replaces links, never the run's files.
This reads text and takes as long as those stages do; nothing is written into the run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from chejil.curation import manifest, shards
from chejil.curation.executors.local import Executor
from chejil.curation.place import verdicts_of
from chejil.curation.plan import plan
from chejil.curation.progress import Silent
from chejil.curation.recipe import Recipe
from chejil.curation.run import Run, do_stage
from chejil.curation.run_folder import FileHold
from chejil.errors import RunError


@contextmanager
def decided_again(root: str, recipe: Recipe, executor: Executor) -> Iterator[str]:
    """A folder with the verdicts of every decider of the recipe, until the block ends.

    Raises:
        RunError: the run is not on a local disk, its sources have changed, or a shard stopped.
    """
    files, path = shards.file_system(root)
    if not isinstance(files, LocalFileSystem):
        what = "a stage behind the filter cuts text: what that would do is told from a run on a local disk"
        raise RunError(
            what, where=root, mend="copy the run to a disk, or chejil run the recipe with a new --out"
        )
    with tempfile.TemporaryDirectory(prefix="chejil-whatif-") as folder:
        _link(Path(path), Path(folder))
        _decide(Run(folder, plan(recipe)), recipe, executor, root)
        yield folder


def _link(run: Path, scratch: Path) -> None:
    for name in manifest.FOLDERS:
        for folder, _, names in os.walk(run / name):
            there = scratch / Path(folder).relative_to(run)
            there.mkdir(parents=True, exist_ok=True)
            for file in names:
                (there / file).symlink_to(Path(folder) / file)


def _decide(state: Run, recipe: Recipe, executor: Executor, root: str) -> None:
    if state.todo(state.plan.stages[0]):
        mend = f"chejil run the recipe with --out {root}"
        raise RunError("the sources are not those that the run has read", where=root, mend=mend)
    last = verdicts_of(recipe.deciders()[-1])
    for stage in state.plan.stages:
        do_stage(state, stage, executor, Silent(), FileHold())
        if stage.name == last:
            break
    for error in state.failed.values():
        raise error
