"""`chejil quality …`: classifiers from examples."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.options import JsonOption, progress

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Quality classifiers, from your examples."
)


@app.command()
def train(
    positive: Annotated[
        list[str], typer.Option(metavar="PATH", help="Good documents; may be given several times.")
    ],
    negative: Annotated[
        list[str], typer.Option(metavar="PATH", help="The others; may be given several times.")
    ],
    lang: Annotated[str, typer.Option(help="Language of the classifier: ko or en.")],
    out: Annotated[str, typer.Option(help="Folder or URL for the model and its card.")],
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 2, help="Decides the sample, the split and the training.")
    ] = 1,
    dim: Annotated[int, typer.Option(min=2, max=300, help="Numbers a word.")] = 16,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the examples.")] = 5,
    held_out: Annotated[float, typer.Option(help="Share of the examples that is not learnt from.")] = 0.1,
    limit: Annotated[int, typer.Option(min=1, help="Most documents of a side.")] = 100_000,
    json: JsonOption = False,
) -> None:
    """Train a quality classifier on good documents and others; writes the model and a card that says how good.

    A PATH is a file or a quoted glob (Parquet, CSV, TSV or JSON lines with a `text` column, else plain text),
    FORMAT:PATH for a format of recipes, or the folder of a run: its clean shards.
    """
    from chejil import terminal
    from chejil.curation.quality import card_page, training

    settings = training.Training(lang, seed=seed, dim=dim, epochs=epochs, held_out=held_out, limit=limit)
    with progress(after="nothing was written") as bars:
        card = training.train({"high": positive, "low": negative}, settings, out, bars)
    terminal.show(card, json, lambda _: card_page.summary(card, out))
