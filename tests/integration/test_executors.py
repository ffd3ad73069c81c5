"""The same recipe on this machine, on a real Slurm and on a real Ray: the same bytes; what becomes of lost tasks."""

import os
import signal

import pytest

from chejil.curation import manifest
from chejil.curation.run import run

from .held import BROKEN, content, wait_until_gone

pytestmark = pytest.mark.slow


def test_two_nodes_write_the_same_bytes(cluster, every_kind, held, tmp_path):
    """Maps, splits and gathers on two nodes, byte for byte the run on one machine; a shard that cannot be read is told
    through the cluster and stops alone; nothing of the jobs is left."""
    recipe, expected = every_kind
    held.let_go()

    done = run(recipe(*cluster), str(tmp_path / "run"))

    assert content(tmp_path / "run") == expected
    assert len(set(held.nodes().values())) == 2
    assert [(entry["shard"], "not a gzip file" in entry["what"]) for entry in done.failed] == [(BROKEN, True)]
    assert manifest.verify(str(tmp_path / "run")) == []
    assert not (tmp_path / "run" / "jobs").exists()
    assert done.units_done
    assert run(recipe(), str(tmp_path / "run")).units_done == 0


def test_a_task_that_is_killed_is_named_and_the_others_are_not_lost(cluster, maps_alone, held, tmp_path):
    """kill -9 of one of two tasks at its first unit: the other's units are done, the message names the lost ones."""
    recipe, expected = maps_alone
    root = tmp_path / "run"
    process = held.coordinator(recipe(), cluster)
    os.kill(min(held.begun(2)), signal.SIGKILL)
    held.let_go()

    said = process.communicate()[1]

    assert process.returncode == 2
    assert "1 of 2 tasks of 'documents' died" in said
    assert "not done: " in said
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert len(list((root / "work/documents").rglob("*.json"))) == 2
    run(recipe(), str(root))
    assert content(root) == expected


def test_a_run_that_is_terminated_cancels_its_tasks(cluster, maps_alone, held):
    """SIGTERM to the coordinator: exit code 143, and no task is left that could write."""
    process = held.coordinator(maps_alone[0](), cluster)
    pids = held.begun(2)

    process.terminate()
    said = process.communicate()[1]

    assert process.returncode == 143
    assert "goes on where it stopped" in said
    assert wait_until_gone(
        pids, seconds=0 if cluster[0].endswith("slurm") else 5
    )  # Ray tells nobody that they have
