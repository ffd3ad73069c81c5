"""`chejil eval …`: run tasks on a model, compare results."""

from __future__ import annotations

from chejil.commands import eval_compare
from chejil.commands.default_command import group

app = group("Evaluations: results beside one another and beside published numbers.")
app.command("compare")(eval_compare.compare)
