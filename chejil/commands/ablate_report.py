"""`chejil ablate report`: what a sweep of proxies decides."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.options import JsonOption, LogJsonOption, progress
from chejil.errors import ChejilError

EXIT_NO_FIT = 1
"""The report was written, but there were too few proxies to recommend a mixture."""

EXIT_WRONG = 1
"""`verify` found something."""


def report(
    sweep: Annotated[str, typer.Argument(help="A sweep's folder.")],
    out: Annotated[
        str | None, typer.Option("--out", help="Folder of the report [default: the sweep's folder].")
    ] = None,
    english_worse: Annotated[
        float | None,
        typer.Option(
            "--english-worse",
            metavar="PERCENT",
            help="Korean alone is the value; English may be so much worse than natural.",
        ),
    ] = None,
    tether: Annotated[
        float | None, typer.Option("--tether", help="Bits per byte a nat of distance from natural.")
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", metavar="DOMAIN=SHARE", help="Of a domain in the value; they add up to 1."),
    ] = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Report on a sweep: the recommended mixture, how far to trust it, what was decided and how many seeds are missing.

    report.json (every number, with the folders it comes from), report.html and mixture.yaml (for a training's
    `mixture_file`: what is advised, the natural mixture where that is to be kept; candidate.yaml then has the one that
    is predicted to be best) are written. Options take the place of the sweep's own objective. With too few proxies for
    a fit, what can be compared is compared, no mixture.yaml is written, and the exit code is 1. `chejil verify SWEEP`
    makes the report again and compares.
    """
    from pydantic import ValidationError

    from chejil import terminal
    from chejil.eval.ablating import installed
    from chejil.eval.ablation_reports import report as reports
    from chejil.eval.ablation_reports import report_view, sweep_file, writing

    installed.require()
    content = sweep_file.read(sweep)
    try:
        settings = reports.stated(
            content, weights=_weights(weight), english_worse_percent=english_worse, tether=tether
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ChejilError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}", mend="give 0 or more"
        ) from None
    with progress("nothing was written", log_json) as bars:
        found = reports.report(sweep, content, settings, bars)
        places = writing.write(found, out or sweep)
    terminal.show(writing.plain(found) if json else found, json, report_view.view)
    for place in places.values():
        terminal.tell([place])
    if found.no_fit is not None:
        raise typer.Exit(EXIT_NO_FIT)


def verify(sweep: str, json: bool) -> None:
    """`chejil verify` of a sweep: files, numbers of proxies, and the report made again."""
    from chejil import terminal
    from chejil.eval.ablation_reports import checking, report_view, sweep_file

    content = sweep_file.read(sweep)
    problems = checking.verify(sweep, content)
    told = {"files": checking.num_files(sweep, content), "problems": problems}
    terminal.show(told, json, report_view.verified)
    if problems:
        raise typer.Exit(EXIT_WRONG)


def _weights(given: list[str] | None) -> dict[str, float] | None:
    if not given:
        return None
    found: dict[str, float] = {}
    for one in given:
        name, _, share = one.rpartition("=")
        try:
            found[name] = float(share)
        except ValueError:
            name = ""
        if not name:
            raise ChejilError(f"--weight {one}", mend="write DOMAIN=SHARE, e.g. --weight news-ko=0.5")
    return found
