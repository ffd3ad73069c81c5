"""`chejil eval suite`: items of tasks as token ids, which a training scores."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.eval_run import DataOption, Mode, SuiteOption
from chejil.commands.options import JsonOption, LogJsonOption, progress


def suite(
    tokenizer: Annotated[
        str, typer.Option("--tokenizer", metavar="DIR", help="Folder of the training's tokenizer.")
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The suite, e.g. suites/kobest.jsonl.")],
    suite: SuiteOption = "kobest",
    data: DataOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Items of each task at most.")] = 100,
    mode: Annotated[
        Mode, typer.Option("--mode", help="How prompts are made and encoded, as of chejil eval run.")
    ] = Mode.harness,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another one chooses other items.")] = 1,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave broken rows of the files out.")
    ] = False,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Write a small suite for trainings: items of tasks whose candidates are token ids already.

    chejil pretrain and chejil sft score it every so many steps (evaluation.suite in their configs), with the numbers of
    chejil eval run on the same items. Items are chosen by a hash, in turn from each right answer.
    """
    from chejil import terminal
    from chejil.eval.harness import suite_items, suite_view

    settings = suite_items.SuiteSettings(mode.value, limit, seed, skip_broken)
    with progress(log_json=log_json) as bars:
        found = suite_items.write(suite, tokenizer, data, out, settings, bars)
    terminal.show(found, json, suite_view.tables)
