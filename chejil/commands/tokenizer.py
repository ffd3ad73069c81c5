"""`chejil tokenizer …`: sample documents, train byte-level BPE, measure, extend."""

from __future__ import annotations

import typer

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Tokenizers: sample, train, measure, extend."
)
