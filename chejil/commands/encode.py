"""`chejil encode`: documents to token shards."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.options import JsonOption, LogJsonOption, WorkersOption, progress

EXIT_INCOMPLETE = 3
"""Some files could not be read to their end; the others are encoded."""


def encode(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH…", help="A run, a shard, a folder or quoted glob of shards, FORMAT:PATH."
        ),
    ],
    tokenizer: Annotated[str, typer.Option("--tokenizer", help="A tokenizer.json, or a folder with one.")],
    out: Annotated[str, typer.Option("--out", help="Folder or URL of the token shards.")],
    end_of_document: Annotated[
        str, typer.Option("--end-of-document", help="Special token behind each document; '' for none.")
    ] = "<|endoftext|>",
    workers: WorkersOption = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Encode documents to token shards for training: of a run its clean shards. What is done is not done again.

    OUT gets, by source and language, files of tokens (uint16, or uint32 above 65,536 ids) that NumPy maps, where
    documents begin, a table of documents, and a manifest; `chejil verify OUT` checks them. Special tokens in the text
    of a document are text. The exit code is 3 if files could not be read to their end (the others are encoded).
    """
    from chejil import terminal
    from chejil.tokenizer.encoding import encoding, encoding_view
    from chejil.tokenizer.encoding.encoding_units import Settings

    settings = Settings(end_of_document=end_of_document or None)
    with progress(log_json=log_json) as bars:
        done = encoding.encode(paths, tokenizer, out, settings, workers or terminal.cores(), bars)
    terminal.show(done, json, encoding_view.encoded)
    if done.content["failed"]:
        raise typer.Exit(EXIT_INCOMPLETE)
