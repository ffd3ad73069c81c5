"""`chejil ablate …`: small runs that decide which mixture the large run trains on."""

from __future__ import annotations

import typer

from chejil.commands import ablate_report, ablate_run, ablate_selftest

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Mixtures decided by small runs: run, report, selftest.",
)


@app.callback()
def ablate() -> None:
    """Mixtures decided by small runs."""


app.command("run")(ablate_run.run)
app.command("report")(ablate_report.report)
app.command("selftest")(ablate_selftest.selftest)
