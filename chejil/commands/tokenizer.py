"""`chejil tokenizer …`: sample documents, train byte-level BPE, measure, extend."""

from __future__ import annotations

import typer

from chejil.commands import tokenizer_extend, tokenizer_measure, tokenizer_sample, tokenizer_train

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Tokenizers: sample, train, measure, extend."
)
app.command("sample")(tokenizer_sample.sample)
app.command("train")(tokenizer_train.train)
app.command("extend")(tokenizer_extend.extend)
app.command("measure")(tokenizer_measure.measure)
