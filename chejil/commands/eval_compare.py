"""`chejil eval compare`: results beside one another, with errors, differences and published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chejil.commands.options import ContaminationOption, JsonOption, require_page


def compare(
    results: Annotated[
        list[str] | None,
        typer.Argument(metavar="RESULT…", help="result.json files, or folders that hold one."),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Set published numbers beside; alone: show them.")
    ] = False,
    contamination: ContaminationOption = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the tables as Markdown.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with bars.")] = None,
    json: JsonOption = False,
) -> None:
    """Compare results: tables with errors, paired differences on the same items, what classes are predicted.

    Means are unweighted over the rows of a table, as the published ones are. Errors are by bootstrap over items; of two
    runs each row gets an interval and a p-value by permutation. A model that answers one class only is marked.

    `chejil compare` is for answers of models beside each other.
    """
    from chejil import terminal
    from chejil.curation import shards
    from chejil.eval import comparison, comparison_page, comparison_view
    from chejil.eval import results as result_files

    require_page(html)
    require_page(markdown)
    found = comparison.compare(result_files.read_all(results or []), published, contamination or [])
    written = {html: comparison_page.page, markdown: comparison_view.markdown}
    for path, made in written.items():
        if path:
            shards.write_bytes(str(path.parent), path.name, made(found).encode())
    terminal.show(found, json, comparison_view.comparison)
    for path in written:
        if path:
            terminal.STDERR.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)
