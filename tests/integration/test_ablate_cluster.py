"""A sweep of proxies on a real Slurm and on a real Ray: what it measures is what one machine measures."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "eval"))
import small_sweeps as small

from chejil.curation.progress import Silent
from chejil.eval.sweeping import sweep, sweep_plan, sweep_settings

pytestmark = pytest.mark.slow


def test_two_nodes_train_the_same_proxies(cluster, tmp_path):
    """Bits per byte of every proxy; a second call has nothing to do."""
    asked = {"proxies": 4, "replicated": 0, "least_sequences": 1}
    file = small.file(tmp_path, small.tokens(tmp_path / "tokens"), proposals=asked)
    found = sweep_plan.plan(sweep_settings.load(str(file), cluster))

    done = sweep.run(found, str(tmp_path / "far"), 1, Silent())

    here = sweep.run(sweep_plan.plan(sweep_settings.load(str(file))), str(tmp_path / "near"), 1, Silent())
    assert done["complete"]
    for far, near in zip(done["proxies"], here["proxies"], strict=True):
        assert far["bits_per_byte"] == pytest.approx(near["bits_per_byte"], rel=1e-6)
    assert not (tmp_path / "far" / "jobs").exists()
    again = sweep.run(found, str(tmp_path / "far"), 1, Silent())
    assert again["proxies"] == done["proxies"]
