"""`chejil ablate run`: train the proxies of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chejil.commands.options import JsonOption, LogJsonOption, SetOption, WorkersOption, progress

if TYPE_CHECKING:
    from chejil.eval.sweeping.sweep_settings import SweepSettings


def run(
    config: Annotated[str, typer.Argument(help="A sweep's file, or the bare name of one that ships.")],
    out: Annotated[
        str | None, typer.Option("--out", help="The sweep's folder [default: runs/NAME].")
    ] = None,  # a Path would make s3:/ of s3://, which is refused by name
    arms: Annotated[
        list[str] | None,
        typer.Option(
            "--arms",
            metavar="RUN",
            help="Compare curated runs, or token shards, in place of mixtures; once for each.",
        ),
    ] = None,
    transfer: Annotated[
        bool,
        typer.Option("--transfer", help="Train the best mixtures, natural and the worst at the next size."),
    ] = False,
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
    `chejil ablate report` fits and decides. With --arms it is asked whether a filter helps: each arm is trained on as
    it stands, with several seeds.
    """
    from chejil import terminal
    from chejil.errors import ChejilError
    from chejil.eval.sweeping import sweep_folder, sweep_settings
    from chejil.training.installed import require_torch

    require_torch()
    settings = sweep_settings.load(config, set_ or ())
    if arms and transfer:
        raise ChejilError("--arms and --transfer", mend="leave one out: arms have no mixtures to rank")
    folder = out or f"runs/{settings.name}"
    if dry_run:
        sweep_folder.refuse(folder, settings.name, bool(arms))
    if arms:
        work, said, view = _arms(settings, arms, workers)
    else:
        work, said, view = _mixtures(settings, workers, folder, transfer, dry_run)
    if dry_run:
        terminal.show(said, json, view)
        return
    if not log_json:
        terminal.tell(view(said))
    from chejil.eval.sweeping import sweep_view

    with progress(log_json=log_json) as bars:
        done = work(folder, bars)
    terminal.show({**done, "folder": folder}, json, sweep_view.done)


def _mixtures(
    settings: SweepSettings, workers: int | None, folder: str, larger: bool, count_trained: bool
) -> tuple[Callable[[str, Any], dict[str, Any]], dict[str, Any], Callable[[dict[str, Any]], Any]]:
    """What is to be done in which folder, and what is said of it first.

    Args:
        larger: the next size of the proxies in `folder` is asked for.
        count_trained: say how many are trained already: a dry run, which a training would tell itself.
    """
    from chejil.curation import shards
    from chejil.eval.ablation_reports import sweep_file
    from chejil.eval.sweeping import proxy_queue, sweep, sweep_folder, sweep_plan, sweep_view, transfer

    if larger:
        transfer.of(settings)
    found = told = sweep_plan.plan(settings)
    place = folder
    if larger and sweep_file.is_closed(folder):  # else the rest of it is trained first
        told = transfer.plan(found, sweep_file.read(folder))
        place = shards.join(folder, sweep_folder.TRANSFER)
    count = proxy_queue.workers_of(settings, found.base, workers)
    said = sweep_view.content(told, count)
    if count_trained:
        said["trained"] = sweep.num_trained(told, place)
    todo = sweep.run_transfer if larger else sweep.run
    return lambda out, bars: todo(found, out, count, bars), said, sweep_view.plan


def _arms(
    settings: SweepSettings, folders: list[str], workers: int | None
) -> tuple[Callable[[str, Any], dict[str, Any]], dict[str, Any], Callable[[dict[str, Any]], Any]]:
    from chejil.eval.sweeping import arms, proxy_queue, sweep_view

    found = arms.plan(settings, folders)
    count = proxy_queue.workers_of(settings, found.base, workers)
    return (
        lambda out, bars: arms.run(found, out, count, bars),
        sweep_view.arms_content(found, count),
        sweep_view.arms,
    )
