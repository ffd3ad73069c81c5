"""`chejil eval run`: tasks of lm-evaluation-harness on a model."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

import typer

from chejil.commands.options import ContaminationOption, JsonOption, LogJsonOption, progress
from chejil.errors import ChejilError

EXIT_INCOMPLETE = 3
"""Some tasks could not be run; the others are in the result."""


SuiteOption = Annotated[
    str, typer.Option("--suite", metavar="kobest|en14|koen|TASKS", help="A suite, or tasks between commas.")
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="DIR", help="Folder of the tasks' files; no network then [default: the hub]."
    ),
]


class Mode(StrEnum):
    """How KoBEST is asked."""

    harness = "harness"
    polyglot = "polyglot"


class Dtype(StrEnum):
    """Of the weights."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


def run(
    model: Annotated[
        str, typer.Argument(help="A model's folder, an adapter's, or a name on the hub (without --data).")
    ],
    suite: SuiteOption = "kobest",
    data: DataOption = None,
    mode: Annotated[
        Mode,
        typer.Option("--mode", help="harness: as lm-eval does today; polyglot: as the published numbers."),
    ] = Mode.harness,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="The first items of each task.")] = None,
    batch_size: Annotated[
        str, typer.Option("--batch-size", metavar="N|auto", help="Rows of a batch.")
    ] = "auto",
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda, cuda:1 … [default: a GPU where there is one].")
    ] = None,
    dtype: Annotated[Dtype, typer.Option("--dtype", help="Of the weights; auto: as saved.")] = Dtype.auto,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave broken rows of the files out, and count them.")
    ] = False,
    contamination: ContaminationOption = None,
    out: Annotated[
        str | None, typer.Option("--out", help="Folder of the result [default: evals/MODEL-MODE].")
    ] = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Evaluate a model on KoBEST, the 14 English tasks of the published tables, or both: one result with every item.

    What is done is kept, and the same command goes on. Several GPUs: torchrun --nproc-per-node 8 -m chejil eval run …
    The exit code is 0, or 3 if tasks could not be run (the others are in the result).
    """
    from pathlib import Path

    from chejil import terminal
    from chejil.eval.harness import harness_view, launcher, suites
    from chejil.eval.harness.harness_settings import HarnessSettings
    from chejil.eval.harness.run import run as evaluate

    settings = HarnessSettings(
        mode=mode.value, limit=limit, batch_size=_batch_size(batch_size), device=_device(device), dtype=dtype.value,
        skip_broken=skip_broken,
    )  # fmt: skip
    folder = out or f"evals/{Path(model).resolve().name}-{mode.value}"
    with progress(log_json=log_json) as bars:
        found = evaluate(model, suites.named(suite), data, folder, settings, bars)
    if launcher.rank() == 0:
        terminal.show(harness_view.shown(found, contamination or []), json, harness_view.tables)
    if found.failed:
        raise typer.Exit(EXIT_INCOMPLETE)


def _batch_size(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise ChejilError(f"--batch-size is '{text}'", mend="give a number from 1 on, or auto")
    return int(text)


def _device(text: str | None) -> str | None:
    from chejil.eval.harness.harness_settings import DEVICE

    if text is not None and not re.match(DEVICE, text):
        raise ChejilError(f"--device is '{text}'", mend="give cpu, cuda, cuda:1 … or mps")
    return text
