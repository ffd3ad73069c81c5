"""`chejil eval …`: run tasks on a model, compare results."""

from __future__ import annotations

from chejil.commands import eval_compare, eval_run
from chejil.commands.default_command import group

app = group("Evaluations: tasks on a model; results beside one another and beside published numbers.")
app.command("run")(eval_run.run)
app.command("compare")(eval_compare.compare)
