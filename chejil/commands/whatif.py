"""`chejil whatif`: what other bounds would do to a finished run."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.options import JsonOption, RunArgument, SetOption, WorkersOption, progress
from chejil.errors import RunError

EXIT_INCOMPLETE = 3
"""As of `chejil run`: complete but for shards that could not be read."""


def whatif(
    run: RunArgument,
    recipe: Annotated[
        str | None,
        typer.Argument(help="A recipe whose filter differs [default: the run's own, with --set]."),
    ] = None,
    set_: SetOption = None,
    write: Annotated[
        bool, typer.Option("--write", help="Make it the run's decision: run the recipe in the run's folder.")
    ] = False,
    samples: Annotated[
        int, typer.Option(min=0, max=1000, help="Documents shown for each reason that decides anew.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Another seed draws others.")] = 0,
    workers: WorkersOption = None,
    json: JsonOption = False,
) -> None:
    """Say what other bounds, rules or blocklists would do to a run, from its stored signals; no text is read.

    E.g. --set stages.filter.bounds.ko.num_words.low=30. The numbers are those of the run that would follow: survivors
    of duplicates are chosen again. Nothing is written without --write.

    "Only it" counts documents that no other rule of the filter drops. "Kept without" is how many documents more would
    be kept if this rule alone were lifted. "Near" are documents whose value lies within a tenth of the bound (of a
    share's or score's bound: a tenth of what lies nearer, 0 or 1; of a count at least one, else at least 0.01):
    "dropped" if this bound alone drops them of all the filter's, "kept" if the filter passes them.
    """
    from chejil import terminal
    from chejil.curation.whatif import whatif as asked
    from chejil.curation.whatif import whatif_view
    from chejil.curation.whatif.question import Question

    question = Question.of(run, recipe, set_ or (), samples, seed)
    number = workers or terminal.cores()
    found = asked.predict(question, number)
    if write:
        from chejil.curation import run as runs

        with progress(
            after=f"chejil run {run.rstrip('/')}/recipe.yaml --out {run} goes on where it stopped"
        ) as bars:
            content = runs.run(question.wanted, run, number, bars)
        if content.funnel != found.funnel_after:
            mend = "the sources or models have changed since; chejil explain tells why of each document"
            raise RunError("written, but the run is not what was foretold", where=run, mend=mend)
        found.notes.append("written: the run now decides so")
        terminal.show(found, json, whatif_view.answer)
        if content.failed:
            raise typer.Exit(EXIT_INCOMPLETE)
        return
    terminal.show(found, json, whatif_view.answer)
