"""`chejil sft`: fine-tune a model on conversations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chejil.commands.options import JsonOption, LogJsonOption, SetOption

EVERY_SECONDS = 5.0
"""Between two lines while conversations are read."""

if TYPE_CHECKING:
    from collections.abc import Callable

    from chejil.training.loop.live_view import View
    from chejil.training.loop.parallel import World
    from chejil.training.tuning.sft_config import SftConfig
    from chejil.training.tuning.sft_data import SftData


def sft(
    config: Annotated[str, typer.Argument(help="A fine-tuning's file, or the bare name of one that ships.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The training's folder [default: runs/NAME].")
    ] = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Read, encode and audit the conversations; train nothing.")
    ] = False,
    set_: SetOption = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Fine-tune a model on conversations, or go on with it from its last checkpoint.

    Only answers and their ends are learnt; conversations of a packed row do not see each other. Before step 1 an audit
    prints what is learnt of a conversation, and refuses what would waste the training. On many devices by torchrun:
    `torchrun --nproc-per-node 8 -m chejil sft CONFIG`. OUT gets checkpoints, metrics.jsonl, and in the end `model`, or
    `adapter` with `lora:`, of the best held-out loss. SIGTERM, SIGUSR1 and Ctrl-C end it behind the step under way,
    with a checkpoint; the exit code is then 128 and the signal's number. With --audit it is 1 if the audit refuses.
    """
    import signal

    from rich.console import Console

    from chejil import terminal
    from chejil.training.installed import require_sft
    from chejil.training.tuning import sft_config

    require_sft()
    loaded = sft_config.load(config, set_ or ())  # before torch, which takes seconds
    from chejil.training.tuning import sft_view

    if audit:
        _audit(loaded, json, log_json)
        return
    from chejil.training.loop.live_view import live_view
    from chejil.training.tuning.sft import sft as tune

    def view_of(world: World, num_steps: int) -> View:
        console = terminal.STDERR if world.is_main else Console(quiet=True)
        return live_view(console, loaded.name, num_steps, log_json)

    def show(found: SftData) -> None:
        if not log_json:
            terminal.tell(sft_view.data(found))

    say = _now_and_then(log_json)
    done = tune(loaded, out or Path("runs") / loaded.name, view_of, show, say)
    if done is not None:
        terminal.show(done, json, sft_view.result)
        if done["stopped_by"]:
            raise typer.Exit(128 + signal.Signals[done["stopped_by"]])


def _audit(config: SftConfig, json: bool, log_json: bool) -> None:
    from dataclasses import asdict

    from chejil import terminal
    from chejil.training.tuning import base_model, sft_data, sft_view

    base_model.read(config.model)
    found = sft_data.read(config, _now_and_then(log_json))
    if json:
        terminal.print_json({"audit": asdict(found.audit), "conversations": found.counts()})
    else:
        terminal.show(found, False, sft_view.data)
    if found.audit.refused:
        raise typer.Exit(1)


def _now_and_then(log_json: bool) -> Callable[[str], None]:
    """Lines on stderr, a few seconds apart."""
    import time

    from chejil import terminal

    told = time.monotonic()

    def say(text: str) -> None:
        nonlocal told
        if not log_json and time.monotonic() - told > EVERY_SECONDS:
            told = time.monotonic()
            terminal.STDERR.print(text, highlight=False)

    return say
