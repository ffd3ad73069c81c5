"""`chejil card`: the data card of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.options import JsonOption, RunArgument


def card(
    run: RunArgument,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Write it there, e.g. RUN/README.md.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write the data card of a run: sources, licences, counts, filters, duplicates, personal data, known limits.

    Markdown with the front matter of a Hugging Face dataset card, on stdout or in a file. Beside `clean/` as README.md
    it makes the run's folder a data set that `datasets` loads.
    """
    from chejil import terminal
    from chejil.curation import shards
    from chejil.curation.data_card import data_card
    from chejil.errors import ChejilError

    text = data_card(run)
    if out is not None:
        if out.endswith("/") or shards.is_folder(out):
            raise ChejilError("a folder", where=out, mend=f"name a file, e.g. {out.rstrip('/')}/README.md")
        folder, _, name = out.rpartition("/")
        shards.write_bytes(folder or ("/" if out.startswith("/") else "."), name, text.encode())
    if json:
        terminal.print_json({"run": run, "file": out, "card": text})
    elif out is None:
        typer.echo(text, nl=False)
    else:
        typer.echo(f"card: {out}")
