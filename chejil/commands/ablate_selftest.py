"""`chejil ablate selftest`: whether the fit and the search find a best mixture that is known."""

from __future__ import annotations

import typer

from chejil.commands.options import JsonOption, LogJsonOption, progress

EXIT_MISSED = 1
"""A recommendation was farther from the known optimum than is stated."""


def selftest(json: JsonOption = False, log_json: LogJsonOption = False) -> None:
    """Find the best mixture of made-up sources whose best mixture is known: five worlds, 32 proxies each.

    Printed for each: how far the recommended mixture is from the optimum, as a share of bytes and in bits per
    byte, beside the natural mixture and the best proxy; rank correlation on mixtures never seen, and what
    cross-validation promised; how many true values are within the intervals; which regressions were chosen. The
    exit code is 1 if one is farther than stated. It takes about 15 seconds on one core.
    """
    from chejil import terminal
    from chejil.eval.ablating import installed, selftest_view
    from chejil.eval.ablating import selftest as trials

    installed.require()
    with progress("nothing was written", log_json) as bars:
        found = trials.selftest(bars)
    terminal.show({**vars(found), "passed": found.passed} if json else found, json, selftest_view.view)
    if not found.passed:
        raise typer.Exit(EXIT_MISSED)
