"""`chejil eval …`: run tasks on a model, measure bits per byte, compare results, write suites for trainings."""

from __future__ import annotations

from chejil.commands import eval_bits, eval_compare, eval_run, eval_suite
from chejil.commands.default_command import group

app = group(
    "Evaluations: tasks on a model; bits per byte of text; results beside one another and published numbers; suites "
    "that trainings score."
)
app.command("run")(eval_run.run)
app.command("bits")(eval_bits.bits)
app.command("compare")(eval_compare.compare)
app.command("suite")(eval_suite.suite)
