"""`chejil export`: a checkpoint as a folder of Hugging Face."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from chejil.commands.options import JsonOption


class Dtype(StrEnum):
    """Of the weights."""

    fp32 = "fp32"
    bf16 = "bf16"


def export(
    checkpoint: Annotated[
        str, typer.Argument(help="A training's folder (its newest checkpoint), or one of its checkpoints.")
    ],
    out: Annotated[str, typer.Option("--out", help="The new folder.")],
    dtype: Annotated[
        Dtype, typer.Option("--dtype", help="fp32: as the training keeps them; bf16: half the size.")
    ] = Dtype.fp32,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer", help="The tokenizer's folder, for its chat template and roles, if it is not found."
        ),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            "--run", metavar="PATH", help="A curated run that the tokens are of, if it is not found."
        ),
    ] = None,
    license_: Annotated[
        str | None, typer.Option("--license", help="For the model card, e.g. apache-2.0.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Export a checkpoint as a Hugging Face folder: weights, tokenizer, model card and lineage.

    transformers, vLLM and others load it: in fp32 the logits are those of the training, bit for bit. The tokenizer
    begins a text as the training began its documents. `lineage.json` leads back to the raw files by hashes, as far as
    the token shards and runs can be found. OUT appears whole or not at all; an export of the same checkpoint is
    replaced.
    """
    from chejil import terminal
    from chejil.training.exporting import export as exporting
    from chejil.training.exporting import export_view

    done = exporting.export(
        checkpoint, out, dtype.value, tokenizer=tokenizer, runs=run or (), license=license_
    )
    terminal.show(done, json, export_view.exported)
