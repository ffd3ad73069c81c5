"""`chejil judge …`: let models answer prompts, let a judge score them, ask whether two judges agree."""

from __future__ import annotations

import typer

from chejil.commands import judge_agree, judge_generate, judge_score

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Answers of models, scored by a judge: generate, score, agree.",
)
app.command("generate")(judge_generate.generate)
app.command("score")(judge_score.score)
app.command("agree")(judge_agree.agree)
