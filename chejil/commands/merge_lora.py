"""`chejil merge-lora`: an adapter and its base as one model."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from chejil.commands.options import JsonOption


class Dtype(StrEnum):
    """Of the weights."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


def merge_lora(
    adapter: Annotated[
        str, typer.Argument(help="The adapter's folder, of a fine-tuning with `lora:` or of PEFT.")
    ],
    out: Annotated[str, typer.Option("--out", help="The new folder.")],
    base: Annotated[
        str | None, typer.Option("--base", help="The base's folder [default: where the adapter says].")
    ] = None,
    dtype: Annotated[
        Dtype | None, typer.Option("--dtype", help="Of the weights [default: the base's own].")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Merge a LoRA adapter into its base: a Hugging Face folder that any tool loads.

    Merged in fp32 and cast once. The logits are compared with those of the unmerged model on texts of both languages,
    behind the merge, the cast and the reading of what was written; the differences are printed, and a model that is
    another is refused. Takes 4 bytes of memory a weight. A base that is not the adapter's is refused by the hash of its
    weights. OUT appears whole or not at all.
    """
    from chejil import terminal
    from chejil.training.installed import require_lora

    require_lora()
    from chejil.training.tuning import merge_view, merging

    def say(line: str) -> None:
        terminal.STDERR.print(line, highlight=False, markup=False, soft_wrap=True)

    done = merging.merge(adapter, out, base, dtype.value if dtype else None, say)
    terminal.show(done, json, merge_view.merged)
