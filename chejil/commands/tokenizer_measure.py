"""`chejil tokenizer measure`: a report card of tokenizers, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chejil.commands.options import JsonOption, LogJsonOption, WorkersOption, progress, require_page


def measure(
    tokenizers: Annotated[
        list[str],
        typer.Argument(
            metavar="TOKENIZER…",
            help="A folder with tokenizer.json, a tokenizer.json, a SentencePiece .model, tiktoken:NAME.",
        ),
    ],
    on: Annotated[
        list[str],
        typer.Option(
            "--on",
            metavar="PATH",
            help="A run, a shard, a folder or quoted glob of shards, FORMAT:PATH; repeatable.",
        ),
    ],
    docs: Annotated[int, typer.Option("--docs", min=1, help="Documents of each source, at most.")] = 2000,
    sizes: Annotated[
        str | None,
        typer.Option("--sizes", help="Measure smaller vocabularies of the same training, e.g. 16k,32k,50k."),
    ] = None,
    parallel: Annotated[
        str | None,
        typer.Option(
            "--parallel", metavar="FILE", help="Korean-English text: TSV, JSON lines, Parquet, or KO,EN."
        ),
    ] = None,
    morphemes: Annotated[
        bool, typer.Option("--morphemes/--no-morphemes", help="Compare with Kiwi's morphemes.")
    ] = True,
    speed: Annotated[bool, typer.Option("--speed/--no-speed", help="Measure how fast they encode.")] = True,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page.")] = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Measure tokenizers on held-aside text: tokens a word, bytes a token, parity, what is cut and what is never used.

    Of each source the documents with the smallest hashes are measured, so the numbers, speed aside, are the same for
    any number of workers. TOKENIZER@32k is the first 32,000 tokens of a tokenizer. Measure on text that the tokenizers
    were not trained on.
    """
    from chejil import terminal
    from chejil.curation import shards
    from chejil.tokenizer.measuring import measure as measuring
    from chejil.tokenizer.measuring import page, view
    from chejil.tokenizer.measuring.sizes import equal, sweep

    require_page(html)
    specs = sweep(tokenizers, sizes) if sizes is not None else tokenizers
    settings = measuring.Settings(docs, parallel, morphemes, speed)
    with progress(after="nothing was written", log_json=log_json) as bars:
        card = measuring.measure(specs, on, settings, workers or terminal.cores(), bars)
    if html:
        shards.write_bytes(str(html.parent), html.name, page.page(card).encode())
    terminal.show(card, json, view.report_card)
    for said in equal(specs):
        terminal.STDERR.print(said, highlight=False, markup=False, soft_wrap=True)
    if html:
        terminal.STDERR.print(f"written: {html}", highlight=False, markup=False, soft_wrap=True)
