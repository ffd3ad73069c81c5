"""`chejil plan`: what a pretraining costs before it is begun."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chejil.commands.options import JsonOption, SetOption, require_page


def plan(
    config: Annotated[str, typer.Argument(help="A training's file, or the bare name of one that ships.")],
    gpus: Annotated[int, typer.Option("--gpus", min=1, help="GPUs of the training.")] = 1,
    device: Annotated[str, typer.Option("--device", help="Their kind: a100-80g, h100-sxm, …")] = "a100-80g",
    mfu: Annotated[
        float, typer.Option("--mfu", help="Share of the peak that the model's FLOPs reach, 0 to 1.")
    ] = 0.4,
    peak_tflops: Annotated[
        float | None,
        typer.Option("--peak-tflops", help="Peak of dense bf16 products, for a device that is not known."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the ledger of epochs as a page.")] = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Plan a pretraining: GPU hours, time, memory by part, disk, tokens and epochs by source, and what is wrong.

    Nothing is trained and torch is not needed. FLOPs and MFU are by the config's formula (`flops`), the others stand
    beside it. Sizes of sources are those of the token shards, or what `expected` says as long as there are none.
    """
    from chejil import terminal
    from chejil.curation import shards
    from chejil.training import config as configs
    from chejil.training.planning import compute_plan, ledger_page, plan_view

    require_page(html)
    loaded = configs.load(config, set_ or ())
    found = compute_plan.plan(loaded, compute_plan.Hardware(gpus, device, mfu, peak_tflops))
    if html is not None:
        shards.write_bytes(str(html.parent), html.name, ledger_page.page(loaded.name, found.ledger).encode())
    terminal.show(found, json, plan_view.plan)
