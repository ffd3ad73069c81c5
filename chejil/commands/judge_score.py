"""`chejil judge score`: a judge scores answers."""

from __future__ import annotations

from typing import Annotated

import typer

from chejil.commands.judge_options import (
    EXIT_INCOMPLETE,
    BodyOption,
    ConcurrencyOption,
    DryRunOption,
    EndpointOption,
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
from chejil.errors import ChejilError


def score(
    answers: Annotated[
        list[str], typer.Argument(metavar="ANSWERS…", help="Files of judge generate, or CSV with id,answer.")
    ],
    endpoint: EndpointOption,
    judge_model: Annotated[str, typer.Option("--judge-model", help="The judge's name at the endpoint.")],
    prompts: PromptsOption = "koen",
    rubric: Annotated[
        str, typer.Option("--rubric", help="six (criteria), five (as G-Eval), or pairwise.")
    ] = "six",
    lang: Annotated[str, typer.Option("--lang", help="Language of the judge's prompt: en or ko.")] = "en",
    out: Annotated[str, typer.Option("--out", help="Folder of scores and transcripts.")] = "judged",
    reference: Annotated[
        str | None, typer.Option("--reference", help="The model whose 0-to-100 score is 100 in `relative`.")
    ] = None,
    asks: Annotated[int, typer.Option("--asks", min=1, help="For a reply that is no verdict, in all.")] = 3,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Of a verdict.")] = 1500,
    key_env: KeyEnvOption = None,
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
    """Let a judge score answers, 1 to 5 by criterion, or compare them in pairs. 5 is good in every criterion.

    What it will cost is said first. Every reply is kept, so the same command goes on where it stopped and pays nothing
    twice. The exit code is 0, or 3 if answers could not be judged (they are listed, and in no mean).
    """
    from chejil import terminal
    from chejil.eval.judging import judge_view, rubrics, runs
    from chejil.eval.judging.cost import Price
    from chejil.eval.judging.endpoint import EndpointSettings
    from chejil.eval.judging.scoring import JudgeSettings

    rubrics.rubric(rubric)
    if lang not in ("en", "ko"):
        raise ChejilError(
            f"--lang {lang[:20]}: a judge is asked in English or Korean", mend="--lang en, or ko"
        )
    calls = EndpointSettings(
        url=endpoint, key_env=key_env, timeout_seconds=timeout, tries=tries, per_minute=per_minute,
        body=fields(body),
    )  # fmt: skip
    settings = JudgeSettings(
        rubric=rubric, lang=lang, asks=asks, max_tokens=max_tokens, concurrency=concurrency
    )
    spending = runs.Spending(Price(price_in, price_out), max_cost, told, dry_run)
    with progress(log_json=log_json) as bars:
        found = runs.score(answers, prompts, calls, judge_model, settings, out, reference, spending, bars)
    if found is None:
        return
    terminal.show(found, json, judge_view.summary)
    if found.not_judged:
        raise typer.Exit(EXIT_INCOMPLETE)
