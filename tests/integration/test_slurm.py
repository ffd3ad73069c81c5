"""What operators and failures do to array jobs of a real Slurm."""

import subprocess

import pytest

from chejil.curation.run import run
from chejil.errors import RunError

from .held import content, wait_until_gone
from .keeper import is_alive

pytestmark = pytest.mark.slow


def test_a_cancelled_task_and_a_failed_node_lose_no_byte(slurm, maps_alone, held, tmp_path):
    """An operator cancels a task, which is said; the same command goes on; then a node fails, and Slurm itself queues
    its task again: the coordinator waits for it."""
    recipe, expected = maps_alone
    first = held.coordinator(recipe(), slurm)
    held.begun(2)
    queue = ["squeue", "--noheader", "--array", "--states=running", "--format=%i"]
    jobs = subprocess.run(queue, capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["scancel", jobs[0]], check=True)
    held.let_go()
    said = first.communicate()[1]
    assert (first.returncode, "(CANCELLED)" in said) == (2, True), said
    held.hold()
    second = held.coordinator(recipe(), slurm)
    lost = [pid for pid, node in held.begun(2).items() if node == "n2"]
    update = ["scontrol", "update", "NodeName=n2"]

    subprocess.run([*update, "State=DOWN", "Reason=test"], check=True)
    try:
        assert wait_until_gone(lost)
        held.let_go()
        said = second.communicate()[1]
    finally:
        subprocess.run([*update, "State=RESUME"], check=False)  # refused where slurmd has brought it back

    assert (second.returncode, "died" in said) == (0, False), said
    assert len(lost) == 1
    assert content(tmp_path / "run") == expected


def test_a_killed_coordinators_job_is_cancelled_by_the_next_run(slurm, maps_alone, held, tmp_path):
    """kill -9 of `chejil run` leaves its job in the queue; the next run ends it before it writes anything."""
    recipe, expected = maps_alone
    process = held.coordinator(recipe(), slurm)
    pids = held.begun(2)
    process.kill()
    process.communicate()
    assert all(is_alive(pid) for pid in pids)

    run(recipe(), str(tmp_path / "run"))

    assert wait_until_gone(pids, seconds=0)
    assert content(tmp_path / "run") == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("executor.partition=nowhere",), "Invalid partition"),
        (("executor.sbatch={constraint: unobtainium}",), "could not be submitted"),
    ],
)
def test_what_slurm_refuses_is_said(slurm, maps_alone, tmp_path, settings, message):
    """sbatch's own words, and no traceback of ours."""
    with pytest.raises(RunError, match=message):
        run(maps_alone[0](*slurm, *settings), str(tmp_path / "run"))
