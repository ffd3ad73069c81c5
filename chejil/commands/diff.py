"""`chejil diff`: what changed between two runs, or in one run by its own transforms."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.options import JsonOption, RunArgument


def diff(
    run: RunArgument,
    other: Annotated[str | None, typer.Argument(help="Another run's folder or URL.")] = None,
    samples: Annotated[
        int,
        typer.Option(
            "--samples", min=0, max=10**6, metavar="N", help="Documents shown of each change and reason."
        ),
    ] = 3,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**64 - 1, help="Of the samples.")] = 0,
    json: JsonOption = False,
) -> None:
    """Compare two runs: settings, inputs, documents, verdicts by reason, texts by rule; with samples of each change.

    A sample says what moved: `num_words 25: low 20 → 30`. With one run: what its transforms have changed, before and
    after.
    """
    from chejil import terminal

    if other is None:
        from chejil.curation.comparison import comparison_view
        from chejil.curation.comparison.own_changes import own_changes

        terminal.show(own_changes(run, samples, seed), json, comparison_view.own_changes)
        return
    from chejil.curation.comparison import comparison_view
    from chejil.curation.comparison.comparison import compare

    terminal.show(compare(run, other, samples, seed), json, comparison_view.comparison)
