"""`chejil stats`: what shards or a run hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chejil.commands.options import JsonOption, LogJsonOption, WorkersOption, progress, require_page
from chejil.errors import ChejilError

EXIT_INCOMPLETE = 3
"""Some files could not be read, or not to their end; the others were counted."""


def stats(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH…", help="A run, a shard, a folder or quoted glob of shards, FORMAT:PATH."
        ),
    ],
    by: Annotated[str, typer.Option("--by", help="Columns with commas.")] = "source,lang",
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help="A Hugging Face tokenizer.json: count tokens, too.")
    ] = None,
    tokenizer_sample: Annotated[
        float, typer.Option("--tokenizer-sample", help="Share of the documents that it counts.")
    ] = 1.0,
    no_text: Annotated[
        bool, typer.Option("--no-text", help="Leave the text of shards that are no run's unread.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page.")] = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Tell what shards or a run hold: sizes, every column of numbers, domains, dates, duplicates, files, schemas.

    Of a run, the stored signals and decisions are counted and no text is read. Of other shards (Parquet, JSON lines)
    the text is read for characters, words and exact duplicates; --no-text is many times as fast.
    The exit code is 3 if files could not be read, or not to their end (the others were counted).
    """
    from chejil import terminal
    from chejil.curation import shards
    from chejil.curation.statistics import page, view
    from chejil.curation.statistics.counting import Settings
    from chejil.curation.statistics.statistics import collect

    names = tuple(dict.fromkeys(name.strip() for name in by.split(",") if name.strip()))
    if not names:
        raise ChejilError("--by names no column", mend="--by source,lang")
    if not 0 < tokenizer_sample <= 1:
        raise ChejilError(f"--tokenizer-sample {tokenizer_sample:g} is no share", mend="above 0, at most 1")
    if tokenizer_sample != 1 and tokenizer is None:
        raise ChejilError(
            "--tokenizer-sample is for --tokenizer", mend="name a tokenizer.json, or leave it out"
        )
    require_page(html)
    settings = Settings(names, tokenizer, tokenizer_sample, not no_text)
    with progress(after="nothing was written", log_json=log_json) as bars:
        found = collect(paths, settings, workers or terminal.cores(), bars)
    if html:
        shards.write_bytes(str(html.parent), html.name, page.page(found).encode())
    terminal.show(found, json, view.statistics)
    if html:
        terminal.STDERR.print(f"written: {html}", highlight=False, markup=False, soft_wrap=True)
    if found.failed or found.torn:
        raise typer.Exit(EXIT_INCOMPLETE)
