"""What a real Ray cluster cannot do is said, where Ray itself would wait."""

import pytest

from chejil.curation.run import run
from chejil.errors import RunError

pytestmark = pytest.mark.slow


def test_a_task_that_fits_no_node_is_refused(ray, maps_alone, tmp_path):
    """Ray would wait for such a node for ever, without a word; two nodes of one core are not one of two."""
    with pytest.raises(RunError, match="a task asks for 2 cores and 2 GB; the largest node has 1 and 4 GB"):
        run(maps_alone[0](*ray, "executor.cpus_per_task=2"), str(tmp_path / "run"))


def test_no_ray_is_an_error_that_says_so(ray, maps_alone, tmp_path):
    """An address where nobody listens."""
    with pytest.raises(RunError, match="cannot reach a Ray cluster"):
        run(maps_alone[0](*ray, "executor.address=127.0.0.1:1"), str(tmp_path / "run"))
