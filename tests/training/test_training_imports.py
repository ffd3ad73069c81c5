"""What plans a training does not need what trains."""

import subprocess
import sys

import pytest

PURE = [
    "config", "data.batches", "modelling.model_sizes", "planning.compute_plan", "planning.epochs",
    "planning.memory", "planning.plan_view", "schedules", "conversations.audit", "conversations.conversation_counts",
    "conversations.conversation_view",
]  # fmt: skip


@pytest.mark.parametrize("module", PURE)
def test_planning_does_not_load_torch(module):
    """A plan is made on a laptop that has neither torch nor transformers."""
    code = (
        f"import chejil.training.{module}, sys; "
        "print([name for name in ('torch', 'transformers', 'polars') if name in sys.modules])"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "[]"
