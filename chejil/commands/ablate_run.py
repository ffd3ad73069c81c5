"""`chejil ablate run`: train the proxies of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chejil.commands.options import JsonOption, LogJsonOption, SetOption, WorkersOption, progress


def run(
    config: Annotated[str, typer.Argument(help="A sweep's file, or the bare name of one that ships.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The sweep's folder [default: runs/NAME].")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show mixtures and cost; train nothing.")
    ] = False,
    workers: WorkersOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Train small models on many mixtures, as a queue: one a core (or `proxy.threads`), one a GPU, or on Slurm or Ray.

    Mixtures, tokens, FLOPs as a share of the large run, and time are printed first. Each proxy is measured on the same
    held-out text. A call that was interrupted goes on where it stopped; one with more proxies adds them. Then
    `chejil ablate report` fits and decides.
    """
    from chejil import terminal
    from chejil.eval.sweeping import sweep_plan, sweep_settings, sweep_view
    from chejil.training.installed import require_torch

    require_torch()
    settings = sweep_settings.load(config, set_ or ())
    found = sweep_plan.plan(settings)
    from chejil.eval.sweeping import sweep

    count = workers or sweep.default_workers(found, terminal.cores())
    sweep.refuse_few_gpus(found, count)
    if dry_run:
        terminal.show(sweep_view.content(found, count), json, sweep_view.plan)
        return
    if not log_json:
        terminal.tell(sweep_view.plan(sweep_view.content(found, count)))
    folder = str(out or Path("runs") / settings.name)
    with progress(log_json=log_json) as bars:
        done = sweep.run(found, folder, count, bars)
    terminal.show({**done, "folder": folder}, json, sweep_view.done)
