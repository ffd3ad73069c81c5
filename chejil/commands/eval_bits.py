"""`chejil eval bits`: bits per byte of held-out text by domain and language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chejil.commands.eval_run import Dtype, _device
from chejil.commands.options import JsonOption, LogJsonOption, progress
from chejil.errors import ChejilError, did_you_mean

if TYPE_CHECKING:
    from chejil.eval.bits.bits_settings import BitsSettings


def bits(
    model: Annotated[str, typer.Argument(help="A model's folder, an adapter's, or a name on the hub.")],
    on: Annotated[
        list[str],
        typer.Option(
            "--on",
            metavar="PATH",
            help="Held-out text: a run, Parquet, JSON lines, FORMAT:PATH; may be repeated.",
        ),
    ],
    by: Annotated[
        str, typer.Option("--by", metavar="source,lang", help="What makes a row: source, lang or both.")
    ] = "source,lang",
    context: Annotated[
        int | None,
        typer.Option("--context", min=2, help="Tokens of a window [default: the model's, at most 4,096]."),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            "--stride", min=1, help="Tokens from one window to the next [default: half the context]."
        ),
    ] = None,
    limit_bytes: Annotated[
        int | None,
        typer.Option("--limit-bytes", min=1, help="Of each row the first documents up to so much."),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda, cuda:1 … [default: a GPU where there is one].")
    ] = None,
    dtype: Annotated[Dtype, typer.Option("--dtype", help="Of the weights; auto: as saved.")] = Dtype.auto,
    out: Annotated[
        str | None, typer.Option("--out", help="Folder of the result [default: evals/MODEL-bits].")
    ] = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Measure bits per byte of held-out text, by domain and language, with errors: models of any tokenizer compare.

    The result holds every document, so chejil eval compare pairs two models. What is done is kept, and the same
    command goes on. Several GPUs: torchrun --nproc-per-node 8 -m chejil eval bits …
    """
    from pathlib import Path

    from chejil import terminal
    from chejil.eval.bits import bits_view, ranks
    from chejil.eval.bits.run import run
    from chejil.training import library_logs

    settings = _settings(by, context, stride, limit_bytes, _device(device), dtype.value)
    folder = out or f"evals/{Path(model).resolve().name}-bits"
    with progress(log_json=log_json) as bars, library_logs.silenced("transformers"):
        found = run(model, on, folder, settings, bars)
    if ranks.rank() == 0:
        terminal.show(bits_view.shown(found), json, bits_view.tables)


def _settings(by: str, context: int | None, stride: int | None, limit_bytes: int | None, device: str | None,
              dtype: str) -> BitsSettings:  # fmt: skip
    from chejil.eval.bits.bits_settings import BitsSettings

    names = list(dict.fromkeys(by.split(",")))
    for name in names:
        if name not in ("source", "lang"):
            raise ChejilError(f"--by: '{name}'", mend=did_you_mean(name, ["source", "lang"]))
    if context is not None and stride is not None and stride > context:
        raise ChejilError(f"--stride {stride} is longer than --context {context}", mend="give a smaller one")
    return BitsSettings.model_validate(
        {"by": names, "context": context, "stride": stride, "limit_bytes": limit_bytes, "device": device,
         "dtype": dtype}
    )  # fmt: skip
