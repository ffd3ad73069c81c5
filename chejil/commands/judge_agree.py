"""`chejil judge agree`: whether two judges say the same."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.options import JsonOption


def agree(
    first: Annotated[str, typer.Argument(help="A folder that judge score has written.")],
    second: Annotated[str, typer.Argument(help="Another, of the same answers by another judge.")],
    json: JsonOption = False,
) -> None:
    """Compare two judges on the same answers: weighted kappa, rank correlation and equal scores, by criterion.

    Kappa has quadratic weights and a 95 % interval; it is 1 where they agree and 0 where they do as by chance. What one
    of them did not judge is left out.
    """
    from chejil import terminal
    from chejil.eval.judging import judge_view, runs

    terminal.show(runs.agree(first, second), json, judge_view.agreements)
