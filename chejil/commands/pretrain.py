"""`chejil pretrain`: train a model from token shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chejil.commands.options import JsonOption, LogJsonOption, SetOption

if TYPE_CHECKING:
    from chejil.training.loop.live_view import View
    from chejil.training.loop.parallel import World


def pretrain(
    config: Annotated[str, typer.Argument(help="A training's file, or the bare name of one that ships.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The training's folder [default: runs/NAME].")
    ] = None,
    set_: SetOption = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Pretrain a model on token shards, or go on with it from its last checkpoint.

    On one device as it stands; on many by torchrun: `torchrun --nproc-per-node 8 -m chejil pretrain CONFIG`. OUT gets
    checkpoints, metrics.jsonl and TensorBoard's files. SIGTERM, SIGUSR1 and Ctrl-C end it behind the step under way,
    with a checkpoint; the exit code is then 128 and the signal's number. `chejil export` makes a model of it.
    """
    import signal

    from rich.console import Console

    from chejil import terminal
    from chejil.training import config as configs
    from chejil.training.installed import require_torch

    require_torch()
    loaded = configs.load(config, set_ or ())  # before torch, which takes seconds
    from chejil.training.loop import result_view
    from chejil.training.loop.live_view import live_view
    from chejil.training.pretrain import pretrain as train

    def view_of(world: World) -> View:
        console = terminal.STDERR if world.is_main else Console(quiet=True)
        return live_view(console, loaded.name, loaded.steps, log_json)

    done = train(loaded, out or Path("runs") / loaded.name, view_of)
    if done is not None:
        terminal.show(done, json, result_view.result)
        if done["stopped_by"]:
            raise typer.Exit(128 + signal.Signals[done["stopped_by"]])
