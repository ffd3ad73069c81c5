"""`chejil judge generate`: models answer prompts."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.judge_options import (
    EXIT_INCOMPLETE,
    BodyOption,
    ConcurrencyOption,
    DryRunOption,
    KeyEnvOption,
    MaxCostOption,
    PerMinuteOption,
    PriceInOption,
    PriceOutOption,
    PromptsOption,
    TimeoutOption,
    TriesOption,
    fields,
    told,
)
from chejil.commands.options import JsonOption, LogJsonOption, progress


def generate(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL…", help="Names that the endpoint knows models by, or folders of models."
        ),
    ],
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", help="An OpenAI-compatible endpoint, up to /v1; folders need none."),
    ] = None,
    prompts: PromptsOption = "koen",
    out: Annotated[str, typer.Option("--out", help="Folder of the answers.")] = "answers",
    key_env: KeyEnvOption = None,
    device: Annotated[
        str, typer.Option("--device", help="Of models in folders: auto, cpu, mps, cuda, cuda:N.")
    ] = "auto",
    template: Annotated[
        str | None,
        typer.Option(
            "--template", metavar="NAME|FILE", help="Of models in folders [default: the tokenizer's own]."
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", help="A system message before each prompt.")
    ] = None,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0, help="0: the likeliest answer.")
    ] = 0.0,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Of an answer.")] = 1024,
    concurrency: ConcurrencyOption = 8,
    per_minute: PerMinuteOption = None,
    tries: TriesOption = 6,
    timeout: TimeoutOption = 120,
    body: BodyOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    max_cost: MaxCostOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Let models answer prompts: a file of answers a model. What is answered is not asked again.

    A model is a name that the endpoint knows, or a folder (as for `chejil chat`), which runs here on --device.

    The exit code is 0, or 3 if prompts got no reply (the others are written).
    """
    from chejil import terminal
    from chejil.eval.judging import judge_view, runs
    from chejil.eval.judging.cost import Price
    from chejil.eval.judging.endpoint import EndpointSettings

    settings = EndpointSettings(
        url=endpoint, key_env=key_env, timeout_seconds=timeout, tries=tries, per_minute=per_minute,
        body=fields(body),
    ) if endpoint else None  # fmt: skip
    spending = runs.Spending(Price(price_in, price_out), max_cost, told, dry_run)
    options = {"temperature": temperature, "max_tokens": max_tokens}
    with progress(log_json=log_json) as bars:
        found = runs.generate(
            models, prompts, settings, out, options, system, concurrency, spending, bars,
            folders=runs.Folders(device, template),
        )  # fmt: skip
    if dry_run:
        return
    terminal.show(found, json, judge_view.generated)
    if any(one.unanswered for one in found):
        raise typer.Exit(EXIT_INCOMPLETE)
